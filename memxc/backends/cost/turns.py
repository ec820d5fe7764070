"""What stages that take turns need besides: cells that hold their outputs, and multiplexers.

In each turn a controller selects the nets that a crossbar or a lane function reads, and the cell
that keeps what it gives. A held net is a capacitor behind a switch, and drives nothing: a row
driver (an op-amp) stands behind every multiplexer, and behind every held net that a stage without
turns reads. docs/decisions/0025-lanes-take-turns.md has the circuit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.backends.netlist.nets import Nets
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes, Linear, Stage
from memxc.ir.windows import Ints


@dataclass(frozen=True)
class HeldNets:
    """What one stage needs. buffers: row drivers behind held nets of it that are always read."""

    holds: int
    buffers: int


def takes(stage: Stage) -> bool:
    """Return whether the places of a stage take turns. A single place takes none."""
    match stage:
        case Array():
            return stage.sequential and any(crossbar.places > 1 for crossbar in stage.crossbars)
        case Linear():
            return stage.sequential and any(kernel.places > 1 for kernel in stage.kernels)
        case Lanes():
            return stage.sequential
    return False


def ports(stage: Array | Lanes, width: int) -> int:
    """Return how many inputs of a stage have a multiplexer and a row driver, none without turns.

    width: of the stage's bus.
    """
    if not takes(stage):
        return 0
    if isinstance(stage, Lanes):
        return width // stage.turns * sum(taps.lines for taps in stage.taps)
    return sum(crossbar.groups * _fed(crossbar) for crossbar in stage.crossbars)


def switches(stage: Array | Lanes, width: int) -> int:
    """Return how many inputs the multiplexers of a stage have: one a port and turn."""
    if isinstance(stage, Lanes):
        return ports(stage, width) * stage.turns
    if not takes(stage):
        return 0
    return sum(c.groups * _fed(c) * c.places for c in stage.crossbars)


def measure(design: Design) -> dict[str, HeldNets]:
    """Return what each stage that takes turns needs, by its name. It may not be programmed yet."""
    nets = Nets(design)
    always = np.zeros(sum(bus.width for bus in design.buses.values()), dtype=bool)
    for stage in design.stages:
        if isinstance(stage, Array | Linear | Lanes) and not takes(stage):
            for read in _read(stage, nets):
                always[read] = True
    return {
        stage.name: HeldNets(len(held), int(always[held].sum()))
        for stage in design.stages
        if takes(stage)
        for held in [nets.of[stage.dst]]
    }


def held_s(design: Design, seconds: Mapping[str, float]) -> dict[str, float]:
    """Return how long the first output of each stage that takes turns is held at most, in seconds.

    seconds: of each stage with all its turns, by its name. A stage begins when all its sources are
    complete, and a held net is kept until its last reader is done.
    """
    begins, ends = dict[str, float](), dict.fromkeys(design.inputs, 0.0)
    for stage in design.stages:
        begins[stage.dst] = max((ends[src] for src in stage.srcs), default=0.0)
        ends[stage.dst] = begins[stage.dst] + seconds.get(stage.name, 0.0)
    read = {stage.dst: ends[stage.dst] for stage in design.stages}
    for stage in reversed(design.stages):
        for src in stage.srcs:
            # Wires pass on when their own readers are done.
            until = read[stage.dst] if _wires(stage) else ends[stage.dst]
            read[src] = max(read.get(src, 0.0), until)
    return {
        stage.name: read[stage.dst] - begins[stage.dst] for stage in design.stages if takes(stage)
    }


def _wires(stage: Stage) -> bool:
    return not isinstance(stage, Array | Linear | Lanes)


def _fed(crossbar: Crossbar) -> int:
    """Return how many word lines are ports: those without a bias and without an inverter."""
    return int(((crossbar.line != BIAS) & (crossbar.sign > 0)).sum())


def _read(stage: Array | Linear | Lanes, nets: Nets) -> list[NDArray[np.int32]]:
    """Return the numbers of all nets that a stage reads."""
    match stage:
        case Lanes():
            read = [*zip(stage.srcs, stage.taps, strict=True)]
        case Linear():
            read = [(stage.src, kernel.taps) for kernel in stage.kernels]
        case Array():
            read = [(stage.src, crossbar.taps) for crossbar in stage.crossbars]
    found = list[Ints]()
    for src, taps in read:
        once, _ = taps.distinct()
        for groups, places in once.pieces(1 << 20):
            lanes = once.nets(groups, places)
            numbers = nets.of[src][lanes[lanes >= 0]]
            found.append(numbers[numbers >= 0])
    return found
