"""Spread work on a stack of matrices over the cores, without BLAS threads competing for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController


def in_threads(work: Callable[[slice], None], count: int, step: int, threads: int | None) -> None:
    """Call `work` with slices of at most `step` out of `count`, in `threads` (None: one a core).

    The BLAS gets one thread meanwhile: more threads make matrices of a few hundred rows slower.
    """
    slices = [slice(first, first + step) for first in range(0, count, step)]
    _keep_memory()
    threads = min(threads or os.cpu_count() or 1, len(slices))
    with _blas().limit(limits=1, user_api="blas"):
        if threads <= 1:
            for part in slices:
                work(part)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, slices))


@cache
def _blas() -> ThreadpoolController:
    # Finding the libraries takes milliseconds, setting their threads microseconds.
    return ThreadpoolController()


@cache
def _keep_memory() -> None:
    """Make the C library keep freed memory, because returning pages costs a sixth of the time.

    glibc takes the size of a freed large block (up to 32 MiB) as a sign of the blocks to come.
    """
    np.empty(31 << 20, dtype=np.uint8)
