"""amplify: a lane of too large a noise gain gets its gain from two stages instead of one.

    noise gain of a lane = 1 + r_f * (all siemens at its summing node)
                         = 1 + (what it gives with every input at the read voltage) / read voltage

A lane whose weights sum to much more than its output ever needs has a large one: its loop is slow
and far from ideal. Neither r_f nor the conductances decide it, for their product is given by the
scales of the buses. Such lanes become a stage of their own, which writes to a bus whose scale is
k times smaller. Fixed resistors amplify this bus by k, and a renaming joins the lanes again:

             ,-- columns of usual gain ----------------------------- rest ------.
       src --+                                                                  +-- dst
             '-- columns of noise gain n -- before 1 -- resistors -- amplified -'

    n  ->  1 + (n - 1) / k,  then  1 + k.     k = sqrt(n - 1) makes them equal.

docs/decisions/0026-gain-in-two-stages.md compares this with other remedies.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from memxc import units
from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear, Rename, Stage
from memxc.ir.windows import GROUND, ints
from memxc.mapping import columns, stage_program
from memxc.mapping.columns import Mask
from memxc.physics.network.amplifier import noise_gains

Floats = NDArray[np.float64]

#: More amplifiers behind each other than this would take longer than a single one.
_MOST_AMPLIFIERS = 3
#: The options of --stage-set that a part of a stage, under another name, would not follow.
_BY_NAME = {"partition", "tile"}


@dataclass(frozen=True)
class Amplify(DesignPass):
    """Put amplifiers behind lanes whose noise gain exceeds the target's `noise_gain_max`.

    It comes after calibrate, which decides the noise gains, and before partition. A stage stays as
    it is if its columns share lanes, if --stage-set says how it is laid out, or if no number of
    amplifiers holds the limit. The electrical rules then name it.
    """

    name = "amplify"

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with amplifiers where they are needed."""
        most = ctx.target.amplifier.noise_gain_max
        buses, stages = dict(design.buses), list[Stage]()
        names = {stage.name for stage in design.stages}
        for stage in design.stages:
            chosen: list[Stage] = [stage]
            own = _BY_NAME.intersection(ctx.stage_set.get(stage.name, {}))
            if isinstance(stage, Linear) and most is not None and not own:
                for split in _splits(stage, _noise_gain(stage, buses, ctx), most, buses, names):
                    known = {**buses, **split.buses}
                    if all(_noise_gain(part, known, ctx).max() <= most for part in split.linear):
                        chosen, buses = [*split.linear, split.joined], known
                        break
            stages += chosen
        return Result(replace(design, buses=buses, stages=tuple(stages)))


@dataclass(frozen=True, eq=False)
class _Split:
    """What replaces a stage: its parts with their amplifiers, what joins them, and their buses."""

    linear: tuple[Linear, ...]
    joined: Rename
    buses: Mapping[str, Bus]


def _splits(
    stage: Linear,
    gain: Floats,
    most: float,
    buses: Mapping[str, Bus],
    names: Container[str],
) -> Iterator[_Split]:
    """Yield the stage with one amplifier behind its large lanes, with two, and so on.

    gain: the noise gain of each lane, (dst width,); the large lanes have more than `most`.
    """
    dst = buses[stage.dst]
    hit = [columns.adding_to(kernel, gain > most) for kernel in stage.kernels]
    driven, amplified = np.zeros(dst.width), np.zeros(dst.width)
    for kernel, chosen in zip(stage.kernels, hit, strict=True):
        kernel.sinks.add(driven, np.ones(chosen.shape))
        kernel.sinks.add(amplified, chosen.astype(np.float64))
    if not amplified.any() or driven.max() > 1:
        return
    large = amplified > 0
    kernels = _kernels(stage, hit, large)
    others = _kernels(stage, [~chosen for chosen in hit], ~large)
    for amplifiers in range(1, _MOST_AMPLIFIERS + 1):
        # Three digits, because the last ones of a sum depend on the processor.
        k = units.rounded(float(gain.max() - 1) ** (1 / (amplifiers + 1)), 3)
        chain = [
            _some(dst, _fresh(f"{dst.name}/large {n}", buses), large, k ** (amplifiers - n))
            for n in range(amplifiers + 1)
        ]
        linear = [replace(stage, dst=chain[0].name, kernels=kernels)]
        ends = [chain[-1]]
        index = np.full(dst.width, GROUND)
        index[large] = np.arange(ends[0].width)
        if others:
            linear[0] = replace(linear[0], name=_fresh(f"{stage.name}/large", names))
            ends.append(_some(dst, _fresh(f"{dst.name}/rest", buses), ~large))
            index[~large] = ends[0].width + np.arange(ends[1].width)
            linear.append(replace(stage, dst=ends[1].name, kernels=others))
        for number, (src, end) in enumerate(pairwise(chain), 1):
            name = _fresh(f"{stage.name}/gain {number}", names)
            ones = tuple(map(columns.identity, kernels))
            amplifier = replace(stage, name=name, src=src.name, dst=end.name, kernels=ones)
            linear.append(replace(amplifier, cell="resistor"))
        joined = Rename(
            _fresh(f"{stage.name}/join", names),
            tuple(bus.name for bus in ends),
            dst.name,
            ints(index),
        )
        # A limiter acts on what drives a net, and a renaming drives none.
        ends = [replace(bus, limit=dst.limit) for bus in ends]
        changed = (*chain, *ends, replace(dst, limit=None))
        yield _Split(tuple(linear), joined, {bus.name: bus for bus in changed})


def _kernels(stage: Linear, chosen: Sequence[Mask], lanes: Mask) -> tuple[Kernel, ...]:
    """Return the kernels of the chosen columns, (groups, columns) each, with their lanes alone."""
    parts = zip(stage.kernels, chosen, strict=True)
    return tuple(part for one, some in parts for part in columns.some_columns(one, some, lanes))


def _some(bus: Bus, name: str, lanes: Mask, smaller: float = 1.0) -> Bus:
    """Return a bus of some lanes of another, without a limiter. smaller: divides its volts."""
    assert bus.scale is not None, "calibrate comes before amplify"
    square = None if bus.mean_square is None else bus.mean_square[lanes] / smaller**2
    return Bus(name, (1, int(lanes.sum())), bus.scale / smaller, mean_square=square)


def _fresh(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken."""
    while name in taken:
        name += "'"
    return name


def _noise_gain(stage: Linear, buses: Mapping[str, Bus], ctx: Context) -> Floats:
    """Return the noise gain of each lane as it will be programmed, (dst width,).

    Rounding to the levels of the device is left out: it moves siemens up as often as down. A lane
    at a border, whose windows lie in the padding, may get fewer devices and a smaller noise gain.
    """
    plan = stage_program.plan(stage, buses[stage.src], buses[stage.dst], ctx, None)
    single = plan.signed == "inverted-inputs"
    y_plus, y_minus = np.zeros((2, plan.dst.width))
    for kernel, peak in zip(stage.kernels, plan.peaks, strict=True):
        plus, minus, built = columns.sums(kernel, ctx.zeros)
        if kernel.bias is not None:
            bias = np.asarray(kernel.bias, dtype=np.float64) * plan.bias_unit
            plus, minus = plus + np.maximum(bias, 0.0), minus - np.minimum(bias, 0.0)
            built = built + kernel.bias_lines * ((bias != 0) | (ctx.zeros == "parked"))
        for weights, node in ((plus, y_minus if single else y_plus), (minus, y_minus)):
            kernel.sinks.add(node, weights * plan.span / peak + built * plan.g_min)
    r_f, r_join = plan.resistors(y_plus)
    return np.maximum(*noise_gains(y_plus, y_minus, r_f, r_join, single))
