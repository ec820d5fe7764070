"""ngspice, as a process: the reference engine, a system package."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memxc.engines import Floats, called, closed, picked, read_raw, vector
from memxc.errors import MemxcError, fail

#: Seconds to wait; a 128 x 128 crossbar with wires takes ngspice 39 about three minutes.
_PATIENCE = 3600
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
        path = shutil.which("ngspice")
        if path is None:
            hint = "apt-get install ngspice, or use --engine neospice"
            raise fail("missing-engine", "ngspice", "is not installed", hint)
        if _LIMIT.search(deck):
            raise fail("engine-failed", "ngspice", "reads limit() as 0", "write min(max(...))")
        # One .save a vector saves only what is asked for, and lines stay short.
        saves = "".join(f".save {name}\n" for name in dict.fromkeys(map(vector, outputs)))
        table, words = _run(path, closed(deck + saves, points))
        cut = any(len(values) < points for values in table.values())
        # For a value that a device does not report, ngspice gives zeros and this warning.
        if not table or cut or "unrecognized variable" in words:
            raise _failed(words)
        return picked("ngspice", table, outputs, points)

    def transient(
        self, deck: str, outputs: Sequence[str], step_s: float, end_s: float
    ) -> tuple[Floats, Floats]:
        path = shutil.which("ngspice")
        if path is None:
            hint = "apt-get install ngspice"
            raise fail("missing-engine", "ngspice", "is not installed", hint)
        names = [vector(name) for name in outputs]
        saves = "".join(f".save {name}\n" for name in dict.fromkeys(names))
        options = ".options reltol=1e-6 vntol=1e-12 abstol=1e-18 noacct\n"
        cards = f".tran {step_s:.9e} {end_s:.9e} 0 {step_s:.9e}\n{options}.end\n"
        table, words = _run(path, deck + saves + cards)
        if not {"time", *names} <= table.keys() or table["time"][-1] < 0.999 * end_s:
            raise _failed(words)
        return table["time"], np.array([table[name] for name in names]).T


def _run(path: str, text: str) -> tuple[dict[str, Floats], str]:
    """Return the vectors that ngspice computes for a deck, and everything that it prints."""
    try:
        with tempfile.TemporaryDirectory(prefix="memxc-ngspice-") as folder:
            here = Path(folder)
            (here / "deck.cir").write_text(text, "utf-8")
            words = _call([path, "-n", "-b", "-r", "out.raw", "deck.cir"], here, _PATIENCE)
            raw = here / "out.raw"
            return (read_raw(raw.read_bytes()) if raw.is_file() else {}), words
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
