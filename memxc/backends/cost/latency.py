"""Latency: the longest path from an input to an output, in stages, periods and seconds.

    clocked:      guard * sum over the path of  periods * settling time of the stage
    free-running: guard * settling time of the whole path as one linear circuit, without a clock
    assumed:      periods * the target's time of a stage

The first two need an op-amp of known dynamics (`settling.lacking`). A clocked circuit waits for
each stage before it lets the next one start. Without a clock, every stage follows the one before it
while that is still settling: 13 stages of two equal poles take 44.6 time constants instead of
13 x 9.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from memxc import units
from memxc.backends.cost import settling, turns
from memxc.backends.cost.latency_rows import Latency, StageSettling
from memxc.backends.cost.resources import periods
from memxc.backends.cost.settling import StageTime
from memxc.ir.design import Design
from memxc.ir.stages import Array, Lanes, Stage
from memxc.physics.network.settling import cascade
from memxc.target import Target

#: Digits of a settling time. Later ones depend on the processor.
_DIGITS = 6
#: A cascade is looked at for this many times the sum of the settling times of its stages.
_WINDOW = 1.25


def measure(design: Design, target: Target, times: Mapping[str, StageTime]) -> Latency:
    """Return the length of the critical paths.

    times: how each stage settles; empty where the target lacks a key for it.
    """
    assumed = [stage for stage in _longest(design, periods) if isinstance(stage, Array | Lanes)]
    spent = sum(map(periods, assumed))
    clocked, free = None, None
    if times and target.crossbar.guard is not None:
        path = [times[stage.name] for stage in settled_path(design, times)]
        clocked = _shown(sum(one.periods * one.seconds for one in path), target)
        free = _shown(_free_running(path), target)
    arrays = [times[array.name].seconds for array in design.arrays if array.name in times]
    return Latency(
        critical_path_stages=len(assumed),
        periods=spent,
        stage_time_s=target.crossbar.stage_time_s,
        inference_s=spent * target.crossbar.stage_time_s,
        clocked_s=clocked,
        free_running_s=free,
        median_stage_s=_shown(float(np.median(arrays)), target) if arrays else None,
        missing=tuple(_missing(design, target, times)),
    )


def stages(
    design: Design, target: Target, times: Mapping[str, StageTime]
) -> tuple[StageSettling, ...]:
    """Return a row for each stage that has a settling time."""
    path = {stage.name for stage in settled_path(design, times)}
    return tuple(
        StageSettling(
            stage=one.name,
            settling_s=_shown(one.seconds, target),
            overshoot=units.rounded(one.overshoot, _DIGITS) if one.unstable == 0 else None,
            noise_gain=units.rounded(one.noise_gain, _DIGITS),
            unstable_lanes=one.unstable,
            critical=one.name in path,
        )
        for one in times.values()
    )


def settled_path(design: Design, times: Mapping[str, StageTime]) -> list[Stage]:
    """Return the stages with a settling time on the path that takes longest with a clock."""

    def seconds(stage: Stage) -> float:
        one = times.get(stage.name)
        return 0.0 if one is None else one.periods * one.seconds

    return [stage for stage in _longest(design, seconds) if stage.name in times]


def _longest(design: Design, cost: Callable[[Stage], float]) -> list[Stage]:
    """Return the path of the largest cost; among equals, the one with most stages of hardware."""
    best: dict[str, tuple[float, int]] = dict.fromkeys(design.inputs, (0.0, 0))
    before: dict[str, tuple[Stage, str | None]] = {}
    for stage in design.stages:
        src = max(stage.srcs, key=best.__getitem__, default=None)
        spent, passed = (0.0, 0) if src is None else best[src]
        if isinstance(stage, Array | Lanes):
            spent, passed = spent + cost(stage), passed + 1
        best[stage.dst] = (spent, passed)
        before[stage.dst] = (stage, src)
    path: list[Stage] = []
    at = max(design.outputs, key=best.__getitem__, default=None)
    while at is not None and at in before:
        stage, at = before[at]
        path.insert(0, stage)
    return path


def _free_running(path: list[StageTime]) -> float:
    """Return the seconds of a path without a clock; infinite if it needs one or is unstable."""
    total = sum(one.seconds for one in path)
    if not path or not np.isfinite(total) or any(one.periods > 1 for one in path):
        return np.inf
    circuits = [circuit for one in path for circuit in one.path]
    slew_s = sum(one.slew_s for one in path)
    return cascade(circuits, settling.TOLERANCE, _WINDOW * total) + slew_s


def _shown(seconds: float, target: Target) -> float | None:
    """Return seconds with the guard factor, for the report; None if they are infinite."""
    assert target.crossbar.guard is not None
    if not np.isfinite(seconds):
        return None
    return units.rounded(target.crossbar.guard * seconds, _DIGITS)


def _missing(design: Design, target: Target, times: Mapping[str, StageTime]) -> Iterator[str]:
    """Yield what the settling times lack: keys of the target, and parts that are not modelled."""
    yield from settling.lacking(target)
    for one in times.values():
        if one.unstable:
            yield f"{one.name}: {one.unstable} of its different lanes never settle"
    lanes = [stage for stage in design.stages if isinstance(stage, Lanes)]
    if any(design.buses[stage.dst].limit is not None for stage in design.stages):
        yield "limiters"
    if any(stage.circuit.diodes for stage in lanes):
        yield "diodes of lane functions"
    names = sorted({stage.circuit.name for stage in lanes if stage.circuit.converters})
    if names:
        yield f"converters of lane functions: {', '.join(names)}"
    if any(map(turns.takes, design.stages)):
        yield "resistance of the multiplexers of stages that take turns"
        if target.hold is None:
            yield "sample-and-holds of stages that take turns (hold.settling_s)"
    if design.islands:
        yield "digital islands, with their converters"
    yield "drivers and converters of the inputs and outputs"
    yield "resistance of the lines"
