"""The definitions of a netlist folder, read from its files: what verify simulates is what is
written there, not what memxc remembers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail, why
from memxc.ir.stages import Drive
from memxc.physics.nodal import Wires

Floats = NDArray[np.float64]
#: Cells of a line: how many segments from its port, and (row, column).
Cells = list[tuple[int, tuple[int, int]]]

_SUBCKT = re.compile(r"^\.subckt\s+(\S+)(.*?)^\.ends[^\n]*\n", re.M | re.S | re.I)
#: A resistor, or an instance of the cell that the memristors are.
_DEVICE = re.compile(r"^[RX](\d+)_(\d+)\s+\S+\s+\S+\s+(?:(\S+)\s+r\s*=\s*)?(\S+)$", re.M | re.I)


@dataclass(frozen=True, eq=False)
class Library:
    """Every `.subckt` of the files under cells/, as text by lower-case name."""

    definitions: dict[str, str]

    def text(self, names: Iterable[str]) -> str:
        """The definitions by these names, each once."""
        return "".join(self.definition(name) for name in dict.fromkeys(names))

    def definition(self, name: str) -> str:
        """One definition. Raises MemxcError (bad-design) where the netlist lacks it."""
        found = self.definitions.get(name.lower())
        if found is None:
            raise fail("bad-design", "netlist/cells", f"no definition of {name}", "compile again")
        return found

    def conductance(self, name: str, shape: tuple[int, int]) -> Floats:
        """The conductances of a crossbar definition as written, (word lines, bit lines) S."""
        g = np.zeros(shape)
        for row, column, _, ohms in _DEVICE.findall(self.definition(name)):
            try:
                g[int(row), int(column)] += 1 / float(ohms)
            except (ValueError, IndexError, ZeroDivisionError) as error:
                raise fail("bad-design", name, f"device R{row}_{column} {ohms}: {error}") from error
        return g

    def cell(self, name: str) -> str:
        """What the devices of a crossbar definition are instances of; "" for resistors."""
        found = _DEVICE.search(self.definition(name))
        return found[3] or "" if found else ""

    def periphery(self) -> str:
        """All cells that are not crossbars."""
        return "".join(text for name, text in self.definitions.items() if not _is_crossbar(name))


def read(netlist: Path) -> Library:
    """The library of DIR/netlist; empty where the network is nothing but wires."""
    definitions: dict[str, str] = {}
    for path in sorted((netlist / "cells").glob("*")):
        try:
            text = path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise fail("bad-design", str(path), f"cannot be read: {why(error)}") from error
        for match in _SUBCKT.finditer(text):
            definitions[match[1].lower()] = match[0]
    return Library(definitions)


def wired(name: str, g: Floats, wires: Wires, drive: Drive = "left", cell: str = "") -> str:
    """A crossbar definition with its wires: the same ports, the same devices.

    Word line i is driven at its first column or at both ends, bit line j read past its last row,
    one segment beyond the outermost cell (the convention of physics.nodal). Segments in series,
    with no device between them, are one resistor; what lies beyond the last device of a line
    carries nothing and is left out. cell: what a device is an instance of, "" for a resistor.
    """
    rows, columns = g.shape
    ports = [f"w{i}" for i in range(rows)] + [f"c{j}" for j in range(columns)]
    head = "\n+ ".join(" ".join(ports[i : i + 12]) for i in range(0, len(ports), 12))
    cards = [f".subckt {name} {head}"]
    node: dict[tuple[str, int, int], str] = {}

    def chain(kind: str, port: str, end: float, step: float, cells: Cells) -> None:
        """A line from its port past its cells; `end` are the ohms before its first segment."""
        before, past = port, 0
        for segments, (i, j) in cells:
            ohms, node[kind, i, j] = end + (segments - past) * step, f"{kind}{i}_{j}"
            # No resistance: both ends are one node, so the far one takes the near one's name.
            if ohms:
                cards.append(f"R{kind}{i}_{j} {before} {kind}{i}_{j} {ohms:.9e}")
            else:
                node[kind, i, j] = before
            before, past, end = node[kind, i, j], segments, 0.0

    for i in range(rows):
        found = np.flatnonzero(g[i]).tolist()
        chain("w", f"w{i}", wires.source, wires.word_line, [(j + 1, (i, j)) for j in found])
        ohms = wires.source + (columns - found[-1]) * wires.word_line if found else 0.0
        if drive == "both" and ohms:
            cards.append(f"Rx{i} w{i} {node['w', i, found[-1]]} {ohms:.9e}")
    for j in range(columns):
        found = np.flatnonzero(g[:, j]).tolist()[::-1]
        chain("b", f"c{j}", wires.neuron, wires.bit_line, [(rows - i, (i, j)) for i in found])
    kind, value = ("X", f"{cell} r=") if cell else ("R", "")
    cards += [
        f"{kind}{i}_{j} {node['w', i, j]} {node['b', i, j]} {value}{1 / g[i, j]:.9e}"
        for i, j in zip(*np.nonzero(g), strict=True)
    ]
    return "\n".join([*cards, f".ends {name}", ""])


def _is_crossbar(name: str) -> bool:
    return re.fullmatch(r"xb\d+", name) is not None
