"""Effective weights with wire resistance: crossbars that share summing nodes, closed exactly.

Row parts of a stage end at the same summing nodes, so their port admittances are joined there and
the amplifiers closed over all of them at once (closed_loop). A lane that a border place
discards counts as if its amplifier were there, where the netlist grounds its bit lines: with wires
and a finite gain its neighbours then miss about the share of a volt that such an amplifier would
leave on its node, 1 / gain; nothing without wires, or without discarded lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import BIAS, Crossbar, Kernel
from memxc.ir.stages import Array
from memxc.ir.windows import Ints
from memxc.physics.network import admittance, closed_loop, nodal
from memxc.physics.network.drive import one_block_a_place, word_line_drive

Floats = NDArray[np.float64]

#: Numbers held at once in port admittances; bounds the memory of a large stack (256 MiB).
_HELD = 1 << 25
#: Row parts of the same lanes: positions (crossbar, block) of one unit, the same lanes at all.
_Unit = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Effective:
    """What the word lines of a stage give its lanes, wires and amplifiers and all.

    volts: for each crossbar (blocks, word lines, columns), lane volts per volt on a word line.
    split: whether the blocks are places, those of one definition after each other, because the
    amplifiers differ from place to place; otherwise they are definitions.
    offset: volts of each lane (width,) that the offsets of its op-amps make; None for no offsets.
    """

    volts: tuple[Floats, ...]
    split: bool
    offset: Floats | None = None


def kernels(
    stage: Array, scales: tuple[float, float], wires: nodal.WireResistance
) -> tuple[tuple[Kernel, ...], Floats | None]:
    """One kernel a crossbar of the stage, in its order, and the volts (width,) that offsets add.

    scales: volts per unit in and out.
    """
    found = matrices(stage, wires)
    made = tuple(
        _kernel(stage, crossbar, matrix, scales, found.split)
        for crossbar, matrix in zip(stage.crossbars, found.volts, strict=True)
    )
    return made, found.offset


def matrices(stage: Array, wires: nodal.WireResistance) -> Effective:
    """The effective matrices of a stage's crossbars, in their order."""
    lanes = [crossbar.sinks.nets() for crossbar in stage.crossbars]
    split = not all(_alike(stage, nets) for nets in lanes)
    if split:
        lanes = [nets.reshape(-1, 1, nets.shape[2]) for nets in lanes]
    found = [
        np.empty((len(nets), crossbar.word_lines, nets.shape[2]))
        for nets, crossbar in zip(lanes, stage.crossbars, strict=True)
    ]
    offset = None if stage.offset is None else np.zeros(len(stage.r_f))
    for units in _stacks(lanes):
        _close(stage, units, lanes, wires, found, offset)
    return Effective(tuple(found), split, offset)


def _alike(stage: Array, lanes: Ints) -> bool:
    """Whether all places of lanes (groups, places, columns) have the same amplifiers."""
    wanted = lanes >= 0
    for ohms in (stage.r_f, stage.r_join):
        largest = np.where(wanted, ohms[lanes], -np.inf).max(axis=1)
        least = np.where(wanted, ohms[lanes], np.inf).min(axis=1)
        if (largest > least * (1 + 1e-12)).any():
            return False
    return True


def _stacks(lanes: Sequence[Ints]) -> Iterator[list[_Unit]]:
    """Units of the same crossbars, to be solved together."""
    members: dict[bytes, list[tuple[int, int]]] = {}
    for index, nets in enumerate(lanes):
        for block in range(len(nets)):
            members.setdefault(nets[block].tobytes(), []).append((index, block))
    stacks: dict[tuple[int, ...], list[_Unit]] = {}
    for unit in members.values():
        stacks.setdefault(tuple(index for index, _ in unit), []).append(tuple(unit))
    own = [np.unique(lanes[unit[0][0]][unit[0][1]]) for unit in members.values()]
    used = np.concatenate([nets[nets >= 0] for nets in own])
    assert len(np.unique(used)) == len(used), "crossbars share some of their lanes only"
    yield from stacks.values()


def _close(
    stage: Array,
    units: list[_Unit],
    lanes: Sequence[Ints],
    wires: nodal.WireResistance,
    found: Sequence[Floats],
    offset: Floats | None,
) -> None:
    """Write the effective matrices of a stack of units to their places in `found`, what offsets
    add to the lanes to `offset`."""
    crossbars = [stage.crossbars[index] for index, _ in units[0]]
    step = max(1, _HELD // sum((c.word_lines + c.bit_lines) ** 2 for c in crossbars))
    for first in range(0, len(units), step):
        chunk = units[first : first + step]
        blocks = np.array([[block for _, block in unit] for unit in chunk])
        nets = lanes[chunk[0][0][0]][blocks[:, 0]]
        amplifiers, first_minus = _amplifiers(stage, nets)
        parts = []
        for number, crossbar in enumerate(crossbars):
            shares = len(lanes[chunk[0][number][0]]) // crossbar.groups
            g = crossbar.conductance((blocks[:, number] // shares).astype(np.intp))
            node = np.where(crossbar.polarity > 0, crossbar.column, crossbar.column + first_minus)
            parts.append((admittance.port_admittance(g, wires, stage.drive), node.astype(np.intp)))
        matrix = closed_loop.matrix(parts, amplifiers, 1 + int(amplifiers.minus[-1]))
        ends = np.cumsum([crossbar.word_lines for crossbar in crossbars])[:-1]
        for number, own in enumerate(np.split(matrix, ends, axis=1)):
            found[chunk[0][number][0]][blocks[:, number]] = own
        if offset is not None:
            added = closed_loop.offsets(parts, amplifiers, 1 + int(amplifiers.minus[-1]))
            _shift(stage, nets, added, offset)


def _shift(stage: Array, lanes: Ints, added: Floats, offset: Floats) -> None:
    """Write what offsets add to lanes (units, places, columns); added: (units, nodes, columns)."""
    assert stage.offset is not None, "no offsets"
    own = np.where(lanes >= 0, stage.offset[:, lanes], 0.0)
    # Node c is that of op-amp 1 of column c where there are two, that of op-amp 2 comes behind.
    volts = own[1] if stage.single_ended else np.concatenate(own, axis=2)
    made = volts @ added
    offset[lanes[lanes >= 0]] = made[lanes >= 0]


def _amplifiers(stage: Array, lanes: Ints) -> tuple[nodal.Amplifiers, int]:
    """Amplifiers of units with lanes (units, places, columns), and their first minus node.

    Node c is the plus node of column c, or the minus node where there are no others.
    """
    columns = lanes.shape[2]
    # Of the places any will do whose lane is wanted; 1 ohm where none is.
    lane = lanes.max(axis=1)
    r_f, r_join = (np.where(lane >= 0, ohms[lane], 1.0) for ohms in (stage.r_f, stage.r_join))
    single = stage.single_ended
    plus = np.full(columns, -1) if single else np.arange(columns)
    first_minus = 0 if single else columns
    minus = np.arange(columns) + first_minus
    return nodal.Amplifiers(plus, minus, r_f, r_join, stage.gain), first_minus


def _kernel(
    stage: Array, crossbar: Crossbar, matrix: Floats, scales: tuple[float, float], split: bool
) -> Kernel:
    whole = word_line_drive(crossbar, stage, scales) @ matrix
    bias = whole[:, -1] if (crossbar.line == BIAS).any() else None
    taps, sinks, grid = crossbar.taps, crossbar.sinks, crossbar.grid
    if split:
        taps, sinks, grid = one_block_a_place(taps), one_block_a_place(sinks), (1,)
    return Kernel(whole[:, :-1].reshape(len(whole), -1), None, bias, taps, sinks, grid)
