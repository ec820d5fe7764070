"""assemble: a programmed Design becomes a Deck. It names the nets and places every cell.

What is built for one lane of a stage; docs/netlist.md lists the names:

     word lines          crossbar         TIA           limiter, if the bus has one
     n<bus>_<lane> ----+----------+       +-----+       +---------+
     i.. (inverse) ----|          |--p..--|     |       |         |
     vbias.. ----------|  xs.._k  |       | tia |--r..--| limiter |---- n<bus>_<lane>
     vbiasn.. ---------|          |--m..--|     |       |         |
                       +----------+       +-----+       +---------+
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from memxc.backends.netlist import terminals
from memxc.backends.netlist.lane_function import lane_function
from memxc.backends.netlist.names import definition, stage_id
from memxc.ir.deck import CellDefinition, Deck, Grids, Instances, StageCells
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Digital, Lanes, Rename
from memxc.ir.windows import Ints, ints


def assemble(design: Design, memristor: str = "") -> Deck:
    """Return the Deck of a whole network. Stages that stay digital are not in it, only their ports.

    memristor: the name of the subcircuit of a memristor, or "" if memristors are resistors.
    """
    return _Assembly(design, memristor).deck()


class _Assembly:
    """The tables of nets and cells. They grow while the stages are walked in order."""

    def __init__(self, design: Design, memristor: str) -> None:
        self.design = design
        self.memristor = memristor
        self.nets = ["0"]
        self.lanes: dict[str, Ints] = {}
        self.cells: dict[CellDefinition, None] = {}
        self.defined: set[int] = set()
        self.supplies: list[tuple[str, float]] = []
        self.digital = design.digital
        self.number = {name: i for i, name in enumerate(design.buses)}

    def deck(self) -> Deck:
        for name in self.design.inputs:
            if name not in self.digital:
                self.lanes[name] = self._named("n", name)
        parts = [
            part
            for index in range(len(self.design.stages))
            if (part := self._part(index)) is not None
        ]
        return Deck(
            self.design.name,
            tuple(self.nets),
            tuple(self.cells),
            tuple(parts),
            tuple(self.supplies),
            tuple(terminals.inputs(self.design, self.lanes)),
            tuple(terminals.outputs(self.design, self.lanes)),
            tuple(terminals.islands(self.design, self.lanes)),
        )

    def _part(self, index: int) -> StageCells | None:
        stage = self.design.stages[index]
        name = stage_id(self.design, index)
        match stage:
            case Rename():
                if all(src in self.lanes for src in stage.srcs):
                    source = np.concatenate([self.lanes[src] for src in stage.srcs])
                    self.lanes[stage.dst] = ints(
                        np.where(stage.index < 0, 0, source[np.maximum(stage.index, 0)])
                    )
                return None
            case Digital():
                # An island is a source of the nets behind it.
                if stage.dst not in self.digital:
                    self.lanes[stage.dst] = self._named("n", stage.dst)
                return None
            case Array():
                return self._array(name, index, stage)
            case Lanes():
                return StageCells(name, (), tuple(self._lane_cells(index, stage)))
        raise AssertionError(f"{stage.name} is not programmed")

    def _array(self, name: str, index: int, stage: Array) -> StageCells:
        plus, minus, supplies = [self._named(kind, stage.dst) for kind in "pm"] + [
            self._add([f"vbias{index}", f"vbiasn{index}"])
        ]
        if any((crossbar.line == BIAS).any() for crossbar in stage.crossbars):
            self.supplies += [(f"vbias{index}", stage.v_bias), (f"vbiasn{index}", -stage.v_bias)]
        inverted = self._inverted_nets(index, stage)
        instances, grids = [], []
        for k, crossbar in enumerate(stage.crossbars):
            grids += self._grids(crossbar, self.memristor if stage.programmable else "")
            words = self._word_nets(index, k, stage, crossbar, inverted, supplies)
            if stage.sequential:
                back = (crossbar.sign < 0) & (crossbar.line != BIAS)
                fed = words[:, 0, np.roll(back, -1)].reshape(-1).tolist()
                inverted |= dict(zip(fed, words[:, 0, back].reshape(-1).tolist(), strict=True))
            bits = self._bit_nets(stage, crossbar, plus, minus)
            instances.append(_placed(f"xs{index}_k{k}", crossbar, words, bits))
        lanes = _amplified(stage, len(plus))
        out, limiter = self._output(stage.dst, lanes)
        instances += [
            *self._inverters(stage, inverted),
            self._amplifiers(stage, lanes, plus, minus, out),
            *limiter,
        ]
        return StageCells(name, tuple(grids), tuple(instances))

    def _grids(self, crossbar: Crossbar, device: str) -> list[Grids]:
        fresh = []
        for g, number in enumerate(crossbar.definition.tolist()):
            if number not in self.defined:
                self.defined.add(number)
                fresh.append(g)
        if not fresh:
            return []
        names = tuple(definition(int(crossbar.definition[g])) for g in fresh)
        return [Grids(names, crossbar.g[fresh], crossbar.cell, device)]

    def _inverted_nets(self, index: int, stage: Array) -> dict[int, int]:
        """Return the nets of the shared input inverters: {net of an input: net of its inverse}."""
        if not stage.single_ended or stage.sequential:
            return {}
        used: set[int] = set()
        source = self.lanes[stage.src]
        for crossbar in stage.crossbars:
            nets = crossbar.taps.nets()
            used.update(np.unique(source[nets[nets >= 0]]).tolist())
        used.discard(0)
        order = sorted(used)
        fresh = self._add([f"i{index}_{self.nets[net][1:]}" for net in order])
        return dict(zip(order, fresh.tolist(), strict=True))

    def _inverters(self, stage: Array, inverted: dict[int, int]) -> Iterator[Instances]:
        if inverted:
            self._cell(CellDefinition("inverter", "inverter", (("gain", stage.gain),)))
            nets = ints(list(inverted.items()))
            names = tuple(f"xi{self.nets[n][1:]}" for n in nets[:, 1])
            yield Instances(names, nets, ("inverter",) * len(names))

    def _word_nets(
        self,
        index: int,
        k: int,
        stage: Array,
        crossbar: Crossbar,
        inverted: dict[int, int],
        supplies: Ints,
    ) -> Ints:
        """Return the nets of the word lines, (groups, places, word lines).

        In a sequential stage a crossbar is built once (places = 1), and each of its word lines is a
        port of its own: the controller puts the nets of the current place on it (schedule.csv).
        """
        shape = (crossbar.groups, stage.placed(crossbar.places), crossbar.word_lines)
        nets = np.zeros(shape, dtype=np.int32)
        bias = crossbar.line == BIAS
        if stage.sequential:
            # An inverted line is driven by an inverter, which reads the word line before it.
            kinds = ["q" if sign > 0 else "i" for sign in crossbar.sign]
            names = [
                f"{kind}{index}_{k}_{g}_{w}"
                for g in range(shape[0])
                for w, kind in enumerate(kinds)
            ]
            nets[:] = self._add(names).reshape(shape)
        else:
            source = self.lanes[stage.src]
            taps = crossbar.taps.nets()[..., crossbar.line[~bias]]
            words = np.where(taps < 0, 0, source[np.maximum(taps, 0)])
            if inverted:
                table = np.arange(len(self.nets), dtype=np.int32)
                table[list(inverted)] = list(inverted.values())
                words = np.where(crossbar.sign[~bias] < 0, table[words], words)
            nets[..., ~bias] = words
        nets[..., bias] = np.where(crossbar.sign[bias] > 0, supplies[0], supplies[1])
        return ints(nets)

    def _bit_nets(self, stage: Array, crossbar: Crossbar, plus: Ints, minus: Ints) -> Ints:
        """Return the nets of the bit lines, (groups, places, bit lines); 0 if discarded."""
        places = slice(0, stage.placed(crossbar.places))
        lanes = crossbar.sinks.nets(places=places)[..., crossbar.column]
        nodes = np.where(
            crossbar.polarity > 0, plus[np.maximum(lanes, 0)], minus[np.maximum(lanes, 0)]
        )
        return ints(np.where(lanes < 0, 0, nodes))

    def _amplifiers(
        self, stage: Array, lanes: NDArray[np.intp], plus: Ints, minus: Ints, out: Ints
    ) -> Instances:
        names = tuple(f"xa{self.nets[n][1:]}" for n in minus[lanes])
        params = [("r_f", stage.r_f[lanes])]
        single = stage.single_ended
        cell = "tia_single" if single else "tia"
        ports = [minus[lanes], out] if single else [plus[lanes], minus[lanes], out]
        if not single:
            params.append(("r_join", stage.r_join[lanes]))
        if stage.offset is not None:
            cell += "_offset"
            volts = list(zip(("offset_1", "offset_2"), stage.offset[:, lanes], strict=True))
            params += volts[1:] if single else volts
        self._cell(CellDefinition(cell, cell, (("gain", stage.gain),)))
        nets = ints(np.stack(ports, axis=1))
        return Instances(names, nets, (cell,) * len(names), tuple(params))

    def _output(self, bus: str, lanes: NDArray[np.intp]) -> tuple[Ints, list[Instances]]:
        """Return the nets that the amplifiers drive, and the limiters between these and the bus."""
        self.lanes[bus] = clean = self._named("n", bus)
        limit = self.design.buses[bus].limit
        if limit is None:
            return ints(clean[lanes]), []
        raw = self._add([f"r{self.number[bus]}_{lane}" for lane in lanes])
        self._cell(CellDefinition("limiter", "limiter"))
        names = tuple(f"xl{self.number[bus]}_{lane}" for lane in lanes)
        nets = ints(np.stack([raw, clean[lanes]], axis=1))
        return raw, [
            Instances(
                names, nets, ("limiter",) * len(names), (("clip", np.full(len(names), limit)),)
            )
        ]

    def _lane_cells(self, index: int, stage: Lanes) -> Iterator[Instances]:
        """Yield the cells of a stage: of all its lanes, or of those of turn 0 with ports."""
        built = np.arange(0, self.design.buses[stage.dst].width, stage.turns)
        lines = sum(taps.lines for taps in stage.taps)
        if stage.sequential:
            ports = [f"q{index}_{cell}_{k}" for cell in range(len(built)) for k in range(lines)]
            inputs = self._add(ports).reshape(len(built), lines)
        else:
            columns = []
            for src, taps in zip(stage.srcs, stage.taps, strict=True):
                lanes = taps.nets().reshape(-1, taps.lines)
                columns.append(np.where(lanes < 0, 0, self.lanes[src][np.maximum(lanes, 0)]))
            inputs = ints(np.concatenate(columns, axis=1))
        out, limiter = self._output(stage.dst, built)
        cell = self._lane_cell(stage, lines)
        names = tuple(f"xf{self.number[stage.dst]}_{lane}" for lane in built)
        nets = ints(np.concatenate([inputs, out[:, None]], axis=1))
        yield Instances(names, nets, (cell,) * len(names))
        yield from limiter

    def _lane_cell(self, stage: Lanes, ports: int) -> str:
        """Return the cell that computes the stage's function; equal functions share one."""
        values = (("ports", ports), ("expression", lane_function(stage, self.design.buses)))
        for cell in self.cells:
            if cell.values == values:
                return cell.name
        name = f"{stage.circuit.name}{sum(cell.template == 'lane' for cell in self.cells)}"
        return self._cell(CellDefinition(name, "lane", values))

    def _cell(self, cell: CellDefinition) -> str:
        self.cells.setdefault(cell)
        return cell.name

    def _named(self, kind: str, bus: str) -> Ints:
        prefix = f"{kind}{self.number[bus]}_"
        return self._add([f"{prefix}{lane}" for lane in range(self.design.buses[bus].width)])

    def _add(self, names: Sequence[str]) -> Ints:
        first = len(self.nets)
        self.nets.extend(names)
        return ints(np.arange(first, len(self.nets)))


def _amplified(stage: Array, width: int) -> NDArray[np.intp]:
    """Return the lanes that have an amplifier.

    These are all lanes; in a sequential stage those of the first place, because all places use its
    amplifiers in turn.
    """
    if not stage.sequential:
        return np.arange(width)
    nets = [crossbar.sinks.nets(places=slice(0, 1)) for crossbar in stage.crossbars]
    lanes = np.unique(np.concatenate([lane.reshape(-1) for lane in nets]))
    return lanes[lanes >= 0].astype(np.intp)


def _placed(prefix: str, crossbar: Crossbar, words: Ints, bits: Ints) -> Instances:
    groups, places, _ = words.shape
    names = tuple(f"{prefix}_g{g}_p{p}" for g in range(groups) for p in range(places))
    nets = np.concatenate([words, bits], axis=2).reshape(groups * places, -1)
    cells = tuple(definition(int(d)) for d in crossbar.definition for _ in range(places))
    return Instances(names, ints(nets), cells)
