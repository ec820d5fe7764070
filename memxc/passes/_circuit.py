"""What the passes against wire resistance share: the wires, and what these cost a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memxc import evaluate, samples
from memxc.ir.design import Design
from memxc.ir.stages import Array, Stage
from memxc.ir.windows import ints
from memxc.passes import Context
from memxc.physics.effective import effective
from memxc.physics.nodal import Wires

Floats = NDArray[np.float64]

#: Samples that a stage's error is measured on, and numbers in all of a wide input.
_SAMPLES, _NUMBERS = 32, 1 << 17


def wires(ctx: Context, name: str) -> Wires | None:
    """Those of the target; None, and a warning, where they are perfect conductors."""
    if not ctx.target.wire.ideal:
        return Wires.of(ctx.target.wire)
    ctx.warnings.append(
        f"{name} changed nothing: the wires of the target {ctx.target.name} have no resistance"
    )
    return None


def driven(design: Design, ctx: Context) -> Iterator[tuple[Stage, Floats]]:
    """Every stage, and for an array the volts (samples, width) on the bus that it reads."""
    buses = evaluate.run(design, samples.few(ctx.samples, _NUMBERS, _SAMPLES))
    for stage in design.stages:
        yield stage, buses[stage.src] if isinstance(stage, Array) else np.zeros((0, 0))


def error(design: Design, stage: Array, wires: Wires, volts: Floats, wanted: Floats) -> float:
    """How far a stage with wires is from what is wanted of it, (samples, width) volts each: the
    root of the mean square, relative to that of what is wanted."""
    made = effective(design.with_stages([stage]), wires).stages[0]
    apart = evaluate.step(made, design.buses, [volts]) - wanted
    return float(np.sqrt(np.square(apart).mean() / (np.square(wanted).mean() or 1.0)))


def renumbered(stages: Iterable[Stage]) -> Iterator[Stage]:
    """Stages whose crossbars are definitions of their own, numbered from 0; share joins equals."""
    first = 0
    for stage in stages:
        if not isinstance(stage, Array):
            yield stage
            continue
        crossbars = []
        for crossbar in stage.crossbars:
            own = ints(np.arange(first, first + crossbar.groups))
            crossbars.append(replace(crossbar, definition=own))
            first += crossbar.groups
        yield replace(stage, crossbars=tuple(crossbars))
