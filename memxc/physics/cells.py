"""I-V laws of memristors: amperes and their slope for cells of given conductance at given volts.

linear: i = g v. sinh: i = g v0 sinh(v / v0), so g is the conductance at small volts. table: curves
as measured, straight between their points; g is the conductance at the read voltage, and a cell
between two measured states has currents between theirs, in proportion to g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memxc.target import Curve, Device

Floats = NDArray[np.float64]


class Law(Protocol):
    """i(v) of a cell of g siemens: i(0) = 0, ever rising where g > 0, and 0 where g = 0."""

    @property
    def reach(self) -> tuple[float, float]:
        """The volts between which the law holds."""

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """Amperes and siemens di/dv, of one shape with g and volts; finite beyond the reach."""


class Linear:
    """Ohm's law."""

    reach = (-np.inf, np.inf)

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """As in Law."""
        return g * volts, g


@dataclass(frozen=True)
class Sinh:
    """i = g v0 sinh(v / v0)."""

    v0: float
    reach = (-np.inf, np.inf)

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """As in Law."""
        amperes = g * (self.v0 * np.sinh(volts / self.v0))
        return amperes, np.hypot(g, amperes / self.v0)


@dataclass(frozen=True, eq=False)
class Table:
    """Measured curves: currents are linear between two points of a curve, and between two curves.

    g (states,) S at the read voltage, ascending, the first one 0; volts (points,) ascending;
    amperes (states, points), those of the first state 0. With g_k <= g <= g_k+1 and
    s = (g - g_k) / (g_k+1 - g_k), i = (1 - s) i_k(v) + s i_k+1(v); above the last state its
    currents times g / g_last.
    """

    g: Floats
    volts: Floats
    amperes: Floats

    @property
    def reach(self) -> tuple[float, float]:
        """The volts between which every curve is measured."""
        return float(self.volts[0]), float(self.volts[-1])

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """As in Law."""
        state = np.searchsorted(self.g[1:-1], g, side="right")
        low, high = self.g[state], self.g[state + 1]
        above = g > self.g[-1]
        more = np.where(above, g / high, (g - low) / (high - low))
        less = np.where(above, 0.0, 1 - more)
        # Beyond the points the outermost stretches go on.
        point = np.searchsorted(self.volts[1:-1], volts, side="right")
        slopes = np.diff(self.amperes) / np.diff(self.volts)
        past = volts - self.volts[point]
        slope = less * slopes[state, point] + more * slopes[state + 1, point]
        start = less * self.amperes[state, point] + more * self.amperes[state + 1, point]
        return start + slope * past, slope


def law(device: Device) -> Law:
    """The I-V law that a target's device has."""
    match device.iv:
        case "linear":
            return Linear()
        case "sinh":
            assert device.sinh_v0_v is not None, "a device was not checked"
            return Sinh(device.sinh_v0_v)
        case "table":
            return table(device.curves, device.read_voltage_v)


def table(curves: Sequence[Curve], read_voltage_v: float) -> Table:
    """The law of measured curves, on all their points together, within what all of them reach."""
    curves = sorted(curves, key=lambda curve: curve.conductance(read_voltage_v))
    first = max(curve.points[0][0] for curve in curves)
    last = min(curve.points[-1][0] for curve in curves)
    volts = np.unique([v for curve in curves for v, _ in curve.points if first <= v <= last])
    amperes = [np.interp(volts, *np.transpose(curve.points)) for curve in curves]
    g = [curve.conductance(read_voltage_v) for curve in curves]
    return Table(np.array([0.0, *g]), volts, np.array([0.0 * volts, *amperes]))
