"""Data sets as their owners publish them: one file a format, found by its name.

A format is a module as `Format` says. Nothing in a file is run: pickles are not read. What a file
claims is compared with what it holds before anything is allocated.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal, Protocol, cast

from numpy.typing import NDArray

from memxc.errors import fail

Part = Literal["test", "train"]


@dataclass(frozen=True, eq=False)
class Raw:
    """A data set as its files have it.

    values: pictures (samples, height, width) or (samples, height, width, channels) of 8 bits, or
    any numbers (samples, *shape). labels: (samples,) classes from 0 on, or None.
    pictures: whether the values are pictures. classes: their names, if the data set has them.
    """

    values: NDArray[Any]
    labels: NDArray[Any] | None
    pictures: bool
    classes: tuple[str, ...] = ()


class Format(Protocol):
    """A format of data sets: the functions of a module. KIND: its name in a few words."""

    KIND: str

    def fits(self, path: Path) -> bool:
        """Return whether this is a data set of the format, by the names of its files."""

    def read(self, path: Path, part: Part, count: int | None) -> Raw:
        """Return `count` samples at equal distances, or all. Raises MemxcError."""


def formats() -> dict[str, Format]:
    """Return the formats by name."""
    names = sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))
    return {name: cast(Format, import_module(f"{__name__}.{name}")) for name in names}


def read(path: Path, part: Part = "test", count: int | None = None) -> Raw:
    """Return a data set: `count` samples at equal distances, or all.

    Raises MemxcError: usage if no format fits, bad-samples for a file that is not as its format
    says.
    """
    known = formats()
    for form in known.values():
        if form.fits(path):
            return form.read(path, part, count)
    hint = f"memxc reads {'; '.join(form.KIND for form in known.values())}"
    raise fail("usage", str(path), "is in none of the formats that memxc reads", hint)
