"""The values of keywords of the library: checks, and settings of the target as texts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, SupportsIndex, TypeAlias, get_args

from memxc.errors import Fault, MemxcError, fail
from memxc.evaluation.metrics import METRICS
from memxc.physics.device.variation import DrawPer

#: Values of keys TABLE.KEY of the target, as texts or as numbers in the units of the target's file;
#: or a list of texts TABLE.KEY=VALUE.
TargetSettings: TypeAlias = Mapping[str, object] | Sequence[str]

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


def path(name: str, value: Any) -> Path:
    """The path that a keyword gives. Raises MemxcError (usage) if it is none."""
    if not isinstance(value, str | os.PathLike):
        raise fail("usage", name, f"{value!r} is not a path", "give a text or a pathlib.Path")
    return Path(value)


def texts(settings: TargetSettings | None) -> tuple[str, ...]:
    """Settings as texts for --set."""
    if isinstance(settings, str):
        return (settings,)
    if isinstance(settings, Mapping):
        return tuple(f"{key}={value}" for key, value in settings.items())
    if settings is not None and not isinstance(settings, Sequence):
        hint = "for example {'device.sigma': 0.1}"
        raise fail("usage", "settings", f"{settings!r} has no keys and values", hint)
    return tuple(map(str, settings or ()))


def swept(sweep: Mapping[str, Iterable[object]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Keys and values as texts for --sweep. Raises MemxcError (usage) if values are not a list."""
    found, faults = [], []
    if not isinstance(sweep, Mapping):
        raise fail(
            "usage", "sweep", f"{sweep!r} has no keys", "for example {'device.sigma': [0, 0.1]}"
        )
    for key, values in sweep.items():
        if isinstance(values, Iterable) and not isinstance(values, str) and (texts := [*values]):
            found.append((key, tuple(map(str, texts))))
        else:
            hint = f"give a list, for example {{{key!r}: [1, 2]}}"
            faults.append(
                Fault("usage", f"sweep of {key}", f"{values!r} is not a list of values", hint)
            )
    if faults:
        raise MemxcError(faults)
    return tuple(found)
