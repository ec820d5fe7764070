"""How large a network may be. Counted before anything is allocated, for a model is a claim.

A few bytes of a model can claim a border of 2**40 pixels. What makes arrays whose sizes a model
says calls `reckon` first. docs/cli.md has the limits in the user's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod

#: Numbers in one signal, and in all tables of one operator. VGG-19, the largest of the usual
#: networks for ImageNet pictures, takes 3,211,264 and 9.8 million.
MOST = 2**26
#: Connections of a network, and numbers in all its tables. DenseNet-121 takes 170 million.
MOST_IN_ALL = 2**29
#: A constant, which may be one number seen as a whole tensor. VGG-19 has one of 102 million.
MOST_WEIGHTS = 2**27
#: What a kernel counts beside its tables, and an input of a lane function: each is a Python object
#: or a word of text.
KERNEL, TERM = 2**13, 2**9

_left: ContextVar[int] = ContextVar("numbers that the operator may still take", default=MOST)


class TooLargeError(Exception):
    """An operator that would take more numbers than MOST."""


@contextmanager
def one_operator() -> Iterator[None]:
    """All that is reckoned inside counts together."""
    token = _left.set(MOST)
    try:
        yield
    finally:
        _left.reset(token)


def reckon(*sizes: int) -> None:
    """Raise TooLargeError where an array of these sizes is more than the operator may take."""
    count = prod(map(int, sizes))
    left = _left.get() - count
    if left < 0:
        raise TooLargeError(f"it takes tables of more than {MOST:,} numbers")
    _left.set(left)
