"""The devices of the crossbar definitions against the design's conductances."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import Crossbar
from memxc.lvs.difference import Difference
from memxc.netlist_reader import Definition, Netlist

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]


def differences(crossbar: Crossbar, netlist: Netlist, cell: str = "") -> Iterator[Difference]:
    """Every device of every block of a stack that is not as the design has it.

    cell: what each is an instance of, "" for a resistor.
    """
    rows, columns = np.nonzero(crossbar.cell >= 0)
    places = rows * crossbar.bit_lines + columns
    for group, number in enumerate(crossbar.definition.tolist()):
        found = netlist.definitions.get(f"xb{number}")
        if found is None:
            yield Difference(netlist.file, 0, f"xb{number}", "a definition", "missing")
            continue
        if len(found.devices.ohms) and found.devices.cell != cell:
            want, have = (name or "resistors" for name in (cell, found.devices.cell))
            yield Difference(found.file, found.line, f"{found.name} devices", want, have)
        for card in found.others:
            yield Difference(found.file, card.line, found.name, "devices only", card.text[:60])
        order, wrong = _ports(found, crossbar)
        yield from wrong
        if order is not None:
            g = crossbar.g[group, crossbar.cell[rows, columns]]
            # No conductance, no device: a broken line, or a cell that cannot conduct.
            ohms = _printed(1.0 / g[g > 0])
            yield from _Block(found, crossbar, order).differences(places[g > 0], ohms)


def _printed(ohms: Floats) -> Floats:
    """The numbers that %.9e would print."""
    return np.array([float(f"{value:.9e}") for value in ohms.tolist()])


def _ports(found: Definition, crossbar: Crossbar) -> tuple[Ints | None, list[Difference]]:
    """The line that each port is by its name (word lines, then bit lines), and what is wrong.

    No lines where the ports are not one for each line of the design.
    """
    words, bits = crossbar.word_lines, crossbar.bit_lines
    wanted = {("w", i): i for i in range(words)} | {("c", j): words + j for j in range(bits)}
    lines = [wanted.get(_port(name), -1) for name in found.ports]
    if sorted(lines) != list(range(words + bits)):
        want = f"ports of {words} word lines and {bits} bit lines"
        have = f"{len(found.ports)} ports: {' '.join(found.ports)[:60]}"
        return None, [Difference(found.file, found.line, found.name, want, have)]
    wrong = [
        Difference(found.file, found.line, f"{found.name} port {i}", _line(i, words), name)
        for i, (name, line) in enumerate(zip(found.ports, lines, strict=True))
        if line != i
    ]
    return np.array(lines, np.intp), wrong


def _port(name: str) -> tuple[str, int]:
    number = re.fullmatch(r"([wc])(\d{1,9})", name)
    return (number[1], int(number[2])) if number else ("", -1)


def _line(port: int, words: int) -> str:
    return f"word line {port}" if port < words else f"bit line {port - words}"


class _Block:
    """The devices of one definition; a cell is word line * bit lines + bit line."""

    def __init__(self, found: Definition, crossbar: Crossbar, order: Ints) -> None:
        self.found, self.devices = found, found.devices
        self.words, self.bits = crossbar.word_lines, crossbar.bit_lines
        nodes = np.stack([self.devices.first, self.devices.second])
        lines = np.where(nodes < 0, -1, order[nodes])
        # A resistor has no direction.
        word, bit = lines.min(axis=0), lines.max(axis=0)
        crossing = (word >= 0) & (word < self.words) & (bit >= self.words)
        #: The cell that each device is at by its nets, -1 for none.
        self.at = np.where(crossing, word * self.bits + bit - self.words, -1)
        row, column = self.devices.row, self.devices.column
        inside = (row >= 0) & (row < self.words) & (column < self.bits)
        #: The cell that each device is of by its name, -1 for none.
        self.named = np.where(inside, row * self.bits + column, -1)

    def differences(self, places: Ints, ohms: Floats) -> Iterator[Difference]:
        """Against the cells `places` with devices of `ohms`, ascending."""
        have = self.devices.ohms
        if len(self.at) == len(places) and (self.at == places).all():
            wrong = (have != ohms) | (self.named != places)
            if not wrong.any():
                return
        wanted = dict(zip(places.tolist(), ohms.tolist(), strict=True))
        right = (self.at >= 0) & (self.at == self.named)
        for i in np.flatnonzero(right).tolist():
            yield from self._device(i, int(self.at[i]), wanted)
        for i in np.flatnonzero(~right).tolist():
            yield from self._stray(i, wanted)
        for cell, ohm in wanted.items():
            where = f"{self.found.name} {self._cell(cell)}"
            yield Difference(self.found.file, self.found.line, where, f"{ohm:.9e} ohm", "missing")

    def _device(self, i: int, cell: int, wanted: dict[int, float]) -> Iterator[Difference]:
        """A device that is of a cell; the cell is taken from `wanted`."""
        ohm, have = wanted.pop(cell, None), self.devices.ohms[i]
        if ohm is None:
            yield self._says(i, cell, "no (second) device", f"{have:.9e} ohm")
        elif ohm != have:
            yield self._says(i, cell, f"{ohm:.9e} ohm", f"{have:.9e} ohm")

    def _stray(self, i: int, wanted: dict[int, float]) -> Iterator[Difference]:
        """A device whose name and nets are not of one cell: moved, or only misnamed."""
        at, named = int(self.at[i]), int(self.named[i])
        name, first, second, _ = self.devices.words(i)
        stands = self._cell(at) if at >= 0 else f"{first} to {second}"
        if named not in wanted and at not in wanted:
            yield self._says(i, None, "no such device", stands)
            return
        misnamed = at in wanted and (named not in wanted or wanted[at] == self.devices.ohms[i])
        if misnamed:
            yield self._says(i, None, f"another name, for it stands at {stands}", name.upper())
        else:
            yield self._says(i, None, self._cell(named), stands)
        yield from self._device(i, at if misnamed else named, wanted)

    def _says(self, i: int, cell: int | None, expected: str, found: str) -> Difference:
        where = f"{self.found.name} {self.devices.words(i)[0].upper()}"
        if cell is not None:
            where += f": {self._cell(cell)}"
        line = int(self.devices.lines[i])
        return Difference(self.found.file, line, where, expected, found)

    def _cell(self, cell: int) -> str:
        return f"word line {cell // self.bits}, bit line {cell % self.bits}"
