"""Where independent work runs: this process, or a few of its kind, in submission order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Pool:
    """`jobs` processes; no executor for one, which is this process itself."""

    jobs: int
    executor: Executor | None

    def ordered(self, work: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """work(*item) for each item, in order; twice as many items as processes wait in memory."""
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


@contextmanager
def pool(jobs: int) -> Iterator[Pool]:
    """Processes that end with the block."""
    if jobs <= 1:
        yield Pool(1, None)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield Pool(jobs, executor)
