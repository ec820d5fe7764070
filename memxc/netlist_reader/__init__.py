"""Read the text of a netlist, with a reader that uses nothing of the writer.

It reads what memxc writes and what a person may change in it: `.include` and `.lib` of files in the
same folder, `.subckt`, `X` and `R` cards, `+` continuations, and `*` comments, of which only those
about supplies, inputs and outputs matter. As in SPICE, case does not matter. Cells may hold the
cards that `allowed` lists. Anything else is a fault and is never skipped. An engine gets what was
read (`Definition.text`), and no byte of a file. `rows` reads the tables beside the netlist.
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
    """Instances and definitions of the top file and its includes, by lower-case name.

    twice: parts whose name was used before. shared: cards that all definitions may use. supplies,
    ports: what the head of the top file asks of a test bench, in order.
    """

    file: str
    instances: dict[str, Instance]
    definitions: dict[str, Definition]
    twice: tuple[Instance | Definition, ...]
    shared: tuple[Shared, ...]
    supplies: tuple[Supply, ...]
    ports: tuple[Port, ...]


def read(top: Path) -> Netlist:
    """Read the netlist of a top file.

    Nothing outside the top file's folder is opened. Raises MemxcError (bad-design) with every
    fault, each with file and line.
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
    """Read the netlist in a folder with one top file of the reference dialect, as `read` does."""
    tops = sorted(folder.glob("*.cir"))
    if len(tops) != 1:
        what = f"holds {len(tops)} top files of the dialect ngspice where one is wanted"
        raise fail("bad-design", str(folder), what, "compile the model with --dialect ngspice")
    return read(tops[0])


__all__ = [
    "NUMBER", "Card", "Cells", "Definition", "Devices", "Instance", "Netlist", "Port", "Row",
    "Shared", "Supply", "parameters", "read", "read_cells", "read_folder", "rows",
]  # fmt: skip
