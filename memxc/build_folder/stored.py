"""report.json of a folder, which may have been changed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from memxc.errors import fail, why

Made = TypeVar("Made")
JSON = "report.json"


def built(folder: Path, build: Callable[[dict[str, Any]], Made]) -> Made:
    """What is made of report.json. MemxcError (bad-design) where it cannot be."""
    try:
        tree: dict[str, Any] = json.loads(read(folder, JSON))
        if tree["schema"] != "memxc-report/1":
            raise ValueError("it has another schema")
        return build(tree)
    except (
        ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError,
        RecursionError,
    ) as error:  # fmt: skip
        what = f"cannot be read: {type(error).__name__}: {error}"
        raise fail("bad-design", str(folder / JSON), what, "compile again") from error


def read(folder: Path, name: str) -> str:
    """A file of the folder as text. MemxcError (bad-design) where there is none."""
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail("bad-design", str(folder / name), why(error), "compile again") from error
