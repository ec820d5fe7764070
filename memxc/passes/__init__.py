"""Passes: one change each, one file each, found by discovery. Options are the fields of a pass.

A pass is a frozen dataclass with a `name`; an exact one keeps the meaning to 1e-9, a lossy one
has what it lost measured and recorded.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from typing import Any

from memxc.errors import Fault, MemxcError, like, once
from memxc.interfaces import Pass


@cache
def available() -> dict[str, type[Pass]]:
    """Every pass by name, from the files of this folder."""
    found: dict[str, type[Pass]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Pass) and "name" in vars(value):
                other = found.setdefault(value.name, value)
                assert other is value, f"pass {value.name!r} stands in two files"
    return dict(sorted(found.items()))


def parse(text: str) -> list[Pass]:
    """A pipeline as text, "partition{policy=paper},tile": passes and their options.

    Raises MemxcError (usage) with everything that cannot be read.
    """
    found, faults = [], []
    for item in re.findall(r"[^,{]+(?:\{[^}]*\})?", text):
        name, _, body = item.strip().partition("{")
        cls = available().get(name)
        if cls is None:
            hint = like(name, available()) or "memxc passes lists them"
            faults.append(Fault("usage", f"--passes {item}", f"no pass {name!r}", hint))
            continue
        try:
            found.append(cls(**_options(cls, body.rstrip("}"))))
        except ValueError as error:
            faults.append(Fault("usage", f"--passes {item}", str(error)))
    if faults:
        raise MemxcError(faults)
    return found


def _options(cls: type[Pass], body: str) -> dict[str, object]:
    default = cls().options()
    options: dict[str, object] = {}
    for part in filter(None, (p.strip() for p in body.split(","))):
        key, _, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if key not in default:
            raise ValueError(f"no option {key!r}; it has {', '.join(default) or 'none'}")
        once(key, options)
        kind: Any = type(default[key])
        options[key] = kind(value.strip())
    return options
