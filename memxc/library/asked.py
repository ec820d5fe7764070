"""Checks of the values of keywords of the library."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any, SupportsIndex, get_args

from memxc.errors import Fault, MemxcError
from memxc.evaluation.metrics import METRICS
from memxc.physics.device.variation import DrawPer

_LEAST = {"count": 1, "draw": 1, "draws": 1, "jobs": 1, "seed": 0}
_OPTIONAL = ("count", "tolerance", "metric")
_WORDS = {"draw_per": get_args(DrawPer), "metric": tuple(METRICS)}


def check(**keywords: Any) -> None:
    """Raise MemxcError (usage) with a fault for each keyword that has a wrong value.

    None is a value of the keywords in `_OPTIONAL` only.
    """
    given = {n: value for n, value in keywords.items() if value is not None or n not in _OPTIONAL}
    faults = [Fault("usage", name, what) for name, what in _wrong(given)]
    if faults:
        raise MemxcError(faults)


def _wrong(keywords: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in keywords.items():
        if name in _LEAST:
            whole = isinstance(value, SupportsIndex) and not isinstance(value, bool)
            if not whole or value.__index__() < _LEAST[name]:
                yield name, f"{value!r} is not a whole number of at least {_LEAST[name]}"
        elif name in _WORDS:
            if value not in _WORDS[name]:
                yield name, f"{value!r} is not one of {', '.join(_WORDS[name])}"
        elif name == "progress":
            if not callable(value):
                yield name, f"{value!r} is not a function, which is called with a text"
        elif not (isinstance(value, Real) and float(value) > 0):
            yield name, f"{value!r} is not a number above 0"
