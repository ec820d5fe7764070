"""The points of an exploration: every combination of the values that options may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from memxc.compiler.declaration import Declared, fields_of
from memxc.compiler.forms import tile_size
from memxc.compiler.options import Settings
from memxc.errors import Fault, MemxcError, fail, like

#: Each point is a compilation, so more are a mistake.
MOST = 10_000
_FIELDS = {known.option.flag.removeprefix("--"): known for known in fields_of(Settings).values()}
#: Words that set and leave out an option without a value.
_ON, _OFF = "on", "off"
KEYS = ("target", "tile", "samples", *_FIELDS)


@dataclass(frozen=True)
class Way:
    """One way to compile a network.

    settings: the text of each key that varies or is set. words: the same as arguments of
    `memxc compile`. options: keywords of `memxc.compile`, besides target, tile and samples.
    """

    settings: tuple[tuple[str, str], ...]
    words: tuple[str, ...] = ()
    target: str = "hfox-128"
    tile: tuple[int, int] | None = None
    samples: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def ways(vary: Mapping[str, Sequence[str]]) -> list[Way]:
    """Return every combination of the values, the last key running fastest.

    vary: for each of KEYS its values as texts; an empty text leaves the option out.
    Raises MemxcError (usage) with a fault for each key and value that is wrong.
    """
    faults = [
        Fault("usage", f"--vary {key}", "is not an option of a compilation", like(key, KEYS))
        for key in vary
        if key not in KEYS
    ]
    known = {key: values for key, values in vary.items() if key in KEYS}
    for key, values in known.items():
        for text in dict.fromkeys(values):
            try:
                _value(key, text)
            except ValueError as error:
                faults.append(Fault("usage", f"--vary {key}={text}", str(error), _hint(key)))
        if len(set(values)) < len(values):
            faults.append(Fault("usage", f"--vary {key}", "has a value twice"))
    if faults:
        raise MemxcError(faults)
    if (count := prod(len(values) for values in vary.values())) > MOST:
        raise fail("usage", "--vary", f"makes {count:,} points, and {MOST:,} are the most")
    return [_way(tuple(zip(vary, texts, strict=True))) for texts in product(*vary.values())]


def _way(settings: tuple[tuple[str, str], ...]) -> Way:
    named: dict[str, Any] = {}
    options: dict[str, Any] = {}
    words: list[str] = []
    for key, text in settings:
        if not text or text == _OFF:
            continue
        value = _value(key, text)
        if key in _FIELDS:
            options[_FIELDS[key].name] = value
        else:
            named[key] = value
        words += _words(key, text)
    return Way(settings, tuple(words), options=options, **named)


def _value(key: str, text: str) -> Any:
    """The value that a text gives an option. Raises ValueError, with a sentence, if it cannot."""
    match key:
        case "target":
            return text or None
        case "tile":
            return tile_size(text) if text else None
        case "samples":
            return Path(text) if text else None
    return _option(_FIELDS[key], text) if text else None


def _option(option: Declared, text: str) -> Any:
    if option.kind is bool:
        if text not in (_ON, _OFF):
            raise ValueError(f"give {_ON} or {_OFF}")
        return text == _ON
    if option.option.repeated:
        return option.joined(option.read(part) for part in text.split())
    value = option.read(text)
    if option.choices and value not in option.choices:
        raise ValueError(f"its values are {', '.join(option.choices)}")
    return value


def _words(key: str, text: str) -> Iterator[str]:
    option: Declared | None = _FIELDS.get(key)
    for part in text.split() if option is not None and option.option.repeated else [text]:
        yield f"--{key}"
        if option is None or option.kind is not bool:
            yield part


def _hint(key: str) -> str:
    example = _FIELDS[key].option.example if key in _FIELDS else ""
    return f"for example {example}" if example else ""
