"""Netlist text -> structure, by a reader that shares nothing with the writer.

Reads what memxc writes and what a person may have made of it: `.include`, `.subckt`, `X` and `R`
cards, `+` continuations, `*` comments, of which only those about supplies say anything. Case does
not matter, as in SPICE. What would change the circuit and is none of these is a fault, never
skipped. The tables beside the netlist are read by `rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memxc.errors import MemxcError
from memxc.netread.cards import NUMBER, Card
from memxc.netread.devices import Devices
from memxc.netread.files import Reader
from memxc.netread.parts import Definition, Instance, Supply
from memxc.netread.tables import Row, rows


@dataclass(frozen=True, eq=False)
class Netlist:
    """Instances and definitions of the top file and all that it includes, by lower-case name.

    twice: what has the name of something before it. supplies: of the top file, in order.
    """

    file: str
    instances: dict[str, Instance]
    definitions: dict[str, Definition]
    twice: tuple[Instance | Definition, ...]
    supplies: tuple[Supply, ...]


def read(top: Path) -> Netlist:
    """The netlist of a top file. Raises MemxcError (bad-design): every fault, with file and line.

    Nothing outside the top file's folder is opened.
    """
    reader = Reader(top.parent)
    reader.top(top)
    if reader.faults:
        raise MemxcError(reader.faults)
    found = reader.instances, reader.definitions, tuple(reader.twice), tuple(reader.supplies)
    return Netlist(top.name, *found)


__all__ = [
    "NUMBER", "Card", "Definition", "Devices", "Instance", "Netlist", "Row", "Supply",
    "read", "rows",
]  # fmt: skip
