"""Work on a stack of matrices, spread over the cores without BLAS threads fighting over them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def in_threads(work: Callable[[slice], None], count: int, step: int, threads: int | None) -> None:
    """Call `work` with slices of at most `step` of `count`, in `threads` (None: one a core).

    The BLAS has one thread meanwhile: more make matrices of a few hundred rows slower, not faster.
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
    """Let the C library keep what is freed: handing pages back and forth costs a sixth of the time.

    glibc takes the size of a freed large block as a sign of what is to come, up to 32 MiB.
    """
    np.empty(31 << 20, dtype=np.uint8)
