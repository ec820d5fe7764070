"""Passes: each changes one thing and has a file of its own, and is found by discovery.

A pass is a frozen dataclass with a `name`; its fields are its options. An exact pass keeps the
outputs to 1e-9. What a lossy pass loses is measured and recorded.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from memxc import documents, plugins
from memxc.errors import Fault, MemxcError, like, once
from memxc.interfaces import DesignPass, GraphPass, Pass


@cache
def available() -> dict[str, type[Pass]]:
    """Return every pass by name, from the files of this folder and from plug-ins."""
    passes: dict[str, type[Pass]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Pass) and "name" in vars(value):
                first = passes.setdefault(value.name, value)
                assert first is value, f"pass {value.name!r} stands in two files"
    for name, plugin in plugins.added("memxc.passes", set(passes), _no_pass).items():
        passes[name] = plugin.value
    return dict(sorted(passes.items()))


def _no_pass(name: str, value: Any) -> str | None:
    """Return why an object is not the pass of that name, or None if it is."""
    if not (isinstance(value, type) and issubclass(value, GraphPass | DesignPass)):
        return "is not a class that is a GraphPass or a DesignPass"
    if getattr(value, "name", None) != name:
        return f"is called {getattr(value, 'name', None)!r}"
    if not (is_dataclass(value) and value.__dataclass_params__.frozen):
        return "is not a frozen dataclass"
    without = [f.name for f in fields(value) if f.default is MISSING]
    return f"has options without a default: {', '.join(without)}" if without else None


def parse(text: str) -> list[Pass]:
    """Return the passes of a pipeline that is given as text: "partition{policy=paper},tile".

    Raises MemxcError (usage) with everything that cannot be read.
    """
    passes, faults = [], []
    for item in re.findall(r"[^,{]+(?:\{[^}]*\})?", text):
        name, _, body = item.strip().partition("{")
        cls = available().get(name)
        if cls is None:
            hint = like(name, available()) or "memxc passes lists them"
            faults.append(Fault("usage", f"--passes {item}", f"no pass {name!r}", hint))
            continue
        try:
            passes.append(cls(**_options(cls, body.rstrip("}"))))
        except ValueError as error:
            faults.append(Fault("usage", f"--passes {item}", str(error)))
    if faults:
        raise MemxcError(faults)
    return passes


def _options(cls: type[Pass], body: str) -> dict[str, object]:
    default, hints = cls().options(), get_type_hints(cls)
    options: dict[str, object] = {}
    for part in filter(None, (p.strip() for p in body.split(","))):
        key, _, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if key not in default:
            raise ValueError(f"no option {key!r}; it has {', '.join(default) or 'none'}")
        once(key, options)
        try:
            options[key] = TypeAdapter(hints[key]).validate_python(value.strip())
        except ValidationError as error:
            words = documents.said(error.errors()[0])
            raise ValueError(f"{key} = {value.strip()!r}: {words}") from None
    return options
