"""A folder of cells that a user wrote: read as strictly as a netlist that comes from anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from memxc.errors import Fault, MemxcError, fail
from memxc.netlist_reader import nesting
from memxc.netlist_reader.files import Reader
from memxc.netlist_reader.parts import Definition, Shared


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a folder.

    definitions: by their names in lower case; shared: models and parameters that all of them may
    use. sha256: of each file that was read, by its path in the folder. unread: other files in it.
    """

    folder: Path
    definitions: Mapping[str, Definition]
    shared: tuple[Shared, ...]
    sha256: Mapping[str, str]
    unread: tuple[str, ...]


def read_cells(given: str | Path | Cells, known: Collection[str] = ()) -> Cells:
    """Return the cells of all files *.cir of a folder and of the files that these include.

    known: names of subcircuits that the cells may place without defining them. Cells that were
    read before are returned as they are.
    Raises MemxcError (bad-cells) with everything that is wrong, with file and line.
    """
    if isinstance(given, Cells):
        return given
    folder = Path(given)
    if not folder.is_dir():
        raise fail("bad-cells", str(folder), "there is no such folder")
    reader = Reader(folder)
    files = sorted(folder.glob("*.cir"))
    for path in files:
        reader.include(path)
    faults = [*reader.faults, *nesting.faults(reader.definitions, known)]
    for again in reader.twice:
        what = f"{again.name} is defined a second time"
        faults.append(Fault("bad-cells", f"{again.file}:{again.line}", what))
    for placed in reader.instances.values():
        what = f"places {placed.cell} outside of a cell"
        faults.append(Fault("bad-cells", f"{placed.file}:{placed.line}", what))
    if faults:
        raise MemxcError(
            replace(fault, code="bad-cells", where=f"{folder}/{fault.where}") for fault in faults
        )
    if not reader.definitions:
        what = "no file *.cir in it defines a cell" if files else "holds no file *.cir"
        raise fail("bad-cells", str(folder), what)
    read = {path for path, _ in reader.seen}
    every = sorted(path for path in reader.folder.iterdir() if path.is_file())
    return Cells(
        folder,
        reader.definitions,
        tuple(reader.shared),
        {
            _name(path, reader): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(read)
        },
        tuple(_name(path, reader) for path in every if path.resolve() not in read),
    )


def _name(path: Path, reader: Reader) -> str:
    return path.relative_to(reader.folder).as_posix()
