"""Read report.json back. It may have been changed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from memxc import __version__
from memxc.build_folder.report.document import SCHEMA, Report
from memxc.documents import place, said
from memxc.errors import Fault, MemxcError, fail, why

JSON = "report.json"
_AGAIN = "compile the model again"
#: The largest number of faults that are shown.
_MOST = 10


def read(folder: Path) -> Report:
    """The report of a folder. Raises MemxcError (bad-design) if it is missing or has wrong keys."""
    where = str(folder / JSON)
    try:
        tree = json.loads(read_text(folder, JSON))
    except (ValueError, RecursionError) as error:
        raise fail(
            "bad-design", where, f"cannot be read: not JSON: {why(error)}", _AGAIN
        ) from error
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        raise fail("bad-design", where, f"cannot be read: its schema is not {SCHEMA}", _AGAIN)
    try:
        return Report.model_validate(tree)
    except ValidationError as error:
        raise MemxcError(list(_faults(where, tree.get("memxc"), error))) from error


def read_text(folder: Path, name: str) -> str:
    """The text of a file in the folder. Raises MemxcError (bad-design) if it cannot be read."""
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail("bad-design", str(folder / name), why(error), _AGAIN) from error


def _faults(where: str, version: object, error: ValidationError) -> Iterator[Fault]:
    """A fault for each wrong key, or for the first few if there are many.

    A report of another version has one fault: what is wrong with it is that version.
    """
    most, hint = _MOST, _AGAIN
    if version != __version__:
        most = 1
        hint += f": the report was written by memxc {version}, and this is memxc {__version__}"
    for found in error.errors()[:most]:
        key = place(found["loc"])
        what = f"cannot be read: {said(dict(found))}"
        yield Fault("bad-design", f"{where}: {key}" if key else where, what, hint)
