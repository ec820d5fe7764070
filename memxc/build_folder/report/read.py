"""report.json of a folder, which may have been changed by hand, read back."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from memxc import __version__
from memxc.build_folder.report.document import SCHEMA, Report
from memxc.documents import place, said
from memxc.errors import Fault, MemxcError, fail, why

JSON = "report.json"
_AGAIN = "compile the model again"


def read(folder: Path) -> Report:
    """The report of a folder. MemxcError (bad-design): there is none, or each key that is wrong."""
    where = str(folder / JSON)
    try:
        tree = json.loads(read_text(folder, JSON))
    except (ValueError, RecursionError) as error:
        raise fail("bad-design", where, f"cannot be read: not JSON: {why(error)}", _AGAIN) from error
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        raise fail("bad-design", where, f"cannot be read: its schema is not {SCHEMA}", _AGAIN)
    try:
        return Report.model_validate(tree)
    except ValidationError as error:
        raise MemxcError([_older(where, tree), *_faults(where, error)]) from error


def read_text(folder: Path, name: str) -> str:
    """A file of the folder as text. MemxcError (bad-design) where there is none."""
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail("bad-design", str(folder / name), why(error), _AGAIN) from error
