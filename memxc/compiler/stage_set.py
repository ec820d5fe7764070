"""Read --stage-set STAGE.key=value: options of a single stage."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, get_args, get_type_hints

from memxc import passes
from memxc.compiler.forms import tile_size
from memxc.errors import Fault, MemxcError, once
from memxc.interfaces import declared_options


@cache
def keys() -> dict[str, tuple[str, ...]]:
    """For each key its values, as the fields of the passes declare them.

    The key `tile`, the size of the unit crossbar, belongs to the target and has no list of values.
    """
    found: dict[str, tuple[str, ...]] = {}
    for change in passes.available().values():
        for name, option in declared_options(change).items():
            if option.per_stage:
                found[option.flag.removeprefix("--")] = get_args(get_type_hints(change)[name])
    return {**found, "tile": ()}


def parse(text: str) -> tuple[str, str, Any]:
    """Stage, key and value of STAGE.key=value. The value of tile is (rows, columns).

    Raises ValueError, with a sentence.
    """
    place, equals, value = text.partition("=")
    stage, dot, key = place.rpartition(".")
    if not (equals and dot and stage and value):
        raise ValueError("give a stage, a key and a value, STAGE.key=value")
    if key not in keys():
        raise ValueError(f"there is no key {key!r}; keys are {', '.join(keys())}")
    if key == "tile":
        return stage, key, tile_size(value)
    if value not in keys()[key]:
        raise ValueError(f"{key} has to be {' or '.join(keys()[key])}")
    return stage, key, value


def checked(text: str) -> str:
    """The text as it is, STAGE.key=value. Raises ValueError as `parse` does."""
    parse(text)
    return text


def by_stage(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """{stage: {key: value}} for several texts. Raises MemxcError (usage) with all faults."""
    found: dict[str, dict[str, Any]] = {}
    faults, known = [], set[str]()
    for text in texts:
        try:
            stage, key, value = parse(text)
            once(f"{stage}.{key}", known)
        except ValueError as error:
            hint = "for example conv1.schedule=sequential"
            faults.append(Fault("usage", f"--stage-set {text}", str(error), hint))
            continue
        known.add(f"{stage}.{key}")
        found.setdefault(stage, {})[key] = value
    if faults:
        raise MemxcError(faults)
    return found
