"""What calls of the library are wrapped in, so that they give what the command line gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from memxc.build_folder.read import edited
from memxc.errors import fail

#: Told what is being done, a few words at a time.
Progress = Callable[[str], None]

#: Held by a compilation: the passes of two at once would fight over memory and cores.
compiling = threading.RLock()


def silent(text: str) -> None:
    """Show no progress."""


class _OneThread:
    """One thread for the BLAS of the whole process, from the first user's begin to the last's end.

    So sums have one order, and results are the same bytes, whatever the machine has of cores.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._limits = threadpool_limits(1, user_api="blas")
            self._users += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limits.restore_original_limits()


one_thread = _OneThread()


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Work on an output folder: a broken assertion on a design that was changed by hand is a fault
    of the folder, MemxcError (bad-design).

    A design that is read is checked against its types and ranges, but not against all that
    programming guarantees. On a design as memxc wrote it the assertion is a fault of memxc's own.
    """
    try:
        with one_thread:
            yield
    # numpy's LinAlgError is a ValueError.
    except (AssertionError, ValueError, ArithmeticError, LookupError) as error:
        changed = [name for name in edited(folder) if name in ("design.json", "design.npz")]
        if not changed:
            raise
        words = f"{type(error).__name__}: {error}".rstrip(": ")
        what = f"{' and '.join(changed)}, changed since compiled, can be no circuit: {words}"
        raise fail("bad-design", str(folder), what, "compile the model again") from error
