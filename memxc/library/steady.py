"""Contexts for calls of the library, so that they give the same results as the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from memxc.build_folder.read import edited
from memxc.errors import fail

#: Told what is being done, a few words at a time.
Progress = Callable[[str], None]

#: Held by a compilation: the passes of two at once would fight over memory and cores.
compiling = threading.RLock()


def silent(text: str) -> None:
    """Show no progress."""


class _OneThread:
    """Limit the BLAS of the process to one thread while at least one call runs.

    So sums have one order, and results are the same bytes on any number of cores.
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
    """Work on an output folder. An exception due to a design that was changed by hand becomes
    MemxcError (bad-design).

    Reading a design checks types and ranges, but not everything that programming guarantees. If the
    design was not changed, the exception is an error in memxc itself and is raised as it is.
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
