"""Where independent work runs, in submission order: this process, or a few that can be ended.

Libraries keep Python from hearing of an interrupt while they compute. A process can be killed
meanwhile, and what it has started with it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from memxc.errors import fail, why

__all__ = ["BrokenProcessPool", "Pool", "end", "pool", "refused"]

T = TypeVar("T")

#: The temporary folders of pools at work.
_folders: list[str] = []


@dataclass(frozen=True)
class Pool:
    """`jobs` processes; no executor for none, where this process itself does the work."""

    jobs: int
    executor: Executor | None

    def ordered(self, work: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """work(*item) for each item, in order; twice as many items as processes wait in memory.

        Raises BrokenProcessPool where a process ends without an answer.
        """
        if self.executor is None:
            for item in items:
                yield work(*item)
            return
        waiting: list[Future[T]] = []
        for item in items:
            waiting.append(self.executor.submit(work, *item))
            if len(waiting) >= 2 * self.jobs:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def refused() -> str:
    """Why no process of a pool can be started on this machine; "" where they can.

    They share semaphores, which are files in /dev/shm on Linux.
    """
    try:
        multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        return why(error)
    return ""


@contextmanager
def pool(jobs: int) -> Iterator[Pool]:
    """Processes that end with the block, and at once where it is left by an exception.

    Raises MemxcError (cannot-write) where there is no place for their temporary files.
    """
    if not jobs:
        yield Pool(0, None)
        return
    try:
        folder = tempfile.mkdtemp(prefix="memxc-jobs-")
    except OSError as error:
        hint = "set TMPDIR to a folder that can be written"
        raise fail("cannot-write", "temporary files", why(error), hint) from error
    _folders.append(folder)
    executor = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(folder,)
    )
    try:
        yield Pool(jobs, executor)
    except BaseException:
        end()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        shutil.rmtree(folder, ignore_errors=True)
        _folders.remove(folder)


def end() -> None:
    """Kill the processes of all pools, and remove their temporary folders."""
    for process in multiprocessing.active_children():
        assert process.pid is not None, "it was started"
        # One that has only just been started leads no group yet.
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def _begin(folder: str) -> None:
    """In a new process: what it starts is in its group, and what it writes in a known folder."""
    os.setpgrp()
    tempfile.tempdir = folder
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Where the parent is killed, nobody else ends this process."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a pool starts this process"
    parent.join()
    os.killpg(0, signal.SIGKILL)
