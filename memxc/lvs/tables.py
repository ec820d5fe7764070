"""Compare mapping.csv and schedule.csv, row by row, with what docs/netlist.md says.

Expected rows are derived from the design while those of the file are read. Only rows that do not
match at once are kept, because a schedule may have millions. The order of rows does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from memxc import netlist_reader
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS
from memxc.ir.stages import Array, Lanes
from memxc.lvs.difference import Difference
from memxc.lvs.expected import Placement, lane_inputs, lane_ports, stage_word
from memxc.netlist_reader import Netlist, Row


@dataclass
class CsvTable:
    """A table under comparison.

    key: the cells that name a row. where: these cells in words. count: number of expected rows.
    """

    name: str
    head: Row
    key: slice
    where: str
    count: int = 0
    differences: list[Difference] = field(default_factory=list)

    def compare(self, wanted: Iterable[Row], found: Iterable[tuple[int, Row]]) -> None:
        """Compare the expected rows with the rows of the file, each of these with its line."""
        missing: dict[Row, Row] = {}
        extra: dict[Row, tuple[int, Row]] = {}
        for want, have in zip_longest(wanted, found):
            self.count += want is not None
            if want is not None and have is not None and want == have[1]:
                continue
            if want is not None:
                missing[want[self.key]] = want
                self._meet(want[self.key], missing, extra)
            if have is not None:
                key = have[1][self.key]
                if key in extra:
                    self._says(have[0], key, "no (second) row", ",".join(have[1]))
                extra.setdefault(key, have)
                self._meet(key, missing, extra)
        for key, row in missing.items():
            self._says(0, key, ",".join(row), "missing")
        for key, (line, row) in extra.items():
            self._says(line, key, "no (second) row", ",".join(row))

    def _meet(self, key: Row, missing: dict[Row, Row], extra: dict[Row, tuple[int, Row]]) -> None:
        """Compare the two rows with one key once both are known."""
        if key in missing and key in extra:
            want, (line, have) = missing.pop(key), extra.pop(key)
            for column, right, cell in zip(self.head, want, have, strict=True):
                if right != cell:
                    self._says(line, key, right, cell, f" {column}")

    def _says(self, line: int, key: Row, expected: str, found: str, what: str = "") -> None:
        where = self.where.format(*key) + what
        self.differences.append(Difference(self.name, line, where, expected, found))


def mapping(design: Design, netlist: Netlist, folder: Path) -> CsvTable:
    """Compare mapping.csv of an output folder, and return the table with its differences."""
    head = (
        "stage", "tile", "made_of", "rows", "columns", "first_row_net", "first_column_net", "file",
        "subckt", "driven",
    )  # fmt: skip
    table = CsvTable("mapping.csv", head, slice(1, 2), "{0}")
    suffixes = {path.suffix for path in (folder / "netlist").glob("*.*")}
    files = {
        name: _plain(f"netlist/{definition.file}", suffixes)
        for name, definition in netlist.definitions.items()
    }
    file = head.index("file")
    found = (
        (line, (*row[:file], _plain(row[file], suffixes), *row[file + 1 :]))
        for line, row in netlist_reader.rows(folder / table.name, head)
    )
    table.compare(_tiles(design, files), found)
    return table


def schedule(design: Design, folder: Path) -> CsvTable:
    """Compare schedule.csv of an output folder, and return the table with its differences."""
    head = ("stage", "period", "port", "net", "count", "step")
    table = CsvTable("schedule.csv", head, slice(0, 3), "{0} period {1} {2}")
    table.compare(_turns(design), netlist_reader.rows(folder / table.name, head))
    return table


def _plain(file: str, suffixes: set[str]) -> str:
    """Return a netlist file's name without its dialect's suffix.

    The table names the files of the first dialect only.
    """
    stem, dot, suffix = file.rpartition(".")
    return stem if dot + suffix in suffixes else file


def _tiles(design: Design, files: dict[str, str]) -> Iterator[Row]:
    """Yield the row of each placed crossbar. files: the file of each definition."""
    for name, placement in _arrays(design):
        stage = placement.stage
        for k, crossbar in enumerate(stage.crossbars):
            line, sign = int(crossbar.line[0]), int(crossbar.sign[0])
            sizes = stage.cell, str(crossbar.word_lines), str(crossbar.bit_lines)
            places = slice(0, placement.places(crossbar))
            for g, number in enumerate(crossbar.definition.tolist()):
                block = slice(g, g + 1)
                taps = crossbar.taps.nets(block, places)[0]
                lanes = crossbar.sinks.nets(block, places)[0, :, crossbar.column[0]]
                at = files.get(f"xb{number}", "none, it is not defined"), f"xb{number}", stage.drive
                for p, lane in enumerate(lanes.tolist()):
                    tap = None if line == BIAS else int(taps[p, line])
                    _, word = placement.word(f"{k}_{g}", 0, sign, tap)
                    bit = placement.bit(lane, int(crossbar.polarity[0]))
                    yield name, f"xs{placement.s}_k{k}_g{g}_p{p}", *sizes, word, bit, *at


def _turns(design: Design) -> Iterator[Row]:
    """Yield the rows of the sequential stages: the runs of each port, port after port."""
    number = {name: b for b, name in enumerate(design.buses)}
    for s, stage in enumerate(design.stages):
        carried: dict[str, list[tuple[int, str]]] = {}
        if isinstance(stage, Array) and stage.sequential:
            placement = Placement(design, number, s, stage)
            for period in range(max(c.places for c in stage.crossbars)):
                for port, net in _turn(placement, period):
                    carried.setdefault(port, []).append((period, net))
        elif isinstance(stage, Lanes) and stage.turns > 1:
            for period, port, net in _lane_turns(design, number, s, stage):
                carried.setdefault(port, []).append((period, net))
        # Inputs come before outputs, each in the order of their names' numbers.
        for port in sorted(carried, key=lambda port: port.startswith("n")):
            for period, net, count, step in _runs(carried[port]):
                yield stage_word(s, stage.name), f"{period}", port, net, f"{count}", f"{step}"


def _runs(carried: list[tuple[int, str]]) -> Iterator[tuple[int, str, int, int]]:
    """Yield first period, net, number of periods and step of each run, which is as long as can be.

    A run goes on while periods follow each other and nets of one bus are equally far apart.
    """
    at = 0
    while at < len(carried):
        period, net = carried[at]
        count, step = 1, 0
        while at + count < len(carried):
            after, then = carried[at + count]
            apart = _apart(carried[at + count - 1][1], then)
            if after != period + count or apart is None or (count > 1 and apart != step):
                break
            step, count = apart, count + 1
        yield period, net, count, step
        at += count


def _apart(one: str, other: str) -> int | None:
    """Return how many lanes two nets are apart, or None if they are of different buses."""
    bus, _, lane = one.partition("_")
    other_bus, _, other_lane = other.partition("_")
    if bus != other_bus:
        return None
    return int(other_lane) - int(lane) if lane else 0


def _turn(placement: Placement, period: int) -> Iterator[tuple[str, str]]:
    now, outputs = slice(period, period + 1), dict[str, str]()
    for k, crossbar in enumerate(placement.stage.crossbars):
        lines = zip(crossbar.line.tolist(), crossbar.sign.tolist(), strict=True)
        fed = [(w, line) for w, (line, sign) in enumerate(lines) if line != BIAS and sign > 0]
        if period >= crossbar.places:
            # Other crossbars of the stage still have places; this one's lines are grounded.
            for g in range(crossbar.groups):
                yield from ((f"q{placement.s}_{k}_{g}_{w}", "0") for w, _ in fed)
            continue
        for g, taps in enumerate(crossbar.taps.nets(places=now)[:, 0].tolist()):
            for w, line in fed:
                yield f"q{placement.s}_{k}_{g}_{w}", placement.source(taps[line])
        amplifiers = crossbar.sinks.nets(places=slice(0, 1)).reshape(-1).tolist()
        lanes = crossbar.sinks.nets(places=now).reshape(-1).tolist()
        for amplifier, lane in zip(amplifiers, lanes, strict=True):
            if amplifier >= 0 and lane >= 0:
                # Row parts end at one amplifier with one output, so a dict keeps it once.
                outputs[f"n{placement.b}_{amplifier}"] = f"n{placement.b}_{lane}"
    yield from outputs.items()


def _lane_turns(
    design: Design, number: dict[str, int], s: int, stage: Lanes
) -> Iterator[tuple[int, str, str]]:
    """Yield period, port and net: in turn t, cell c computes lane c x turns + t."""
    inputs, bus = lane_inputs(design, number, stage), f"n{number[stage.dst]}"
    cells = len(inputs) // stage.turns
    for turn in range(stage.turns):
        for cell in range(cells):
            lane = cell * stage.turns + turn
            for port, net in zip(lane_ports(s, stage, cell), inputs[lane], strict=True):
                yield turn, port, net
        for cell in range(cells):
            first = cell * stage.turns
            yield turn, f"{bus}_{first}", f"{bus}_{first + turn}"


def _arrays(design: Design) -> Iterator[tuple[str, Placement]]:
    """Yield each array with its name in the tables: its number, and its name in plain letters."""
    number = {name: b for b, name in enumerate(design.buses)}
    for s, stage in enumerate(design.stages):
        if isinstance(stage, Array):
            yield stage_word(s, stage.name), Placement(design, number, s, stage)
