"""SPICE engines behind one small interface; each engine is a file that is found by discovery.

An engine sweeps a deck: a body with a source `vk k 0 0`, without analysis cards or `.end`, is
solved at v(k) = 0, 1, ..., points - 1.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess  # noqa: TID251
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from memxc import plugins
from memxc.errors import fail

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Options of every deck. The circuits are piecewise linear, so tight tolerances cost nothing.
EXACT = ".options reltol=1e-9 vntol=1e-12 abstol=1e-15 noacct"


class Engine(Protocol):
    """A SPICE engine."""

    name: str
    reports_power: bool

    def version(self) -> str | None:
        """Return the engine's version, or None if it is not installed."""

    def sweep(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        """Return the values of `outputs` at every point, (points, outputs).

        An output is a net in volts (`n3_5`, inside an instance `x1.c3`), `i(<voltage source>)` in
        amperes, and for an engine that `reports_power` also `@r.<instance>.<device>[p]` in watts.

        Raises MemxcError: missing-engine, or engine-failed with the engine's own words.
        """


class TransientEngine(Engine, Protocol):
    """A SPICE engine that also computes how a circuit changes with time."""

    def transient(
        self,
        deck: str,
        outputs: Sequence[str],
        step_s: float,
        end_s: float,
        devices: bool = False,
    ) -> tuple[Floats, Floats]:
        """Return times (n,) from 0 to `end_s` and the volts of `outputs` at each, (n, outputs).

        deck: a body without analysis cards or `.end`. The circuit starts at its operating point.
        step_s: the largest step. devices: whether tolerances are those of `sweep_devices`.
        Raises MemxcError as `sweep` does.
        """

    def sweep_devices(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        """Return what `sweep` does, to the 1e-6 at which models of transistors converge."""

    def small_signal(
        self, deck: str, outputs: Sequence[str], low_hz: float, high_hz: float, per_decade: int
    ) -> tuple[Floats, Complex]:
        """Return frequencies (n,) and the amplitudes of `outputs` at each, (n, outputs).

        deck: a body with a source of `ac 1`. Raises MemxcError as `sweep` does.
        """


@cache
def _all() -> dict[str, Engine]:
    engines: dict[str, Engine] = {}
    for module in pkgutil.iter_modules(__path__):
        engine: Engine = importlib.import_module(f"{__name__}.{module.name}").ENGINE
        engines[engine.name] = engine
    for name, plugin in plugins.added("memxc.engines", set(engines), _no_engine).items():
        engines[name] = plugin.value
    return engines


def _no_engine(name: str, value: Any) -> str | None:
    """Return why an object is not the engine with this name; None if it is."""
    lacks = [
        key for key in ("name", "reports_power", "version", "sweep") if not hasattr(value, key)
    ]
    if isinstance(value, type) or lacks:
        return f"is not an engine: {'it is a class' if not lacks else 'it has no ' + lacks[0]}"
    return None if value.name == name else f"is called {value.name!r}"


def names() -> list[str]:
    """Return the names of all engines that memxc knows, installed or not."""
    return sorted(_all())


def get(name: str) -> Engine:
    """Return an engine by name. Raises MemxcError (usage) if there is none with this name."""
    if name not in _all():
        raise fail(
            "usage", f"--engine {name}", "no such engine", f"one of auto, {', '.join(names())}"
        )
    return _all()[name]


def transient(name: str) -> TransientEngine:
    """Return an engine that computes transients. Raises MemxcError (usage) for any other."""
    engine = get(name)
    if not hasattr(engine, "transient"):
        what = "does not compute how a circuit changes with time"
        raise fail("usage", f"--transient with {name}", what, "use --engine ngspice")
    return cast("TransientEngine", engine)


def sweep(name: str, deck: str, outputs: Sequence[str], points: int) -> Floats:
    """Call `Engine.sweep` of an engine by name, so that another process has little to import."""
    return get(name).sweep(deck, outputs, points)


def default() -> Engine:
    """Return the engine for circuits of every size: the embedded one, which is always installed.

    Without wires both engines are equally fast; with wires, ngspice's sparse solver takes minutes
    where neospice takes seconds (128 x 128).
    """
    return get("neospice")


#: 2 word lines, 3 bit lines: two end in ammeters, the third in an op-amp; and a clamp.
_CHECK = """* check
vk k 0 0
.subckt xb w0 w1 c0 c1 c2
r0_0 w0 c0 1k
r0_1 w0 c1 2k
r0_2 w0 c2 4k
r1_0 w1 c0 10k
r1_2 w1 c2 2k
.ends xb
bi a 0 v=pwl(v(k),0,1,1,-2,2,4)
vi b 0 0.5
x1 a b p m q xb
vp p 0 0
vm m 0 0
h1 d 0 vp 1000
e1 o 0 0 q 97
rf o q 2k
bo l 0 v=min(max(v(d),0-1),1)
"""
#: Worked out by hand. d = 1k * (a / 1k + b / 10k); i(vm) = a / 2k;
#: o = -2k * (a / 4k + b / 2k) / (1 + (1 + 2k / 4k + 2k / 2k) / 97) = -(a / 2 + b) * 97 / 99.5.
_ANSWERS = {
    "d": (1.05, -1.95, 4.05),
    "l": (1.0, -1.0, 1.0),
    "i(vm)": (5e-4, -1e-3, 2e-3),
    "o": (-97 / 99.5, 48.5 / 99.5, -242.5 / 99.5),
}


def check(engine: Engine) -> str | None:
    """Return what an engine computes wrongly for a crossbar with known answers; None if nothing."""
    values = engine.sweep(_CHECK, list(_ANSWERS), 3)
    errors = np.abs(values - np.array(list(_ANSWERS.values())).T).max(axis=0)
    wrong = [name for name, error in zip(_ANSWERS, errors, strict=True) if not error < 1e-9]
    return f"a 2 x 3 crossbar came out wrong at {', '.join(wrong)}" if wrong else None


def vector(output: str) -> str:
    """Return an output as engines name it: a bare net means its volts."""
    name = output.lower()
    return name if name.startswith("@") or "(" in name else f"v({name})"


def closed(deck: str, points: int, options: str = EXACT) -> str:
    """Return a deck with its analysis, ready to run."""
    # A single point is swept as two, because a sweep from 0 to 0 has no direction.
    return f"{deck}.dc vk 0 {max(points - 1, 1)} 1\n{options}\n.end\n"


def picked(engine: str, table: Mapping[str, Floats], outputs: Sequence[str], points: int) -> Floats:
    """Return the outputs among an engine's vectors, (points, outputs).

    Raises MemxcError (engine-failed) for a missing net, missing points, and nan or infinity.
    """
    lost = sorted({name for name in outputs if vector(name) not in table})
    if lost:
        raise fail("engine-failed", engine, f"has no net {', '.join(lost[:5])}")
    swept = max(points, 2)
    short = [name for name in outputs if len(table[vector(name)]) != swept]
    if short:
        what = f"gave {len(table[vector(short[0])])} of {swept} points"
        raise fail("engine-failed", engine, what)
    values = np.array([table[vector(name)] for name in outputs]).reshape(len(outputs), swept)
    if not np.isfinite(values).all():
        raise fail("engine-failed", engine, "gave NaN or infinity")
    return values[:, :points].T


def called(
    engine: str, command: Sequence[str], folder: Path, patience: float, settings: Mapping[str, str]
) -> tuple[int, str]:
    """Run an engine's program in a folder; return its exit status and everything that it prints.

    patience: seconds to wait. settings: variables of the environment besides the user's own.
    Raises MemxcError (engine-failed) if it does not start, or does not end in time.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", **settings},
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=patience,
        )
    except subprocess.TimeoutExpired as error:
        what = f"no answer in {patience:g} s"
        raise fail("engine-failed", engine, what, "use --engine neospice") from error
    except OSError as error:
        raise fail("engine-failed", engine, f"does not start: {error.strerror}") from error
    return done.returncode, done.stdout + done.stderr


def read_raw(raw: bytes) -> dict[str, Floats]:
    """Return the vectors of a binary raw file of real numbers by lower-case name; otherwise {}."""
    return _vectors(raw, "<f8")


def read_complex_raw(raw: bytes) -> dict[str, Complex]:
    """Return the vectors of a binary raw file of complex numbers by lower-case name, or {}."""
    return _vectors(raw, "<c16")


def _vectors(raw: bytes, dtype: str) -> dict[str, NDArray[Any]]:
    head, binary, data = raw.partition(b"Binary:\n")
    rows = head.decode("latin-1").partition("Variables:\n")[2].splitlines()
    names = [words[1].lower() for row in rows if len(words := row.split()) > 1]
    if not (binary and names):
        return {}
    size = np.dtype(dtype).itemsize
    table = np.frombuffer(data[: len(data) // size * size], dtype=dtype)
    table = table[: len(table) // len(names) * len(names)].reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))
