"""Settling times of linear circuits, from the exact step response of each.

A circuit with node volts x, capacitances C, conductances G and input currents b obeys

    C dx/dt = b - G x,      so a step from rest leaves      x(inf) - x(t) = exp(-C^-1 G t) G^-1 b

The eigenvalues l_k of -C^-1 G are the poles. The error of the output, relative to its final value,
is a sum of modes, e(t) = sum over k of c_k exp(l_k t), and the settling time is the last time at
which |e| is above the tolerance. A pole that does not decay makes the circuit unstable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: A response is computed at the square of this number of times, from 0 until its modes have
#: certainly decayed.
_POINTS = 24
#: Circuits whose responses are held at once (about 100 MB).
_AT_ONCE = 1024
#: Relative distance between the rates of the nodes of a circuit.
_APART = 1e-5
#: Times at which the response of a cascade is computed.
_CASCADE_POINTS = 8192


@dataclass(frozen=True, eq=False)
class LinearCircuits:
    """A stack of n linear circuits with m nodes, one step of current into each, and one output.

    capacitance: (n, m, m) farads and conductance: (n, m, m) siemens between the nodes, as in the
    equation of this module. current: (m,) amperes into the nodes. output: the number of the node.
    """

    capacitance: Floats
    conductance: Floats
    current: Floats
    output: int

    def some(self, which: NDArray[np.intp]) -> LinearCircuits:
        """Return some of the circuits."""
        return LinearCircuits(
            self.capacitance[which], self.conductance[which], self.current, self.output
        )

    def rates(self) -> Floats:
        """Return -C^-1 G, (n, m, m), 1/s."""
        # Equal poles have no modes of their own, so they are drawn apart by far less than matters.
        apart = 1 + _APART * np.arange(1, len(self.current) + 1)
        return -np.linalg.solve(self.capacitance, self.conductance) * apart[:, None]

    def final(self) -> Floats:
        """Return the volts of every node after the step has settled, (n, m)."""
        current = np.broadcast_to(
            self.current[:, None], (len(self.conductance), len(self.current), 1)
        )
        return np.asarray(np.linalg.solve(self.conductance, current)[..., 0])


@dataclass(frozen=True, eq=False)
class Responses:
    """What the step responses of a stack of circuits are like; each array is (n,).

    seconds: until the output stays within the tolerance; infinite for an unstable circuit.
    overshoot: how far the output goes beyond its final value, relative to it; inf if unstable.
    steepest: the largest slope of the output, relative to its final value, 1/s; inf if unstable.
    """

    seconds: Floats
    overshoot: Floats
    steepest: Floats


def responses(circuits: LinearCircuits, tolerance: float) -> Responses:
    """Return the step responses of a stack of circuits.

    tolerance: relative to the final value. Raises LinAlgError if the values of a circuit lie so far
    apart that its modes do not add up to its response.
    """
    poles, parts = _modes(circuits)
    stable = (poles.real < 0).all(axis=1)
    found = np.full((3, len(poles)), np.inf)
    if stable.any():
        chosen = np.flatnonzero(stable)
        for first in range(0, len(chosen), _AT_ONCE):
            some = chosen[first : first + _AT_ONCE]
            found[:, some] = _measured(poles[some], parts[some], tolerance)
    return Responses(*found)


def _modes(circuits: LinearCircuits) -> tuple[Complex, Complex]:
    """Return the poles (n, m) of each circuit, and each mode's part of the output's error."""
    final = circuits.final()
    poles, vectors = np.linalg.eig(circuits.rates())
    weights = np.linalg.solve(vectors, final[..., None].astype(complex))[..., 0]
    parts = vectors[:, circuits.output] * weights / final[:, circuits.output, None]
    # The output starts at 0, so its error starts at 1.
    if not (np.abs(parts.sum(axis=1) - 1) < 1e-6).all():
        raise np.linalg.LinAlgError("the modes do not add up")
    return np.asarray(poles, complex), np.asarray(parts, complex)


def _measured(poles: Complex, parts: Complex, tolerance: float) -> Floats:
    """Return seconds, overshoot and steepest slope (3, n) of stable circuits."""
    end = _decayed(poles.real, np.abs(parts), tolerance)
    step = end[:, None] / (_POINTS**2 - 1)
    error = _sampled(poles, parts, step)
    slope = np.abs(_sampled(poles, parts * poles, step)).max(axis=1)
    outside = np.abs(error) > tolerance
    last = len(error[0]) - 1 - np.argmax(outside[:, ::-1], axis=1)
    seconds = _crossing(poles, parts, tolerance, step[:, 0], np.minimum(last, len(error[0]) - 2))
    return np.stack([seconds, np.maximum(-error.min(axis=1), 0.0), slope])


def _decayed(rates: Floats, sizes: Floats, tolerance: float) -> Floats:
    """Return a time (n,) after which the sizes of all modes together are below the tolerance.

    It is found by bisection, from a time after which each mode is below its share.
    """
    shares = np.maximum(np.log(sizes * sizes.shape[1] / tolerance + 1e-300), 0.0)
    high = (shares / -rates).max(axis=1)
    low = np.zeros(len(high))
    for _ in range(30):
        middle = (low + high) / 2
        above = (sizes * np.exp(rates * middle[:, None])).sum(axis=1) > tolerance
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(high)


def _sampled(poles: Complex, parts: Complex, step: Floats) -> Floats:
    """Return the sum of the modes at _POINTS^2 times that are a step (n, 1) apart, from 0 on.

    exp(l (a p + b) step) = exp(l a p step) exp(l b step), so few exponentials are needed.
    """
    count = np.arange(_POINTS)
    fine = np.exp((poles * step)[..., None] * count)
    coarse = parts[..., None] * np.exp((poles * step)[..., None] * (_POINTS * count))
    return np.asarray((coarse.mT @ fine).real.reshape(len(poles), -1))


def _crossing(
    poles: Complex, parts: Complex, tolerance: float, step: Floats, last: NDArray[np.intp]
) -> Floats:
    """Return the time (n,) at which the error gets within the tolerance, after point `last`."""
    low, high = step * last, step * (last + 1)
    for _ in range(30):
        middle = (low + high) / 2
        error = (parts * np.exp(poles * middle[:, None])).sum(axis=1).real
        outside = np.abs(error) > tolerance
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    return high


def cascade(stages: Sequence[LinearCircuits], tolerance: float, most_s: float) -> float:
    """Return the settling time of circuits that drive each other without a clock, in seconds.

    stages: stacks of one stable circuit each, in their order. The output of each, relative to its
    final value, is the current of the next. Each mode obeys z' = l z - c l u with the output u of
    the stage before it; the recurrence is exact for a u that is linear between its 8,192 times.
    most_s: a time by which the last one has settled. Returns inf if it has not.
    """
    step = most_s / _CASCADE_POINTS
    signal = np.ones(_CASCADE_POINTS + 1)
    for stage in stages:
        (poles,), (parts,) = _modes(stage)
        modes = [_mode(pole, part, signal, step) for pole, part in zip(poles, parts, strict=True)]
        signal = np.sum(modes, axis=0)
    outside = np.flatnonzero(np.abs(signal - 1) > tolerance)
    last = int(outside[-1])
    if last == _CASCADE_POINTS:
        return np.inf
    here, there = np.abs(signal[last : last + 2] - 1)
    return float(step * (last + (here - tolerance) / (here - there)))


def _mode(pole: complex, part: complex, signal: Floats, step: float) -> Floats:
    """Return the part of one mode in a stage's output, at each time of its input."""
    x = pole * step
    decay = np.exp(x)
    # The integral of exp(l (step - t)) -l over a step, for an input that falls from 1 to 0, and
    # for one that rises from 0 to 1.
    rising = 1 - np.expm1(x) / x
    falling = -np.expm1(x) - rising
    drive = np.zeros(len(signal), dtype=complex)
    drive[1:] = part * (falling * signal[:-1] + rising * signal[1:])
    return np.asarray(lfilter([1.0], [1.0, -decay], drive).real)
