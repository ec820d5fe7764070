"""Where independent work runs: this process, or a few of its kind, in submission order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

T = TypeVar("T")


def executor(jobs: int) -> AbstractContextManager[Executor | None]:
    """A pool of `jobs` processes; None for one, which needs no pool."""
    if jobs <= 1:
        return nullcontext()
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def ordered(
    pool: Executor | None, work: Callable[..., T], items: Iterable[tuple[Any, ...]], ahead: int = 4
) -> Iterator[T]:
    """work(*item) for each item, in order; at most `ahead` items wait in memory."""
    if pool is None:
        for item in items:
            yield work(*item)
        return
    waiting: list[Future[T]] = []
    for item in items:
        waiting.append(pool.submit(work, *item))
        if len(waiting) >= ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()
