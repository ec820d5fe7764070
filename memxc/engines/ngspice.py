"""ngspice, as a process: the reference engine, a system package."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memxc.engines import (
    EXACT,
    Complex,
    Floats,
    called,
    closed,
    picked,
    read_complex_raw,
    read_raw,
    vector,
)
from memxc.errors import MemxcError, fail

#: Seconds to wait; a 128 x 128 crossbar with wires takes ngspice 39 about three minutes.
_PATIENCE = 3600
#: Tolerances of circuits with models of transistors.
_DEVICES = ".options reltol=1e-6 vntol=1e-9 abstol=1e-12 noacct"
#: ngspice 39 reads limit() as 0, without a warning.
_LIMIT = re.compile(r"^[^*\n][^\n]*\blimit\s*\(", re.M | re.I)
#: Words of a line that says what went wrong.
_TELLING = re.compile("error|singular|fail|abort|unrecognized", re.I)


class _Ngspice:
    name = "ngspice"
    reports_power = True

    def version(self) -> str | None:
        path = shutil.which("ngspice")
        if path is None:
            return None
        try:
            match = re.search(r"ngspice-(\S+)", _call([path, "--version"], Path(), patience=60))
        except MemxcError:
            match = None
        return match[1] if match else "unknown"

    def sweep(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        return _sweep(deck, outputs, points, EXACT)

    def sweep_devices(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        return _sweep(deck, outputs, points, _DEVICES)

    def transient(
        self,
        deck: str,
        outputs: Sequence[str],
        step_s: float,
        end_s: float,
        devices: bool = False,
    ) -> tuple[Floats, Floats]:
        path = _needed()
        names, saves = _saved(outputs)
        options = _DEVICES if devices else ".options reltol=1e-6 vntol=1e-12 abstol=1e-18 noacct"
        cards = f".tran {step_s:.9e} {end_s:.9e} 0 {step_s:.9e}\n{options}\n.end\n"
        table, words = _run(path, deck + saves + cards)
        if not {"time", *names} <= table.keys() or table["time"][-1] < 0.999 * end_s:
            raise _failed(words)
        return table["time"], np.array([table[name] for name in names]).T

    def small_signal(
        self, deck: str, outputs: Sequence[str], low_hz: float, high_hz: float, per_decade: int
    ) -> tuple[Floats, Complex]:
        path = _needed()
        names, saves = _saved(outputs)
        cards = f".ac dec {per_decade} {low_hz:.9e} {high_hz:.9e}\n{_DEVICES}\n.end\n"
        raw, words = _raw(path, deck + saves + cards)
        table = read_complex_raw(raw)
        if not {"frequency", *names} <= table.keys():
            raise _failed(words)
        found = np.array([table[name] for name in names]).T
        if not np.isfinite(found).all():
            raise fail("engine-failed", "ngspice", "gave NaN or infinity")
        return table["frequency"].real, found


def _sweep(deck: str, outputs: Sequence[str], points: int, options: str) -> Floats:
    path = _needed()
    if _LIMIT.search(deck):
        raise fail("engine-failed", "ngspice", "reads limit() as 0", "write min(max(...))")
    # One .save a vector saves only what is asked for, and lines stay short.
    _, saves = _saved(outputs)
    table, words = _run(path, closed(deck + saves, points, options))
    cut = any(len(values) < points for values in table.values())
    # For a value that a device does not report, ngspice gives zeros and this warning.
    if not table or cut or "unrecognized variable" in words:
        raise _failed(words)
    return picked("ngspice", table, outputs, points)


def _needed() -> str:
    """Return the path of ngspice. Raises MemxcError (missing-engine)."""
    path = shutil.which("ngspice")
    if path is None:
        hint = "apt-get install ngspice, or use --engine neospice"
        raise fail("missing-engine", "ngspice", "is not installed", hint)
    return path


def _saved(outputs: Sequence[str]) -> tuple[list[str], str]:
    """Return outputs as ngspice names them, and the cards that save them."""
    names = [vector(name) for name in outputs]
    return names, "".join(f".save {name}\n" for name in dict.fromkeys(names))


def _run(path: str, text: str) -> tuple[dict[str, Floats], str]:
    """Return the vectors that ngspice computes for a deck, and everything that it prints."""
    raw, words = _raw(path, text)
    return read_raw(raw), words


def _raw(path: str, text: str) -> tuple[bytes, str]:
    """Return the raw file that ngspice writes for a deck, b"" for none, and what it prints."""
    try:
        with tempfile.TemporaryDirectory(prefix="memxc-ngspice-") as folder:
            here = Path(folder)
            (here / "deck.cir").write_text(text, "utf-8")
            words = _call([path, "-n", "-b", "-r", "out.raw", "deck.cir"], here, _PATIENCE)
            raw = here / "out.raw"
            return (raw.read_bytes() if raw.is_file() else b""), words
    except OSError as error:
        what = f"its files in {tempfile.gettempdir()}: {error.strerror}"
        raise fail("engine-failed", "ngspice", what) from error


def _call(command: Sequence[str], folder: Path, patience: float) -> str:
    """Run ngspice and return everything that it prints.

    The user's init files and variables have no influence.
    """
    status, words = called("ngspice", command, folder, patience, {"SPICE_ASCIIRAWFILE": "0"})
    if status:
        raise _failed(words)
    return words


def _failed(words: str) -> MemxcError:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return fail("engine-failed", "ngspice", "; ".join((telling or lines)[-3:]) or "no answer")


ENGINE = _Ngspice()
