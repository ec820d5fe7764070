"""I-V laws of memristors: current and slope of cells with a conductance at a voltage.

    linear:  i = g v
    sinh:    i = g v0 sinh(v / v0)               g is the conductance at small volts
    table:   i = (1 - s) i_k(v) + s i_k+1(v)     i_k are measured curves, g is i / v at the read
             s = (g - g_k) / (g_k+1 - g_k)       voltage, and g_k <= g <= g_k+1

          i |       / sinh
            |      /  . linear
            |     / .
            |   /.
            |_.'________ v

docs/targets.md says how a target chooses its law.
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
    """i(v) of a cell of g siemens: i(0) = 0, rising where g > 0, and 0 where g = 0."""

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest voltage at which the law holds."""

    @property
    def odd(self) -> bool:
        """Whether i(-v) = -i(v)."""

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """Return amperes and the slope di/dv in siemens, both of the common shape of g and volts.

        They are finite beyond the reach, too.
        """

    def shares(self, g: Floats) -> Floats:
        """Return the curves' shares in the cells, (curves, *g.shape): i = sum(shares * curves)."""

    def curves(self, volts: Floats) -> Floats:
        """Return the curves that all cells of the law share, (curves, *volts.shape)."""

    def exprs(self, volts: str) -> list[str]:
        """Return the curves as lane functions (memxc.ir.expr) of the lane function `volts`."""


class LinearLaw:
    """Ohm's law."""

    reach = (-np.inf, np.inf)
    odd = True

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """As in Law."""
        return g * volts, g

    def shares(self, g: Floats) -> Floats:
        """As in Law."""
        return g[None]

    def curves(self, volts: Floats) -> Floats:
        """As in Law."""
        return volts[None]

    def exprs(self, volts: str) -> list[str]:
        """As in Law."""
        return [volts]


@dataclass(frozen=True)
class SinhLaw:
    """i = g v0 sinh(v / v0)."""

    v0: float
    reach = (-np.inf, np.inf)
    odd = True

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """As in Law."""
        amperes = g * (self.v0 * np.sinh(volts / self.v0))
        return amperes, np.hypot(g, amperes / self.v0)

    def shares(self, g: Floats) -> Floats:
        """As in Law."""
        return g[None]

    def curves(self, volts: Floats) -> Floats:
        """As in Law."""
        return np.asarray(self.v0 * np.sinh(volts / self.v0))[None]

    def exprs(self, volts: str) -> list[str]:
        """As in Law."""
        ratio = f"{1 / self.v0!r}*{volts}"
        return [f"{self.v0 / 2!r}*(exp({ratio})-exp(-({ratio})))"]


@dataclass(frozen=True, eq=False)
class TableLaw:
    """Measured curves; currents are linear between the points of a curve and between two curves.

    g: (states,) S at the read voltage, ascending, the first one 0. volts: (points,), ascending.
    amperes: (states, points), 0 for the first state. Above the last state, a cell has that state's
    currents times g / g_last.
    """

    g: Floats
    volts: Floats
    amperes: Floats

    odd = False

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest voltage at which every curve is measured."""
        return float(self.volts[0]), float(self.volts[-1])

    def __call__(self, g: Floats, volts: Floats) -> tuple[Floats, Floats]:
        """As in Law."""
        state, less, more = self._between(g)
        # Beyond the measured points, the outermost segments are extended.
        point = np.searchsorted(self.volts[1:-1], volts, side="right")
        slopes = np.diff(self.amperes) / np.diff(self.volts)
        past = volts - self.volts[point]
        slope = less * slopes[state, point] + more * slopes[state + 1, point]
        start = less * self.amperes[state, point] + more * self.amperes[state + 1, point]
        return start + slope * past, slope

    def shares(self, g: Floats) -> Floats:
        """As in Law."""
        state, less, more = self._between(g)
        number = np.arange(1, len(self.g)).reshape(-1, *np.ones(np.ndim(g), int))
        return np.asarray((number == state) * less + (number == state + 1) * more)

    def curves(self, volts: Floats) -> Floats:
        """As in Law."""
        shape = (-1, *np.ones(np.ndim(volts), int))
        return self(self.g[1:].reshape(shape), np.asarray(volts)[None])[0]

    def exprs(self, volts: str) -> list[str]:
        """As in Law: the first segment, and at each further point the change of slope."""
        steps = np.diff(self.amperes) / np.diff(self.volts)
        return [
            _sum(
                [f"{start!r}+{float(slopes[0])!r}*({volts}-({float(self.volts[0])!r}))"]
                + [
                    f"{more!r}*max({volts}-({at!r}),0)"
                    for at, more in zip(
                        self.volts[1:-1].tolist(), np.diff(slopes).tolist(), strict=True
                    )
                    if more
                ]
            )
            for start, slopes in zip(self.amperes[1:, 0].tolist(), steps[1:], strict=True)
        ]

    def _between(self, g: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
        """Return the index of the state below, and the shares of it and of the next one."""
        state = np.searchsorted(self.g[1:-1], g, side="right")
        low, high = self.g[state], self.g[state + 1]
        above = g > self.g[-1]
        more = np.where(above, g / high, (g - low) / (high - low))
        return state, np.where(above, 0.0, 1 - more), more


def _sum(terms: list[str]) -> str:
    """Return a sum as a balanced tree, because hundreds of terms must not nest hundreds deep."""
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [f"({a}+{b})" for a, b in pairs] + terms[len(terms) & ~1 :]
    return terms[0]


def law(device: Device) -> Law:
    """Return the I-V law of a target's device."""
    match device.iv:
        case "linear":
            return LinearLaw()
        case "sinh":
            assert device.sinh_v0_v is not None, "a device was not checked"
            return SinhLaw(device.sinh_v0_v)
        case "table":
            return measured_law(device.curves, device.read_voltage_v)


def measured_law(curves: Sequence[Curve], read_voltage_v: float) -> TableLaw:
    """Return the law of measured curves, on all their points within their common range."""
    curves = sorted(curves, key=lambda curve: curve.conductance(read_voltage_v))
    first = max(curve.points[0][0] for curve in curves)
    last = min(curve.points[-1][0] for curve in curves)
    volts = np.unique([v for curve in curves for v, _ in curve.points if first <= v <= last])
    amperes = [np.interp(volts, *np.transpose(curve.points)) for curve in curves]
    g = [curve.conductance(read_voltage_v) for curve in curves]
    return TableLaw(np.array([0.0, *g]), volts, np.array([0.0 * volts, *amperes]))
