"""The costs that plug-ins add: figures of a design, by the name of the cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from memxc import plugins
from memxc.errors import fail
from memxc.interfaces import Context, Cost
from memxc.ir.design import Design

#: What a field of a cost's result may be.
_PLAIN = (bool, int, float, str, type(None))


def available() -> dict[str, plugins.Plugin]:
    """The plug-ins that measure a cost, by its name."""
    return plugins.added("memxc.costs", (), _wrong)


def measure(design: Design, context: Context) -> Mapping[str, Mapping[str, Any]]:
    """The figures of a programmed design, by cost and by field.

    Raises MemxcError (bad-plugin) where a cost fails, or gives something else than plain figures.
    """
    return {name: _figures(plugin, design, context) for name, plugin in available().items()}


def _figures(plugin: plugins.Plugin, design: Design, context: Context) -> dict[str, Any]:
    where = f"cost {plugin.name} of {plugin}"
    try:
        result = plugin.value().measure(design, context)
    except Exception as error:
        what = f"failed: {type(error).__name__}: {error}"
        raise fail(
            "bad-plugin", where, what, "report it to the authors, or uninstall it"
        ) from error
    if isinstance(result, type) or not dataclasses.is_dataclass(result):
        raise fail("bad-plugin", where, f"gives {type(result).__name__}, not a dataclass")
    found = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    for name, value in found.items():
        if type(value) not in _PLAIN:
            raise fail("bad-plugin", where, f"its {name} is {type(value).__name__}, not plain")
    return found


def _wrong(name: str, value: Any) -> str | None:
    """Why an object is no cost of a name, None where it is one."""
    if not (isinstance(value, type) and issubclass(value, Cost)):
        return "is not a class that is a Cost"
    called = getattr(value, "name", None)
    return None if called == name else f"is called {called!r}"
