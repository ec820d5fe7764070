"""The definitions of a netlist folder, read from its files: what verify simulates is what is
written there, not what memxc remembers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail
from memxc.physics.nodal import Wires

Floats = NDArray[np.float64]

_SUBCKT = re.compile(r"^\.subckt\s+(\S+)(.*?)^\.ends[^\n]*\n", re.M | re.S | re.I)
_DEVICE = re.compile(r"^R(\d+)_(\d+)\s+\S+\s+\S+\s+(\S+)$", re.M | re.I)


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
        for row, column, ohms in _DEVICE.findall(self.definition(name)):
            try:
                g[int(row), int(column)] += 1 / float(ohms)
            except (ValueError, IndexError, ZeroDivisionError) as error:
                raise fail("bad-design", name, f"device R{row}_{column} {ohms}: {error}") from error
        return g

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
            raise fail("bad-design", str(path), f"cannot be read: {error}") from error
        for match in _SUBCKT.finditer(text):
            definitions[match[1].lower()] = match[0]
    return Library(definitions)


def wired(name: str, g: Floats, wires: Wires) -> str:
    """A crossbar definition with every wire segment: the same ports, the same devices.

    Word line i is driven at its first column, bit line j read past its last row, one segment
    beyond the outermost cell at either end (the convention of physics.nodal).
    """
    rows, columns = g.shape
    ports = [f"w{i}" for i in range(rows)] + [f"c{j}" for j in range(columns)]
    cards = [
        f".subckt {name} "
        + "\n+ ".join(" ".join(ports[i : i + 12]) for i in range(0, len(ports), 12))
    ]
    names: dict[tuple[str, int, int], str] = {}

    def chain(kind: str, a: tuple[str, int, int], b: tuple[str, int, int], ohms: float) -> None:
        # No resistance: both ends are one node, so the far one takes the near one's name.
        if ohms:
            cards.append(f"R{kind}{b[1]}_{b[2]} {node(a)} {node(b)} {ohms:.9e}")
        else:
            names[b] = node(a)

    def node(key: tuple[str, int, int]) -> str:
        return names.get(key, f"{key[0]}{key[1]}_{key[2]}")

    for i in range(rows):
        names["w", i, -2] = f"w{i}"
        chain("s", ("w", i, -2), ("w", i, -1), wires.source)
        for j in range(columns):
            chain("w", ("w", i, j - 1), ("w", i, j), wires.word_line)
    for j in range(columns):
        names["b", rows + 1, j] = f"c{j}"
        chain("n", ("b", rows + 1, j), ("b", rows, j), wires.neuron)
        for i in reversed(range(rows)):
            chain("b", ("b", i + 1, j), ("b", i, j), wires.bit_line)
    cards += [
        f"R{i}_{j} {node(('w', i, j))} {node(('b', i, j))} {1 / g[i, j]:.9e}"
        for i, j in zip(*np.nonzero(g), strict=True)
    ]
    return "\n".join([*cards, f".ends {name}", ""])


def _is_crossbar(name: str) -> bool:
    return re.fullmatch(r"xb\d+", name) is not None
