"""Netlist text -> structure, by a reader that shares nothing with the writer.

Reads what memxc writes and what a person may have made of it: `.include` and `.lib` of files in the
same folder, `.subckt`, `X` and `R` cards, `+` continuations, `*` comments, of which only those
about supplies, inputs and outputs count. Case does not matter, as in SPICE. Cells hold cards that
`allowed` lists. What is none of these is a fault, never skipped. Engines are given what was read
(`Definition.text`), and no byte of a file. The tables beside the netlist are read by `rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memxc.errors import MemxcError, fail
from memxc.netlist_reader.cards import NUMBER, Card, parameters
from memxc.netlist_reader.devices import Devices
from memxc.netlist_reader.files import Reader
from memxc.netlist_reader.own import Cells, read_cells
from memxc.netlist_reader.parts import Definition, Instance, Port, Shared, Supply
from memxc.netlist_reader.tables import Row, rows


@dataclass(frozen=True, eq=False)
class Netlist:
    """Instances and definitions of the top file and all that it includes, by lower-case name.

    twice: what has the name of something before it. shared: what all definitions may use.
    supplies, ports: what the top file asks of a test bench, in order.
    """

    file: str
    instances: dict[str, Instance]
    definitions: dict[str, Definition]
    twice: tuple[Instance | Definition, ...]
    shared: tuple[Shared, ...]
    supplies: tuple[Supply, ...]
    ports: tuple[Port, ...]


def read(top: Path) -> Netlist:
    """The netlist of a top file. Raises MemxcError (bad-design): every fault, with file and line.

    Nothing outside the top file's folder is opened.
    """
    reader = Reader(top.parent)
    reader.top(top)
    if reader.faults:
        raise MemxcError(reader.faults)
    return Netlist(
        top.name,
        reader.instances,
        reader.definitions,
        tuple(reader.twice),
        tuple(reader.shared),
        tuple(reader.supplies),
        tuple(reader.ports),
    )


def read_folder(folder: Path) -> Netlist:
    """The netlist in a folder of one top file, of the reference dialect's suffix; as `read`."""
    tops = sorted(folder.glob("*.cir"))
    if len(tops) != 1:
        what = f"holds {len(tops)} top files where one is wanted"
        raise fail("bad-design", str(folder), what, "compile the model again")
    return read(tops[0])


__all__ = [
    "NUMBER", "Card", "Cells", "Definition", "Devices", "Instance", "Netlist", "Port", "Row",
    "Shared", "Supply", "parameters", "read", "read_cells", "read_folder", "rows",
]  # fmt: skip
