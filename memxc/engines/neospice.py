"""neospice, in process: the embedded default, a wheel without system packages."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from memxc.engines import OPTIONS, Floats, checked
from memxc.errors import fail


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
        simulator = neospice.Simulator()  # type: ignore[attr-defined]
        # One point more: with a stop of 0 a sweep has no direction.
        text = f"{deck}.dc vk 0 {max(points - 1, 1)} 1\n{OPTIONS}\n.end\n"
        words: list[str] = []
        try:
            with _standard_error(words):
                result = simulator.run(simulator.parse(text)).dc_sweep
        except Exception as error:  # neospice raises its own C++ types
            raise fail("engine-failed", "neospice", str(error)) from error
        if words:
            # It skips a card that it cannot read; the answer would be another circuit's.
            raise fail("engine-failed", "neospice", "; ".join(words[:3]))
        lost = sorted(set(outputs) - {n[2:-1] for n in result.signal_names() if n[:2] == "v("})
        if lost:
            raise fail("engine-failed", "neospice", f"has no net {', '.join(lost[:5])}")
        values = np.array([result.voltage(net) for net in outputs]).reshape(len(outputs), -1)
        if values.shape[1] != max(points, 2):
            raise fail("engine-failed", "neospice", f"gave {values.shape[1]} of {points} points")
        return checked("neospice", values[:, :points].T)


@contextmanager
def _standard_error(words: list[str]) -> Iterator[None]:
    """Collect what C++ code writes to standard error: neospice's only way to warn."""
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
