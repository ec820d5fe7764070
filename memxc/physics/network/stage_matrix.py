"""Effective weights of a stage with wire resistance, exact for crossbars that share summing nodes.

Row parts of a stage end at the same summing nodes. Their port admittances are added there, and the
amplifiers are closed over all of them at once (closed_loop).

For a lane that is discarded at a border place this computes with an amplifier, where the netlist
connects the bit lines to ground. With wires and a finite gain the neighbouring lanes then have an
error of about 1 / gain, the share of a volt that such an amplifier leaves on its node. There is no
error without wires, or without discarded lanes.
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
#: Row parts of the same lanes: the positions (crossbar, block) of one unit.
_Unit = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Effective:
    """Volts that the word lines of a stage give its lanes, with wires and amplifiers.

    volts: for each crossbar (blocks, word lines, columns), lane volts per volt on a word line.
    split: True if blocks are places (those of one definition in a row), because the amplifiers
    differ from place to place; False if blocks are definitions.
    offset: volts (width,) that the op-amps' offsets add to each lane; None without offsets.
    """

    volts: tuple[Floats, ...]
    split: bool
    offset: Floats | None = None


def kernels(
    stage: Array, scales: tuple[float, float], wires: nodal.WireResistance
) -> tuple[tuple[Kernel, ...], Floats | None]:
    """Return one kernel a crossbar of the stage, in order, and the volts (width,) that offsets add.

    scales: volts per unit of the source and of the destination.
    """
    whole = matrices(stage, wires)
    weights = tuple(
        _kernel(stage, crossbar, matrix, scales, whole.split)
        for crossbar, matrix in zip(stage.crossbars, whole.volts, strict=True)
    )
    return weights, whole.offset


def matrices(stage: Array, wires: nodal.WireResistance) -> Effective:
    """Return the effective matrices of a stage's crossbars, in their order."""
    lanes = [crossbar.sinks.nets() for crossbar in stage.crossbars]
    split = not all(_alike(stage, nets) for nets in lanes)
    if split:
        lanes = [nets.reshape(-1, 1, nets.shape[2]) for nets in lanes]
    volts = [
        np.empty((len(nets), crossbar.word_lines, nets.shape[2]))
        for nets, crossbar in zip(lanes, stage.crossbars, strict=True)
    ]
    offset = None if stage.offset is None else np.zeros(len(stage.r_f))
    for units in _stacks(lanes):
        _close(stage, units, lanes, wires, volts, offset)
    return Effective(tuple(volts), split, offset)


def _alike(stage: Array, lanes: Ints) -> bool:
    """Return whether all places of lanes (groups, places, columns) have the same amplifiers."""
    wanted = lanes >= 0
    for ohms in (stage.r_f, stage.r_join):
        largest = np.where(wanted, ohms[lanes], -np.inf).max(axis=1)
        least = np.where(wanted, ohms[lanes], np.inf).min(axis=1)
        if (largest > least * (1 + 1e-12)).any():
            return False
    return True


def _stacks(lanes: Sequence[Ints]) -> Iterator[list[_Unit]]:
    """Yield units that use the same crossbars, to be solved together."""
    members: dict[bytes, list[tuple[int, int]]] = {}
    for index, nets in enumerate(lanes):
        for block in range(len(nets)):
            members.setdefault(nets[block].tobytes(), []).append((index, block))
    stacks: dict[tuple[int, ...], list[_Unit]] = {}
    for unit in members.values():
        stacks.setdefault(tuple(index for index, _ in unit), []).append(tuple(unit))
    distinct = [np.unique(lanes[unit[0][0]][unit[0][1]]) for unit in members.values()]
    used = np.concatenate([nets[nets >= 0] for nets in distinct])
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
    """Write effective matrices of a stack of units to `found`, and the offsets to `offset`."""
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
        for number, part in enumerate(np.split(matrix, ends, axis=1)):
            found[chunk[0][number][0]][blocks[:, number]] = part
        if offset is not None:
            added = closed_loop.offsets(parts, amplifiers, 1 + int(amplifiers.minus[-1]))
            _shift(stage, nets, added, offset)


def _shift(stage: Array, lanes: Ints, added: Floats, offset: Floats) -> None:
    """Write what offsets add to lanes (units, places, columns); added: (units, nodes, columns)."""
    assert stage.offset is not None, "no offsets"
    by_lane = np.where(lanes >= 0, stage.offset[:, lanes], 0.0)
    # With two op-amps a lane, the nodes of op-amp 1 come first, then those of op-amp 2.
    volts = by_lane[1] if stage.single_ended else np.concatenate(by_lane, axis=2)
    shifts = volts @ added
    offset[lanes[lanes >= 0]] = shifts[lanes >= 0]


def _amplifiers(stage: Array, lanes: Ints) -> tuple[nodal.Amplifiers, int]:
    """Return the amplifiers of units with lanes (units, places, columns), and the first minus node.

    Node c is the plus node of column c, or its minus node if there are no plus nodes.
    """
    columns = lanes.shape[2]
    # All places are alike, so any place whose lane is not discarded will do; otherwise 1 ohm.
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
