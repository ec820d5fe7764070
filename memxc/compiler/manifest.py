"""The options that the manifest of a folder keeps: text from a file, held against what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args

from memxc.compiler.options import MITIGATIONS, Options
from memxc.compiler.stage_set import KEYS
from memxc.interfaces import Zeros
from memxc.ir.stages import Schedule, Signed
from memxc.units import FLOAT32

#: Options that are kept elsewhere, if at all.
_ELSEWHERE = ("model", "target", "samples")


def read(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Options by name, as `Options` has them. ValueError, in a sentence, with all that are none."""
    known = [f.name for f in fields(Options) if f.name in tree and f.name not in _ELSEWHERE]
    wrong = [name for name in known if not _FITS[name](tree[name])]
    if wrong:
        raise ValueError(f"options with a value that none can have: {', '.join(wrong)}")
    return {name: _frozen(tree[name]) for name in known}


def _one_of(*words: str | None) -> Callable[[Any], bool]:
    return lambda value: value in words


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _shapes(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(sizes, list) and all(type(size) is int and 0 < size <= 2**31 for size in sizes)
        for sizes in value.values()
    )


def _number(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= value <= high


def _range(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(_number(end, -FLOAT32, FLOAT32) for end in value)
        and value[0] < value[1]
    )


_FITS: dict[str, Callable[[Any], bool]] = {
    "schedule": _one_of(*get_args(Schedule)),
    "partition": _one_of(*KEYS["partition"]),
    "signed": _one_of(*get_args(Signed)),
    "batchnorm": _one_of("fold", "stage"),
    "mitigate": lambda value: _texts(value) and set(value) <= set(MITIGATIONS),
    "separate": lambda value: value is None or _number(value, 0, 1),
    "prune": _texts,
    "refit": lambda value: isinstance(value, bool),
    "zeros": _one_of(None, *get_args(Zeros)),
    "passes": lambda value: value is None or isinstance(value, str),
    "shapes": _shapes,
    "input_range": _range,
    "stage_set": _texts,
    "seed": lambda value: type(value) is int and value >= 0,
}


def _frozen(value: Any) -> Any:
    """A value of a JSON document as Options has it."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return {name: _frozen(part) for name, part in value.items()}
    return value
