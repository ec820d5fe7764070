"""Compare the devices of crossbar definitions with the design's conductances."""

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
    """Yield every device of a stack's blocks that differs from the design.

    cell: the cell that each device is an instance of, "" for resistors.
    """
    rows, columns = np.nonzero(crossbar.cell >= 0)
    places = rows * crossbar.bit_lines + columns
    for group, number in enumerate(crossbar.definition.tolist()):
        written = netlist.definitions.get(f"xb{number}")
        if written is None:
            yield Difference(netlist.file, 0, f"xb{number}", "a definition", "missing")
            continue
        if len(written.devices.ohms) and written.devices.cell != cell:
            want, have = (name or "resistors" for name in (cell, written.devices.cell))
            yield Difference(written.file, written.line, f"{written.name} devices", want, have)
        for card in written.others:
            yield Difference(written.file, card.line, written.name, "devices only", card.text[:60])
        order, wrong = _ports(written, crossbar)
        yield from wrong
        if order is not None:
            g = crossbar.g[group, crossbar.cell[rows, columns]]
            # A conductance of 0 has no device: a broken line, or a cell that does not conduct.
            ohms = _printed(1.0 / g[g > 0])
            yield from _Block(written, crossbar, order).differences(places[g > 0], ohms)


def _printed(ohms: Floats) -> Floats:
    """Return the numbers as %.9e prints them."""
    return np.array([float(f"{value:.9e}") for value in ohms.tolist()])


def _ports(written: Definition, crossbar: Crossbar) -> tuple[Ints | None, list[Difference]]:
    """Return the line that each port is by its name (word lines, then bit lines), and differences.

    The lines are None if the ports are not exactly the lines of the design.
    """
    words, bits = crossbar.word_lines, crossbar.bit_lines
    wanted = {("w", i): i for i in range(words)} | {("c", j): words + j for j in range(bits)}
    lines = [wanted.get(_port(name), -1) for name in written.ports]
    if sorted(lines) != list(range(words + bits)):
        want = f"ports of {words} word lines and {bits} bit lines"
        have = f"{len(written.ports)} ports: {' '.join(written.ports)[:60]}"
        return None, [Difference(written.file, written.line, written.name, want, have)]
    titles = [f"word line {i}" for i in range(words)] + [f"bit line {j}" for j in range(bits)]
    wrong = [
        Difference(written.file, written.line, f"{written.name} port {i}", titles[i], name)
        for i, (name, line) in enumerate(zip(written.ports, lines, strict=True))
        if line != i
    ]
    return np.array(lines, np.intp), wrong


def _port(name: str) -> tuple[str, int]:
    number = re.fullmatch(r"([wc])(\d{1,9})", name)
    return (number[1], int(number[2])) if number else ("", -1)


class _Block:
    """The devices of one definition. A cell's number is word line * bit lines + bit line."""

    def __init__(self, found: Definition, crossbar: Crossbar, order: Ints) -> None:
        self.found, self.devices = found, found.devices
        self.words, self.bits = crossbar.word_lines, crossbar.bit_lines
        nodes = np.stack([self.devices.first, self.devices.second])
        lines = np.where(nodes < 0, -1, order[nodes])
        # A resistor may be written in either direction.
        word, bit = lines.min(axis=0), lines.max(axis=0)
        crossing = (word >= 0) & (word < self.words) & (bit >= self.words)
        #: The cell that each device is at by its nets, -1 if they are not a word and a bit line.
        self.at = np.where(crossing, word * self.bits + bit - self.words, -1)
        row, column = self.devices.row, self.devices.column
        inside = (row >= 0) & (row < self.words) & (column < self.bits)
        #: The cell that each device belongs to by its name, -1 for another name.
        self.named = np.where(inside, row * self.bits + column, -1)

    def differences(self, places: Ints, ohms: Floats) -> Iterator[Difference]:
        """Yield differences from devices of `ohms` at the cells `places`, ascending."""
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
        """Yield the differences of a device at a known cell, and remove the cell from `wanted`."""
        ohm, have = wanted.pop(cell, None), self.devices.ohms[i]
        if ohm is None:
            yield self._says(i, cell, "no (second) device", f"{have:.9e} ohm")
        elif ohm != have:
            yield self._says(i, cell, f"{ohm:.9e} ohm", f"{have:.9e} ohm")

    def _stray(self, i: int, wanted: dict[int, float]) -> Iterator[Difference]:
        """Yield differences of a device whose name and nets disagree: moved, or only misnamed."""
        at, named = int(self.at[i]), int(self.named[i])
        name, first, second, _ = self.devices.words(i)
        location = self._cell(at) if at >= 0 else f"{first} to {second}"
        if named not in wanted and at not in wanted:
            yield self._says(i, None, "no such device", location)
            return
        misnamed = at in wanted and (named not in wanted or wanted[at] == self.devices.ohms[i])
        if misnamed:
            yield self._says(i, None, f"another name, for it stands at {location}", name.upper())
        else:
            yield self._says(i, None, self._cell(named), location)
        yield from self._device(i, at if misnamed else named, wanted)

    def _says(self, i: int, cell: int | None, expected: str, found: str) -> Difference:
        where = f"{self.found.name} {self.devices.words(i)[0].upper()}"
        if cell is not None:
            where += f": {self._cell(cell)}"
        line = int(self.devices.lines[i])
        return Difference(self.found.file, line, where, expected, found)

    def _cell(self, cell: int) -> str:
        return f"word line {cell // self.bits}, bit line {cell % self.bits}"
