"""The instances that a design has by docs/netlist.md; nothing is taken from the writer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes, Rename


@dataclass(frozen=True)
class ExpectedCard:
    """An instance as it should be in the netlist."""

    name: str
    nodes: tuple[str, ...]
    cell: str
    params: tuple[tuple[str, str], ...] = ()
    word_lines: int = 0

    def port(self, i: int) -> str:
        """Return the name of port `i`."""
        if not self.word_lines:
            return f"port {i}"
        return f"word line {i}" if i < self.word_lines else f"bit line {i - self.word_lines}"


def expected_cards(design: Design, lane_cells: Mapping[str, str]) -> Iterator[ExpectedCard]:
    """Yield every instance of the top netlist.

    lane_cells: the cell of each Lanes stage, by the stage's bus.
    """
    number = {name: b for b, name in enumerate(design.buses)}
    for s, stage in enumerate(design.stages):
        if isinstance(stage, Array):
            yield from Placement(design, number, s, stage).cards()
        elif isinstance(stage, Lanes):
            yield from _lanes(design, number, s, stage, lane_cells[stage.dst])


def bus_nets(design: Design, number: dict[str, int], bus: str) -> list[str]:
    """Return the nets of a bus, lane by lane; a renaming stage has the nets of its sources."""
    stage = design.driver(bus)
    if isinstance(stage, Rename):
        sources = [net for src in stage.srcs for net in bus_nets(design, number, src)]
        return ["0" if lane < 0 else sources[lane] for lane in stage.index.tolist()]
    return [f"n{number[bus]}_{lane}" for lane in range(design.buses[bus].width)]


class Placement:
    """One array: its crossbars, inverters, amplifiers and limiters, and their nets."""

    def __init__(self, design: Design, number: dict[str, int], s: int, stage: Array) -> None:
        self.design, self.s, self.stage = design, s, stage
        self.b = number[stage.dst]
        self.sources = bus_nets(design, number, stage.src)
        self.sequential = stage.sequential
        self.inverters: dict[str, str] = {}

    def cards(self) -> Iterator[ExpectedCard]:
        """Yield every instance of the stage."""
        lanes: set[int] = set()
        for k, crossbar in enumerate(self.stage.crossbars):
            for g in range(crossbar.groups):
                yield from self._placed(k, g, crossbar, lanes)
        for source, inverse in self.inverters.items():
            yield ExpectedCard(f"x{inverse}", (source, inverse), "inverter")
        wanted = sorted(lanes) if self.sequential else range(len(self.stage.r_f))
        for lane in wanted:
            yield from self._amplifier(lane)

    def _placed(
        self, k: int, g: int, crossbar: Crossbar, lanes: set[int]
    ) -> Iterator[ExpectedCard]:
        places = self.places(crossbar)
        taps = crossbar.taps.nets(slice(g, g + 1), slice(0, places))[0].tolist()
        sinks = crossbar.sinks.nets(slice(g, g + 1), slice(0, places))[0].tolist()
        column, polarity = crossbar.column.tolist(), crossbar.polarity.tolist()
        cell = f"xb{crossbar.definition[g]}"
        for p in range(places):
            words = self._words(k, g, crossbar, taps[p])
            bits = [self.bit(sinks[p][c], plus) for c, plus in zip(column, polarity, strict=True)]
            lanes.update(lane for lane in sinks[p] if lane >= 0)
            yield ExpectedCard(f"xs{self.s}_k{k}_g{g}_p{p}", (*words, *bits), cell, (), len(words))

    def _words(self, k: int, g: int, crossbar: Crossbar, taps: list[int]) -> list[str]:
        nets = []
        for w, (line, sign) in enumerate(
            zip(crossbar.line.tolist(), crossbar.sign.tolist(), strict=True)
        ):
            source, net = self.word(f"{k}_{g}", w, sign, None if line == BIAS else taps[line])
            if net != source:
                self.inverters[source] = net
            nets.append(net)
        return nets

    def word(self, block: str, w: int, sign: int, tap: int | None) -> tuple[str, str]:
        """Return the source net of word line `w` of a block, and the net of the word line itself.

        The two differ if an inverter is between them. tap: the lane of the source bus, None for a
        bias line.
        """
        if tap is None:
            source = f"vbias{'n' if sign < 0 else ''}{self.s}"
            return source, source
        if self.sequential:
            source = f"q{self.s}_{block}_{w if sign > 0 else w - 1}"
            inverse = f"i{self.s}_{block}_{w}"
        else:
            source = self.source(tap)
            inverse = f"i{self.s}_{source[1:]}"
        return source, source if sign > 0 or source == "0" else inverse

    def source(self, tap: int) -> str:
        """Return the net of a lane of the source bus."""
        return "0" if tap < 0 else self.sources[tap]

    def bit(self, lane: int, polarity: int) -> str:
        """Return the net of a bit line that ends at a lane; a discarded one is grounded."""
        return "0" if lane < 0 else f"{'p' if polarity > 0 else 'm'}{self.b}_{lane}"

    def places(self, crossbar: Crossbar) -> int:
        """Return how often each block of a stack is in the netlist."""
        return 1 if self.sequential else crossbar.places

    def _amplifier(self, lane: int) -> Iterator[ExpectedCard]:
        stage, at = self.stage, f"{self.b}_{lane}"
        limit = self.design.buses[stage.dst].limit
        out = f"n{at}" if limit is None else f"r{at}"
        single = stage.single_ended
        cell, nodes = ("tia_single", ()) if single else ("tia", (f"p{at}",))
        params = {"r_f": stage.r_f[lane]}
        if not single:
            params["r_join"] = stage.r_join[lane]
        if stage.offset is not None:
            cell += "_offset"
            first, second = stage.offset[:, lane]
            params |= {"offset_2": second} if single else {"offset_1": first, "offset_2": second}
        words = tuple((name, f"{value:.9e}") for name, value in params.items())
        yield ExpectedCard(f"xa{at}", (*nodes, f"m{at}", out), cell, words)
        yield from _limiter(at, limit)


def lane_inputs(design: Design, number: dict[str, int], stage: Lanes) -> list[list[str]]:
    """Return the nets that each lane of a stage reads."""
    inputs = list[list[list[str]]]()
    for src, taps in zip(stage.srcs, stage.taps, strict=True):
        nets = bus_nets(design, number, src)
        inputs.append(
            [
                ["0" if lane < 0 else nets[lane] for lane in lanes]
                for lanes in np.concatenate(list(taps.nets())).tolist()
            ]
        )
    return [[net for part in parts for net in part] for parts in zip(*inputs, strict=True)]


def lane_ports(s: int, stage: Lanes, cell: int) -> list[str]:
    """Return the input ports of a cell at which lanes take turns. s: number of the stage."""
    return [f"q{s}_{cell}_{k}" for k in range(sum(taps.lines for taps in stage.taps))]


def _lanes(
    design: Design, number: dict[str, int], s: int, stage: Lanes, cell: str
) -> Iterator[ExpectedCard]:
    inputs = lane_inputs(design, number, stage)
    limit = design.buses[stage.dst].limit
    for lane in range(0, design.buses[stage.dst].width, stage.turns):
        at = f"{number[stage.dst]}_{lane}"
        turns = stage.turns > 1
        nodes = lane_ports(s, stage, lane // stage.turns) if turns else inputs[lane]
        out = f"n{at}" if limit is None else f"r{at}"
        yield ExpectedCard(f"xf{at}", (*nodes, out), cell)
        yield from _limiter(at, limit)


def stage_word(index: int, name: str) -> str:
    """Return a stage's name in docs/netlist.md: its number and its name in plain letters."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:24].strip("_")
    return f"s{index:02d}_{plain or 'x'}"


def _limiter(at: str, limit: float | None) -> Iterator[ExpectedCard]:
    if limit is not None:
        yield ExpectedCard(f"xl{at}", (f"r{at}", f"n{at}"), "limiter", (("clip", f"{limit:.9e}"),))
