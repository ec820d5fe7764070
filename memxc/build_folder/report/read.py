"""report.json of a folder, which may have been changed by hand, read back."""

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
#: More faults than this tell nothing more.
_MOST = 10


def read(folder: Path) -> Report:
    """The report of a folder. MemxcError (bad-design): there is none, or each key that is wrong."""
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
    """A file of the folder as text. MemxcError (bad-design) where there is none."""
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail("bad-design", str(folder / name), why(error), _AGAIN) from error


def _faults(where: str, version: object, error: ValidationError) -> Iterator[Fault]:
    """A fault for each key that is wrong; for each of the first few, where there are many."""
    hint = _AGAIN
    if version != __version__:
        hint += f": the report was written by memxc {version}, and this is memxc {__version__}"
    for found in error.errors()[:_MOST]:
        key = place(found["loc"])
        what = f"cannot be read: {said(dict(found))}"
        yield Fault("bad-design", f"{where}: {key}" if key else where, what, hint)
