"""The limiters, each cell alone: calibrate keeps every sample away from them, so what a stage
gives on samples says nothing of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from memxc.ir.design import Design
from memxc.ir.stages import Stage
from memxc.verify import decks
from memxc.verify.bench import Run, benches
from memxc.verify.library import Library
from memxc.verify.simulate import Sweep
from memxc.verify.task import answers

#: Volts at the input, in clips: within, at the edges, beyond.
_POINTS = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0])


@dataclass(frozen=True)
class LimiterResult:
    """The limiter of `clip_v` volts: how far it is from what it should be; relative to the clip."""

    clip_v: float
    max_abs_error_v: float
    max_rel_error: float
    ok: bool


def check(
    design: Design, stages: Iterable[Stage], cells: Library, sweep: Sweep, tolerance: float
) -> Iterator[LimiterResult]:
    """Every different limiter of some stages. Raises MemxcError where the engine fails."""
    limits = {design.buses[stage.dst].limit for stage in stages}
    clips = sorted(limit for limit in limits if limit is not None)
    todo = [
        Run(number, 0, 1, 1, clip * _POINTS[:, None], partial(decks.limiter_cards, clip))
        for number, clip in enumerate(clips)
    ]
    made = list(benches(todo, "limiters", lambda runs: cells.periphery()))
    for run, volts, _ in answers(made, sweep(made)):
        clip = clips[run.unit]
        apart = float(np.abs(volts - run.inputs.clip(-clip, clip)).max())
        yield LimiterResult(clip, apart, apart / clip, apart / clip <= tolerance)
