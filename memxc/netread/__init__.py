"""Netlist text -> structure, by a reader that shares nothing with the writer.

Reads what memxc writes and what a person may have made of it: `.include`, `.subckt`, `X` and `R`
cards, `+` continuations, `*` comments. Case does not matter, as in SPICE. What would change the
circuit and is none of these is a fault, never skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memxc.errors import MemxcError
from memxc.netread.cards import NUMBER, Card
from memxc.netread.devices import Devices
from memxc.netread.files import Reader
from memxc.netread.parts import Definition, Instance


@dataclass(frozen=True, eq=False)
class Netlist:
    """Instances and definitions of the top file and all that it includes, by lower-case name.

    twice: what has the name of something before it.
    """

    file: str
    instances: dict[str, Instance]
    definitions: dict[str, Definition]
    twice: tuple[Instance | Definition, ...]


def read(top: Path) -> Netlist:
    """The netlist of a top file. Raises MemxcError (bad-design): every fault, with file and line.

    Nothing outside the top file's folder is opened.
    """
    reader = Reader(top.parent)
    reader.top(top)
    if reader.faults:
        raise MemxcError(reader.faults)
    return Netlist(top.name, reader.instances, reader.definitions, tuple(reader.twice))


__all__ = ["NUMBER", "Card", "Definition", "Devices", "Instance", "Netlist", "read"]
