"""The text of crossbar definitions, as bytes.

    R0003_0017 w0003 c0017 1.234567890e+05
    X0003_0017 w0003 c0017 memristor r=1.234567890e+05

A crossbar has up to millions of devices, so there is no template and no loop over devices: numpy
writes the digits into arrays of bytes. The names of lines and ports have a fixed width, so the
lines of one wiring differ in their digits only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from memxc.ir.deck import Grids

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

_WIDTH = 15  # of a number in %.9e form
#: Device lines formatted at once: bounds the memory of a large stack of definitions.
_CHUNK = 1 << 20


def definitions(grids: Grids) -> Iterator[bytes]:
    """Yield the text of each definition of a stack. A conductance of 0 S is not written."""
    rows, columns = np.nonzero(grids.cell >= 0)
    head = ports(grids.cell.shape)
    lines = _lines(rows, columns, grids.cell.shape, grids.device)
    index = grids.cell[rows, columns]
    step = max(1, _CHUNK // max(1, len(rows)))
    for first in range(0, len(grids.names), step):
        g = grids.g[first : first + step][:, index]
        ohms = 1.0 / np.where(g > 0, g, 1.0)
        block = np.broadcast_to(lines, (len(ohms), *lines.shape)).copy()
        block[:, :, -1 - _WIDTH : -1] = numbers(ohms.reshape(-1)).reshape(*ohms.shape, _WIDTH)
        for name, body, there in zip(grids.names[first : first + step], block, g > 0, strict=True):
            cards = body if there.all() else body[there]
            word = name.encode()
            yield b".subckt " + word + head + cards.tobytes() + b".ends " + word + b"\n"


def numbers(values: Floats) -> Bytes:
    """Return positive finite numbers as '%.9e' prints them, digit for digit: bytes of (n, 15)."""
    exponent = np.floor(np.log10(values)).astype(np.int64)
    # log10 may be off by one at a power of ten.
    exponent += values >= _power(exponent + 1)
    exponent -= values < _power(exponent)
    scaled = values * _power(9 - exponent)
    mantissa = np.rint(scaled)
    # The product above rounds; near a tie that could turn the last digit, so printf decides.
    unsure = np.flatnonzero((np.abs(np.abs(scaled - mantissa) - 0.5) < 1e-4) | (mantissa >= 1e10))
    far = np.flatnonzero(np.abs(exponent) > 20)
    out = _print(np.minimum(mantissa, 9_999_999_999).astype(np.int64), exponent)
    for i in (*unsure, *far):
        text = f"{values[i]:.9e}".encode()
        assert len(text) == _WIDTH, f"{values[i]} has an exponent of three digits"
        out[i] = np.frombuffer(text, dtype=np.uint8)
    return out


def same_digits(g: Floats, other: float) -> NDArray[np.bool_]:
    """Return whether a netlist writes each conductance with the same digits as `other` siemens.

    0 S is not written, so it is False there.
    """
    same = np.asarray((g == other) & (g > 0))
    near = ~same & (np.abs(g - other) < 1e-8 * other)
    if near.any():
        same[near] = (numbers(1.0 / g[near]) == numbers(np.array([1.0 / other]))).all(axis=1)
    return same


_POWERS = np.array([float(f"1e{e}") for e in range(-120, 121)])


def _power(exponent: NDArray[np.int64]) -> Floats:
    return np.asarray(_POWERS[exponent + 120])


def _print(mantissa: NDArray[np.int64], exponent: NDArray[np.int64]) -> Bytes:
    out = np.empty((len(mantissa), _WIDTH), dtype=np.uint8)
    high, low = np.divmod(mantissa, 100_000)
    digits = _digits(5)
    out[:, 0] = digits[high, 0]
    out[:, 1] = ord(".")
    out[:, 2:6] = digits[high, 1:]
    out[:, 6:11] = digits[low]
    out[:, 11] = ord("e")
    out[:, 12] = np.where(exponent < 0, ord("-"), ord("+"))
    out[:, 13:] = _digits(2)[np.abs(exponent) % 100]
    return out


@cache
def _digits(width: int) -> Bytes:
    """Return every number of `width` digits, zero-padded: bytes of (10**width, width)."""
    count = np.arange(10**width)[:, None] // 10 ** np.arange(width - 1, -1, -1)
    return np.asarray(count % 10 + ord("0"), dtype=np.uint8)


def _lines(
    rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...], device: str
) -> Bytes:
    """Return the device lines with their names and nets; the numbers are left blank."""
    wide_row, wide_column = (len(str(size - 1)) for size in shape)
    template = f"R{'0' * wide_row}_{'0' * wide_column} w{'0' * wide_row} c{'0' * wide_column} "
    if device:
        template = f"X{template[1:]}{device} r="
    text = np.frombuffer((template + " " * _WIDTH + "\n").encode(), dtype=np.uint8)
    lines = np.broadcast_to(text, (len(rows), len(text))).copy()
    row, column = _digits(wide_row)[rows], _digits(wide_column)[columns]
    at = 1
    for part, gap in ((row, 1), (column, 2), (row, 2), (column, 1)):
        lines[:, at : at + part.shape[1]] = part
        at += part.shape[1] + gap
    return lines


def ports(shape: tuple[int, ...]) -> bytes:
    """Return the ports of a crossbar of shape (word lines, bit lines), for its .subckt line."""
    wide = [len(str(size - 1)) for size in shape]
    names = [f"w{i:0{wide[0]}d}" for i in range(shape[0])]
    names += [f"c{i:0{wide[1]}d}" for i in range(shape[1])]
    return "".join(wrapped(names)).encode() + b"\n"


def wrapped(words: Sequence[str], a_line: int = 12) -> Iterator[str]:
    """Yield the words of a card, and start a continuation line (`+`) after every `a_line`."""
    for i, word in enumerate(words):
        yield f"\n+ {word}" if i and i % a_line == 0 else f" {word}"
