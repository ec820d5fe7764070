"""Whose fault it is where a design is no circuit: memxc's, or that of who changed it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any


def held(command: Callable[..., int]) -> Callable[..., int]:
    """A command on DIR: a broken assertion on a design that was changed by hand is a fault of DIR.

    What is read is held against its types and ranges, but not against all that programming
    guarantees. On a design as memxc wrote it the assertion is a fault of memxc's own.
    """

    @wraps(command)
    def run(folder: Path, **rest: Any) -> int:
        try:
            return command(folder=folder, **rest)
        # numpy's LinAlgError is a ValueError.
        except (AssertionError, ValueError, ArithmeticError, LookupError) as error:
            _blame(folder, error)
            raise

    return run


def _blame(folder: Path, error: Exception) -> None:
    """MemxcError (bad-design) where the files of the design are not those that memxc wrote."""
    from memxc.build_folder.read import edited
    from memxc.errors import fail

    changed = [name for name in edited(folder) if name in ("design.json", "design.npz")]
    if changed:
        words = f"{type(error).__name__}: {error}".rstrip(": ")
        what = f"{' and '.join(changed)}, changed since compiled, can be no circuit: {words}"
        raise fail("bad-design", str(folder), what, "compile the model again") from error
