"""Units: the smallest circuits of a stage that can be simulated alone.

For an array, a unit is the crossbars whose bit lines meet at common summing nodes, with their
amplifiers; for lanes it is one lane. A unit is simulated at every place and picture that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from memxc.backends.netlist.lane_function import lane_function
from memxc.backends.netlist.names import definition
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes
from memxc.ir.windows import Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placed:
    """One crossbar of a unit: group `group` of crossbar `index` of the stage.

    words: for each word line, the unit's input that drives it, or BIAS. bits: for each bit line,
    the amplifier that it ends at, or -1 if it is discarded.
    """

    index: int
    group: int
    words: Ints
    bits: Ints


@dataclass(frozen=True, eq=False)
class Unit:
    """Crossbars and the amplifiers that they share.

    inputs: (places, unit inputs) nets of the source bus. lanes: (places, amplifiers) lanes of the
    destination, -2 where a place has none. r_f, r_join: (amplifiers,) ohms, offset: (2, amplifiers)
    volts; they are the same at all places.
    """

    stage: Array
    placed: tuple[Placed, ...]
    inputs: Ints
    lanes: Ints
    r_f: Floats
    r_join: Floats
    offset: Floats | None = None

    @property
    def devices(self) -> int:
        """Number of devices of the unit."""
        return sum(self.crossbar(placed).devices for placed in self.placed)

    def crossbar(self, placed: Placed) -> Crossbar:
        """Return the stack that a placed crossbar comes from."""
        return self.stage.crossbars[placed.index]

    def loads(self, siemens: Sequence[Floats]) -> Floats:
        """Return siemens on the plus and the minus bit lines of each amplifier, (2, amplifiers).

        siemens: (groups, bit lines) for each crossbar of the stage.
        """
        total = np.zeros((2, len(self.r_f)))
        for placed in self.placed:
            minus = self.crossbar(placed).polarity < 0
            used = placed.bits >= 0
            at = minus[used].astype(np.intp), placed.bits[used]
            np.add.at(total, at, siemens[placed.index][placed.group][used])
        return total

    def definitions(self) -> list[str]:
        """Return the netlist definitions that the unit uses."""
        return [definition(int(self.crossbar(p).definition[p.group])) for p in self.placed]


def array_units(stage: Array) -> Iterator[Unit]:
    """Yield the units of an array, in the order of their first crossbar.

    Units are the connected components of the graph whose edges are bit lines between crossbars and
    lanes.
    """
    members = [(k, g) for k, crossbar in enumerate(stage.crossbars) for g in range(crossbar.groups)]
    lanes = [
        crossbar.sinks.nets(places=slice(0, 1))[:, 0, crossbar.column]
        for crossbar in stage.crossbars
    ]
    node, lane = [], []
    for number, (k, g) in enumerate(members):
        wanted = lanes[k][g][lanes[k][g] >= 0]
        node.append(np.full(len(wanted), number))
        lane.append(wanted + len(members))
    a, b = np.concatenate(node), np.concatenate(lane)
    size = len(members) + len(stage.r_f)
    _, label = connected_components(coo_matrix((np.ones(len(a)), (a, b)), (size, size)), False)
    for unit in dict.fromkeys(label[: len(members)].tolist()):
        whole = _unit(stage, [members[i] for i in np.flatnonzero(label[: len(members)] == unit)])
        yield from [whole] if stage.offset is None else _with_offsets(whole, stage.offset)


def _with_offsets(unit: Unit, offset: Floats) -> Iterator[Unit]:
    """Yield the unit as it is if its places have the same amplifiers, else each place alone."""
    volts = np.where(unit.lanes >= 0, offset[:, unit.lanes], 0.0)
    if (volts == volts[:, :1]).all():
        yield replace(unit, offset=volts[:, 0])
        return
    for place in range(len(unit.lanes)):
        at = slice(place, place + 1)
        yield replace(unit, inputs=unit.inputs[at], lanes=unit.lanes[at], offset=volts[:, place])


def _unit(stage: Array, members: list[tuple[int, int]]) -> Unit:
    places = {stage.crossbars[k].places for k, _ in members}
    assert len(places) == 1, f"{stage.name}: crossbars of one summing node differ in places"
    amplifier: dict[int, int] = {}
    placed, inputs = [], []
    # At most as many amplifiers as bit lines: a column for each lane of the stage would be too
    # large.
    most = sum(stage.crossbars[k].bit_lines for k, _ in members)
    lanes = np.full((places.pop(), most), -2, dtype=np.int32)
    first = 0
    for k, g in members:
        crossbar, block = stage.crossbars[k], slice(g, g + 1)
        nets = crossbar.sinks.nets(block)[0][:, crossbar.column]
        bits = [
            amplifier.setdefault(lane, len(amplifier)) if lane >= 0 else -1
            for lane in nets[0].tolist()
        ]
        for bit, column in zip(bits, nets.T, strict=True):
            if bit >= 0:
                clash = (lanes[:, bit] >= 0) & (column >= 0) & (lanes[:, bit] != column)
                assert not clash.any(), f"{stage.name}: bit lines part at some places"
                lanes[:, bit] = np.maximum(lanes[:, bit], column)
        words = np.where(crossbar.line == BIAS, BIAS, crossbar.line + first)
        placed.append(Placed(k, g, words.astype(np.int32), np.array(bits, dtype=np.int32)))
        inputs.append(crossbar.taps.nets(block)[0])
        first += crossbar.taps.lines
    distinct = list(amplifier)
    return Unit(
        stage,
        tuple(placed),
        np.concatenate(inputs, axis=1),
        lanes[:, : len(distinct)],
        stage.r_f[distinct],
        stage.r_join[distinct],
    )


def lane_cells(design: Design) -> Mapping[str, str]:
    """Return the netlist cell of every Lanes stage, {stage name: cell name}.

    The names are those that assemble gives.
    """
    numbered: dict[tuple[int, str], str] = {}
    cells = {}
    for stage in design.stages:
        if isinstance(stage, Lanes):
            key = (ports(stage), lane_function(stage, design.buses))
            cells[stage.name] = numbered.setdefault(key, f"{stage.circuit.name}{len(numbered)}")
    return cells


def ports(stage: Lanes) -> int:
    """Return the number of inputs of one lane."""
    return sum(taps.lines for taps in stage.taps)


def lane_inputs(stage: Lanes, values: Mapping[str, Floats]) -> Floats:
    """Return volts at the inputs of every lane and picture, (pictures * lanes, ports)."""
    columns = []
    for src, taps in zip(stage.srcs, stage.taps, strict=True):
        nets = taps.nets().reshape(-1, taps.lines)
        volts = values[src][:, np.maximum(nets, 0)]
        volts[:, nets < 0] = 0.0
        columns.append(volts)
    return np.concatenate(columns, axis=2).reshape(-1, ports(stage))
