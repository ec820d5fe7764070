"""neospice, in this process: the embedded default engine, a wheel without system packages."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from memxc.engines import Floats, closed, picked, vector
from memxc.errors import fail

#: Cards that neospice 0.2 skips without a warning: XSPICE, OSDI, coupled lines, RC lines.
_UNHEARD = re.compile(r"^[anpuy]\S*", re.M)


class _Neospice:
    name = "neospice"
    reports_power = False

    def version(self) -> str | None:
        try:
            return importlib.metadata.version("neospice")
        except importlib.metadata.PackageNotFoundError:
            return None

    def sweep(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        try:
            import neospice  # noqa: TID251, PLC0415 - an optional engine, and slow to import
        except ImportError as error:
            raise fail("missing-engine", "neospice", str(error), "pip install neospice") from error
        # In neospice, unlike in SPICE, `A` and `a` are two nets.
        text = closed(deck, points).lower()
        unheard = _UNHEARD.search(text, text.index("\n"))
        if unheard:
            what = f"has no device for card {unheard[0]}"
            raise fail("engine-failed", "neospice", what, "use --engine ngspice")
        simulator = neospice.Simulator()  # type: ignore[attr-defined]
        words: list[str] = []
        try:
            with _standard_error(words):
                result = simulator.run(simulator.parse(text)).dc_sweep
        except Exception as error:  # neospice raises its own C++ types
            raise fail("engine-failed", "neospice", str(error)) from error
        if words:
            # neospice skips a card that it cannot read, so the answer would be for another circuit.
            what = "; ".join(words[:3])
            raise fail("engine-failed", "neospice", what, "use --engine ngspice")
        wanted = set(map(vector, outputs)).intersection(result.signal_names())
        table = {
            name: result.current(name) if name.startswith("i(") else result.voltage(name)
            for name in wanted
        }
        return picked("neospice", table, outputs, points)


@contextmanager
def _standard_error(words: list[str]) -> Iterator[None]:
    """Collect what C++ code writes to standard error, which is neospice's only way to warn."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            words += file.read().decode("utf-8", "replace").splitlines()


ENGINE = _Neospice()
