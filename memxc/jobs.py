"""Run independent work in this process, or in a few processes that can be killed.

While a library computes, Python does not notice an interrupt. A process can be killed at any time,
with all processes that it has started.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from memxc.errors import fail, why
from memxc.worker import Died
from memxc.worker.child import Child, Connection
from memxc.worker.serve import end_with_parent

__all__ = ["Died", "Pool", "Shard", "end", "pool", "serve"]

T = TypeVar("T")
_MOST_SHARDS = 100_000


@dataclass(frozen=True)
class Shard:
    """One of `of` equal parts of a list of work; number: from 1 on."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str, environment: Mapping[str, str]) -> Self:
        """Return the shard that "3/40" names, or for "slurm" the one of a task of a job array.

        Raises ValueError, with a sentence.
        """
        if text == "slurm":
            try:
                task, first, last, step, count = (
                    int(environment[f"SLURM_ARRAY_TASK_{key}"])
                    for key in ("ID", "MIN", "MAX", "STEP", "COUNT")
                )
                tasks = range(first, last + 1, step)
                if len(tasks) != count:
                    raise ValueError("the tasks of the array have gaps")
                return cls(tasks.index(task) + 1, count)
            except (KeyError, ValueError) as error:
                what = "this is no task of a Slurm job array without gaps (sbatch --array=1-40)"
                raise ValueError(what) from error
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal()):
            raise ValueError("give the number of a shard and how many there are, as in 3/40")
        if not 1 <= int(number) <= int(of) <= _MOST_SHARDS:
            raise ValueError(f"the number is 1 to {of}, and there are {_MOST_SHARDS:,} at most")
        return cls(int(number), int(of))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def part(self, work: Sequence[T]) -> Sequence[T]:
        """Return the part of a list that is this shard's: every `of`-th item."""
        return work[self.number - 1 :: self.of]


@dataclass(frozen=True)
class Pool:
    """`jobs` processes. Without an executor this process itself does the work."""

    jobs: int
    executor: Executor | None

    def ordered(self, work: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """Yield work(*item) for each item, in order. At most 2 * jobs items are in memory.

        `work` has to be a function of a module, because processes import it again. Raises Died if
        a process ends without an answer, OSError if no process can be started.
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


class _Processes(ThreadPoolExecutor):
    """An executor in which each thread lets a process of its own do the work."""

    def __init__(self, jobs: int, folder: str) -> None:
        super().__init__(jobs)
        self.folder = folder
        self._own, self._lock = threading.local(), threading.Lock()
        self._children: list[Child] = []
        self._ended = False

    def submit(self, work: Callable[..., T], /, *item: Any, **named: Any) -> Future[T]:
        """Run work(*item, **named) in one of the processes."""
        return super().submit(self._ask, work, item, named)

    def _ask(self, *request: Any) -> Any:
        connection = self._child().connection
        try:
            connection.send(request)
            answer, error = connection.recv()
        except (EOFError, OSError) as gone:
            raise Died("ends without an answer") from gone
        if error is not None:
            raise error
        return answer

    def _child(self) -> Child:
        """The process of this thread; it is started when it is first needed."""
        if not hasattr(self._own, "child"):
            with self._lock:
                if self._ended:
                    raise Died("is ended")
                self._own.child = Child(__name__, TMPDIR=self.folder)
                self._children.append(self._own.child)
        child: Child = self._own.child
        return child

    def kill(self) -> None:
        """Kill the processes, and prevent others from starting."""
        with self._lock:
            self._ended = True
            for child in self._children:
                child.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Kill the processes, and wait until they have ended."""
        self.kill()
        self.shutdown(cancel_futures=True)
        for child in self._children:
            child.end()
        shutil.rmtree(self.folder, ignore_errors=True)


#: The processes of all open pools.
_at_work: list[_Processes] = []


@contextmanager
def pool(jobs: int) -> Iterator[Pool]:
    """A pool of processes that are killed at the end of the block.

    Raises MemxcError (cannot-write) if their temporary files cannot be written.
    """
    if not jobs:
        yield Pool(0, None)
        return
    try:
        folder = tempfile.mkdtemp(prefix="memxc-jobs-")
    except OSError as error:
        hint = "set TMPDIR to a folder that can be written"
        raise fail("cannot-write", "temporary files", why(error), hint) from error
    processes = _Processes(jobs, folder)
    _at_work.append(processes)
    try:
        yield Pool(jobs, processes)
    finally:
        processes.close()
        _at_work.remove(processes)


def end() -> None:
    """Kill the processes of all pools, and remove their temporary folders."""
    for processes in [*_at_work]:
        processes.kill()


def serve(handle: int, alive: int) -> None:
    """In a process of a pool, answer requests over the connection `handle` until it closes.

    alive: as in memxc.worker.child.
    """
    end_with_parent(alive)
    connection = Connection(handle)
    while True:
        try:
            work, item, named = connection.recv()
        except EOFError:
            return
        answer: tuple[Any, Exception | None]
        try:
            answer = work(*item, **named), None
        except Exception as error:  # noqa: BLE001 - the other process raises it
            answer = None, error
        connection.send(answer)
