"""--stage-set STAGE.key=value: one stage otherwise than the rest."""

from __future__ import annotations

from collections.abc import Iterable

from memxc.errors import Fault, MemxcError, once

#: What can be said of a single stage, and the values where these are words.
KEYS: dict[str, tuple[str, ...]] = {
    "partition": ("packed", "paper", "paper-rectangular", "none"),
    "schedule": ("parallel", "sequential"),
    "tile": (),
}


def parse(text: str) -> tuple[str, str, str]:
    """Stage, key and value of STAGE.key=value. ValueError, in a sentence, where it is none."""
    place, equals, value = text.partition("=")
    stage, dot, key = place.rpartition(".")
    if not (equals and dot and stage and value):
        raise ValueError("a stage, a key and a value are wanted, STAGE.key=value")
    if key not in KEYS:
        raise ValueError(f"there is no key {key!r}; keys are {', '.join(KEYS)}")
    if key == "tile":
        tile(value)
    elif value not in KEYS[key]:
        raise ValueError(f"{key} is {' or '.join(KEYS[key])}")
    return stage, key, value


def by_stage(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """{stage: {key: value}} of several. MemxcError (usage): all faults."""
    found: dict[str, dict[str, str]] = {}
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


def tile(text: str) -> tuple[int, int]:
    """R or RxC: rows and columns of the unit crossbar. ValueError where they are none."""
    sizes = [whole(size) for size in text.split("x")]
    if len(sizes) > 2:
        raise ValueError("rows, or rows x columns, are wanted")
    rows, columns = sizes[0], sizes[-1]
    if not 3 <= rows <= 65536 or not 2 <= columns <= 65536:
        raise ValueError("a unit crossbar has 3 to 65536 rows and 2 to 65536 columns")
    return rows, columns


def whole(text: str) -> int:
    """A positive whole number. ValueError where it is none."""
    # int() of thousands of digits is refused by Python, with words about its settings.
    if not text.strip().isdecimal() or len(text) > 20 or not 0 < int(text) <= 2**31:
        raise ValueError(f"{text[:20]!r} is not a positive whole number")
    return int(text)
