"""Texts of the command line read as values: sizes, shapes, ranges, lists of names."""

from __future__ import annotations

from memxc import units


def whole(text: str) -> int:
    """A positive whole number. Raises ValueError for any other text."""
    # Python refuses to read thousands of digits, with a message about its own settings.
    if not text.strip().isdecimal() or len(text) > 20 or not 0 < int(text) <= 2**31:
        raise ValueError(f"{text[:20]!r} is not a positive whole number")
    return int(text)


def tile_size(text: str) -> tuple[int, int]:
    """R or RxC: rows and columns of the unit crossbar. Raises ValueError if none has this size."""
    sizes = [whole(size) for size in text.split("x")]
    if len(sizes) > 2:
        raise ValueError("give the rows, or rows x columns")
    rows, columns = sizes[0], sizes[-1]
    if not 3 <= rows <= 65536 or not 2 <= columns <= 65536:
        raise ValueError("a unit crossbar has 3 to 65536 rows and 2 to 65536 columns")
    return rows, columns


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """NAME=1x3x48x192: the name of an input and its shape. Raises ValueError."""
    name, equals, sizes = text.rpartition("=")
    if not equals or not name:
        raise ValueError("give an input's name and its shape, NAME=1x3x48x192")
    return name, tuple(whole(size) for size in sizes.split("x"))


def constant(text: str) -> tuple[str, tuple[float, ...]]:
    """NAME=VALUE[,VALUE...]: the name of an input and its numbers. Raises ValueError."""
    name, equals, numbers = text.rpartition("=")
    if not equals or not name:
        raise ValueError("give an input's name and its value, NAME=VALUE")
    return name, tuple(map(units.parse, numbers.split(",")))


def span(text: str) -> tuple[float, ...]:
    """LO,HI: two numbers. Raises ValueError."""
    parts = text.split(",")
    if len(parts) != 2:
        raise ValueError("give two numbers with a comma between them")
    return tuple(map(units.parse, parts))


def rising(span: tuple[float, float]) -> tuple[float, float]:
    """The range of an input. Raises ValueError if it is empty, or wider than that of float32."""
    if not span[0] < span[1]:
        raise ValueError("the first number has to be the smaller one")
    if max(map(abs, span)) > units.FLOAT32:
        raise ValueError(f"an input is float32, which ends at {units.FLOAT32:.4g}")
    return span


def comma_separated(text: str) -> tuple[str, ...]:
    """A,B,C: words with commas between them. Raises ValueError."""
    found = tuple(part.strip() for part in text.split(","))
    if not all(found):
        raise ValueError("give names with commas between them")
    return found
