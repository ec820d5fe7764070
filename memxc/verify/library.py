"""The definitions of a netlist, as `netlist_reader` read them.

verify simulates what the netlist says and not what memxc remembers, and an engine gets no text that
was not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail
from memxc.ir.stages import Drive
from memxc.netlist_reader import Definition, Netlist
from memxc.physics.network.nodal import WireResistance

Floats = NDArray[np.float64]
#: Names of crossbar definitions, by docs/netlist.md.
_CROSSBAR = re.compile(r"xb\d+")
#: Cells of a line: the number of segments from its port, and (row, column).
Cells = list[tuple[int, tuple[int, int]]]


@dataclass(frozen=True, eq=False)
class Library:
    """The definitions of a netlist by lower-case name, and the cards that they share."""

    definitions: Mapping[str, Definition]
    shared: tuple[str, ...] = ()

    @classmethod
    def of(cls, netlist: Netlist) -> Library:
        """Return the library of a netlist; of two definitions with one name it has the first."""
        return cls(netlist.definitions, tuple(card.text for card in netlist.shared))

    def text(self, names: Iterable[str]) -> str:
        """Return the text of these definitions, each once."""
        return "".join(self.definition(name).text for name in dict.fromkeys(names))

    def definition(self, name: str) -> Definition:
        """Return one definition. Raises MemxcError (bad-design) if the netlist lacks it."""
        entry = self.definitions.get(name.lower())
        if entry is None:
            raise fail("bad-design", "netlist/cells", f"no definition of {name}", "compile again")
        return entry

    def conductance(self, name: str, shape: tuple[int, int]) -> Floats:
        """Return the conductances that a crossbar definition has, (word lines, bit lines) S."""
        g, devices = np.zeros(shape), self.definition(name).devices
        inside = (devices.row >= 0) & (devices.row < shape[0]) & (devices.column < shape[1])
        for i in np.flatnonzero(~inside | (devices.ohms == 0))[:1].tolist():
            what = f"device {' '.join(devices.words(i))} is not one of {shape[0]} x {shape[1]}"
            raise fail("bad-design", name, what)
        np.add.at(g, (devices.row, devices.column), 1 / devices.ohms)
        return g

    def cell(self, name: str) -> str:
        """Return the cell of a crossbar definition's devices, "" for resistors."""
        return self.definition(name).devices.cell

    def periphery(self) -> str:
        """Return all cells that are not crossbars, and what they share."""
        shared = "".join(f"{card}\n" for card in self.shared)
        cells = (d.text for name, d in self.definitions.items() if not _CROSSBAR.fullmatch(name))
        return shared + "".join(cells)


def wired(
    name: str, g: Floats, wires: WireResistance, drive: Drive = "left", cell: str = ""
) -> str:
    """Return a crossbar definition with its wires: the same ports and the same devices.

    The convention is that of physics.nodal: word line i is driven at its first column or at both
    ends, bit line j is read past its last row, with one segment beyond the outermost cell. Segments
    in series with no device between them become one resistor. What lies beyond the last device of a
    line carries no current and is left out. cell: the cell of the devices, "" for resistors.
    """
    rows, columns = g.shape
    ports = [f"w{i}" for i in range(rows)] + [f"c{j}" for j in range(columns)]
    head = "\n+ ".join(" ".join(ports[i : i + 12]) for i in range(0, len(ports), 12))
    cards = [f".subckt {name} {head}"]
    node: dict[tuple[str, int, int], str] = {}

    def chain(kind: str, port: str, end: float, step: float, cells: Cells) -> None:
        """Add a line from its port past its cells; `end` are the ohms before its first segment."""
        before, past = port, 0
        for segments, (i, j) in cells:
            ohms, node[kind, i, j] = end + (segments - past) * step, f"{kind}{i}_{j}"
            # Without resistance both ends are one node, so the far one gets the near one's name.
            if ohms:
                cards.append(f"R{kind}{i}_{j} {before} {kind}{i}_{j} {ohms:.9e}")
            else:
                node[kind, i, j] = before
            before, past, end = node[kind, i, j], segments, 0.0

    for i in range(rows):
        used = np.flatnonzero(g[i]).tolist()
        chain("w", f"w{i}", wires.source, wires.word_line, [(j + 1, (i, j)) for j in used])
        ohms = wires.source + (columns - used[-1]) * wires.word_line if used else 0.0
        if drive == "both" and ohms:
            cards.append(f"Rx{i} w{i} {node['w', i, used[-1]]} {ohms:.9e}")
    for j in range(columns):
        used = np.flatnonzero(g[:, j]).tolist()[::-1]
        chain("b", f"c{j}", wires.neuron, wires.bit_line, [(rows - i, (i, j)) for i in used])
    kind, value = ("X", f"{cell} r=") if cell else ("R", "")
    cards += [
        f"{kind}{i}_{j} {node['w', i, j]} {node['b', i, j]} {value}{1 / g[i, j]:.9e}"
        for i, j in zip(*np.nonzero(g), strict=True)
    ]
    return "\n".join([*cards, f".ends {name}", ""])
