"""A circuit on a bench: it runs in SPICE with its rails, and step responses are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc import engines
from memxc.cells.text import Circuits
from memxc.engines import Complex, Floats

#: The engine of every bench: BSIM4 models, small signals and transients need it.
ENGINE = "ngspice"
#: The relative error of a settled output.
TOLERANCE = 1e-3
#: A step comes after this share of a transient, which has so many time steps. An output that has
#: not settled is simulated again, this many times as long, and at most so many times.
_BEFORE, _STEPS, _LONGER, _TIMES = 1 / 20, 600, 4, 5


@dataclass(frozen=True, eq=False)
class Bench:
    """A cell at a corner and a temperature. celsius: degrees."""

    circuits: Circuits
    name: str
    corner: str
    celsius: float

    def sweep(self, cards: str, outputs: Sequence[str], points: int) -> Floats:
        """Return outputs (points, outputs) at v(k) = 0, 1, ... . Raises MemxcError."""
        deck = f"{self._head()}vk k 0 0\n{cards}"
        return engines.transient(ENGINE).sweep_devices(deck, outputs, points)

    def small_signal(self, cards: str, outputs: Sequence[str]) -> tuple[Floats, Complex]:
        """Return frequencies (n,) from 10 Hz to 10 GHz, and amplitudes (n, outputs)."""
        engine = engines.transient(ENGINE)
        return engine.small_signal(self._head() + cards, outputs, 10.0, 1e10, 10)

    def steps(self, cards: str, outputs: Sequence[str], end_s: float) -> tuple[Step | None, ...]:
        """Return the response of each output to a step at the time `{step}` of the cards.

        end_s: a first guess of the time until all have settled. None: an output never settles.
        """
        for _ in range(_TIMES):
            start = end_s * _BEFORE
            deck = self._head() + cards.replace("{step}", f"{start:.9e}")
            engine = engines.transient(ENGINE)
            times, volts = engine.transient(deck, outputs, end_s / _STEPS, end_s, devices=True)
            found = tuple(_step(times, column, start) for column in volts.T)
            if None not in found:
                break
            end_s *= _LONGER
        return found

    def _head(self) -> str:
        return self.circuits.head(self.name, self.corner, self.celsius)


@dataclass(frozen=True)
class Step:
    """How an output goes from one level to another.

    seconds: until it stays within 0.1 % of the step. overshoot: a share of the step. slope: volts
    per second from 10 % to 40 % of the step.
    """

    seconds: float
    overshoot: float
    slope: float


def _step(times: Floats, volts: Floats, start: float) -> Step | None:
    """Return the step of an output, or None if it has not been settled for a third of the time."""
    before = float(np.interp(start, times, volts))
    size = volts[-1] - before
    after = times > start
    if not abs(size) > 1e-6:
        return None
    error = (volts - before)[after] / size - 1
    seconds = times[after] - start
    outside = np.flatnonzero(np.abs(error) > TOLERANCE)
    if not len(outside) or seconds[outside[-1]] > seconds[-1] * 2 / 3:
        return None
    low, high = (_reached(seconds, error, share - 1) for share in (0.1, 0.4))
    slope = 0.3 * abs(size) / max(high - low, 1e-15)
    return Step(_crossing(seconds, error, int(outside[-1])), float(max(error.max(), 0)), slope)


def _reached(seconds: Floats, error: Floats, value: float) -> float:
    """Return the first time at which the error is at a value that it begins below."""
    at = max(int(np.argmax(error > value)), 1)
    return float(np.interp(value, error[at - 1 : at + 1], seconds[at - 1 : at + 1]))


def _crossing(seconds: Floats, error: Floats, last: int) -> float:
    """Return the time between point `last` and the next at which the error is the tolerance."""
    here, there = np.abs(error[last : last + 2])
    share = (here - TOLERANCE) / (here - there)
    return float(seconds[last] + share * (seconds[last + 1] - seconds[last]))


def places(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Return the expression of a source that has value number v(k)."""
    pairs = ",".join(f"{k},{value:.9e}" for k, value in enumerate(values))
    return f"pwl(v(k),{pairs},{len(values)},{values[-1]:.9e})"
