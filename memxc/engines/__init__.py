"""SPICE engines behind one small interface, one file an engine, found by discovery.

An engine sweeps a deck: a body with a source `vk k 0 0`, without analysis cards or `.end`, is
solved at v(k) = 0, 1, ..., points - 1.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail

Floats = NDArray[np.float64]

#: What every deck is solved with: piecewise linear circuits, so tight tolerances cost nothing.
OPTIONS = ".options reltol=1e-9 vntol=1e-12 abstol=1e-15"


class Engine(Protocol):
    """A SPICE engine."""

    name: str
    reports_power: bool

    def version(self) -> str | None:
        """The engine's version, None where it is not installed."""

    def sweep(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        """Volts of the nets `outputs` at every point, (points, outputs).

        An engine that `reports_power` also takes `@r.<instance>.<device>[p]`, in watts.

        Raises MemxcError: missing-engine, or engine-failed with the engine's own words.
        """


@cache
def _all() -> dict[str, Engine]:
    found: dict[str, Engine] = {}
    for module in pkgutil.iter_modules(__path__):
        engine: Engine = importlib.import_module(f"{__name__}.{module.name}").ENGINE
        found[engine.name] = engine
    return found


def names() -> list[str]:
    """Every engine that memxc knows, installed or not."""
    return sorted(_all())


def get(name: str) -> Engine:
    """An engine by name. Raises MemxcError (usage) where there is none of that name."""
    if name not in _all():
        raise fail(
            "usage", f"--engine {name}", "no such engine", f"one of auto, {', '.join(names())}"
        )
    return _all()[name]


def choose(devices: int, wired: bool) -> Engine:
    """The engine for circuits of this size: the embedded one, which is always there.

    Without wires both are alike; with them ngspice's sparse solver takes minutes where neospice
    takes seconds (128 x 128). So size does not change the choice yet.
    """
    return get("neospice")


def check(engine: Engine) -> str | None:
    """What is wrong with an engine, by a divider and a clamp whose answers are known; or None."""
    deck = (
        "* check\nvk k 0 0\nbi i 0 v=pwl(v(k),0,1,1,-2,2,4)\nr1 i a 1k\nr2 a 0 3k\n"
        "bo o 0 v=min(max(v(a),0-1),1)\n"
    )
    found = engine.sweep(deck, ["a", "o"], 3)
    wanted = np.array([[0.75, 0.75], [-1.5, -1.0], [3.0, 1.0]])
    apart = float(np.abs(found - wanted).max())
    return None if apart < 1e-8 else f"a divider and a clamp came out wrong by {apart:.1e} V"


def checked(name: str, values: Floats) -> Floats:
    """Values of a sweep, refused where the engine gave something that is no number."""
    if not np.isfinite(values).all():
        raise fail("engine-failed", name, "gave NaN or infinity")
    return values
