"""Limits on the size of a network, counted before memory is allocated.

A few bytes of a model can claim a border of 2**40 pixels. Code that makes an array whose size the
model gives calls `reckon` first. docs/cli.md has the limits in the user's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod

#: Most numbers in one signal, and in all tables of one operator. VGG-19, the largest common network
#: for ImageNet pictures, takes 3,211,264 and 9.8 million.
MOST = 2**26
#: Most connections of a network, and most numbers in all its tables. DenseNet-121 takes 170
#: million.
MOST_IN_ALL = 2**29
#: Most numbers of a constant, which may be one number broadcast to a tensor. VGG-19 has 102
#: million.
MOST_WEIGHTS = 2**27
#: Numbers that a kernel counts for in addition to its tables, and that an input of a lane function
#: counts for: each is a Python object or a word of text.
KERNEL, TERM = 2**13, 2**9

_left: ContextVar[int] = ContextVar("numbers that the operator may still take", default=MOST)


class TooLargeError(Exception):
    """An operator would need more numbers than MOST."""


@contextmanager
def one_operator() -> Iterator[None]:
    """Add up everything that is reckoned inside the block, as one operator."""
    token = _left.set(MOST)
    try:
        yield
    finally:
        _left.reset(token)


def reckon(*sizes: int) -> None:
    """Count an array of these sizes. Raise TooLargeError if the operator may not take that many."""
    count = prod(map(int, sizes))
    left = _left.get() - count
    if left < 0:
        raise TooLargeError(f"it takes tables of more than {MOST:,} numbers")
    _left.set(left)
