"""Strength: as many equal op-amps in parallel as the worst case of an output needs.

A row driver or an op-amp that many devices load is built as 2, 4 or more equal op-amps in parallel,
as cells of several strengths are in digital circuits. k of them draw k times the quiescent current,
drive k times the output current and take k times the area; gain and bandwidth stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost.operating import Kept, OperatingPoint
from memxc.ir.design import Design
from memxc.ir.stages import Array, Lanes
from memxc.target import Amplifier

Ints = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Output:
    """The outputs of a kind of op-amp of one stage, one number a lane: arrays (width,).

    samples, worst: the largest amperes on the samples, and with every word line at its most volts.
    strength: equal op-amps in parallel; lanes that take turns have one that suits all of them.
    share: the part of the time that a lane has its op-amps, 1 unless lanes take turns.
    """

    stage: str
    kind: str
    samples: Kept
    worst: Kept
    strength: Ints
    share: Kept


def outputs(design: Design, point: OperatingPoint, amplifier: Amplifier) -> list[Output]:
    """Return all outputs of op-amps whose load is known, stage by stage."""
    found = list[Output]()

    def add(stage: str, kind: str, samples: Kept, worst: Kept, share: Kept, turns: bool) -> None:
        strength = _needed(worst, amplifier)
        if turns:
            strength = np.full_like(strength, strength.max(initial=1))
        found.append(Output(stage, kind, samples, worst, strength, share))

    arrays = {array.stage.dst: array for array in point.arrays}
    for stage in design.stages:
        if not isinstance(stage, Array | Lanes):
            continue
        net = point.nets[stage.dst]
        siemens = net.load_once
        if isinstance(stage, Lanes):
            if stage.circuit.opamps:
                share = np.broadcast_to(np.float32(1 / stage.turns), siemens.shape)
                now, most = net.volts.largest * siemens, net.worst_v * siemens
                add(stage.name, "lane function", now, most, share, stage.sequential)
            continue
        array = arrays[stage.dst]
        siemens = (siemens + 1 / array.stage.r_f).astype(np.float32)
        now, most = net.volts.largest * siemens, net.worst_v * siemens
        if not stage.single_ended:
            first, worst = 2 * array.plus.largest, 2 * array.worst_v * array.y_plus
            add(stage.name, "op-amp 1", first, worst, array.share, stage.sequential)
        add(stage.name, "op-amp 2", now, most, array.share, stage.sequential)
    return found


def known(amplifier: Amplifier) -> Ints:
    """Return the strengths that the target allows: 1, 2, 4 ..., ascending."""
    return np.asarray(2 ** np.arange(amplifier.strength_max.bit_length()), dtype=np.int16)


def added(found: Sequence[Output]) -> float:
    """Return how many op-amps there are beyond one for each output."""
    return float(sum(np.sum(one.share * (one.strength - 1)) for one in found))


def _needed(worst: Kept, amplifier: Amplifier) -> Ints:
    """Return the smallest strength that drives the worst case; the largest one if none does."""
    limits = [a for a in (amplifier.source_a, amplifier.sink_a) if a is not None]
    if not limits:
        return np.ones(worst.shape, dtype=np.int16)
    sizes = known(amplifier)
    needed = np.searchsorted(sizes * min(limits), worst * (1 - 1e-6))
    return sizes[np.minimum(needed, len(sizes) - 1)]
