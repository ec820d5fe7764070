"""What happens to the devices of one crossbar: range, programming, drift, defects, temperature.

The effects apply in this order; docs/targets.md has the formulas. Nothing is clipped except at 0 S.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memxc.ir.windows import Ints
from memxc.physics.device import streams
from memxc.physics.device.streams import Stream
from memxc.target import Device, Wire

Floats = NDArray[np.float64]
#: Returns normal draws of an effect times its sigma, (places, devices); 0 if sigma is 0.
Normal = Callable[[str, float], Floats | float]


def active(device: Device, wire: Wire) -> bool:
    """Return whether any effect changes the devices."""
    return bool(
        _spread(device)
        or _drifts(device)
        or device.programming_sigma
        or any(state.sigma_s for state in device.states)
        or device.stuck_at_lrs + device.stuck_at_hrs + wire.open_word_line + wire.open_bit_line
        or device.temperature_factor != 1.0
    )


def _spread(device: Device) -> bool:
    return bool(device.r_on_sigma or device.r_off_sigma)


def _drifts(device: Device) -> bool:
    later = device.drift_time_s > device.drift_t0_s
    return later and bool(device.drift_nu or device.drift_nu_sigma)


@dataclass(frozen=True, eq=False)
class Crossings:
    """The crossings of a crossbar that hold a device, and the effects on these devices.

    stream: returns the draws of an effect. cell: (word lines, bit lines), -1 for no device.
    """

    device: Device
    wire: Wire
    stream: Callable[[str], Stream]
    cell: Ints

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """The word line of each device."""
        return np.nonzero(self.cell >= 0)[0]

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """The bit line of each device."""
        return np.nonzero(self.cell >= 0)[1]

    def conductance(self, wanted: Floats, group: int, places: slice) -> Floats:
        """Return conductances (places, devices), S, of devices programmed to `wanted` (devices,) S.

        0 S means no device, and it stays 0.
        """
        device = self.device

        def normal(effect: str, sigma: float) -> Floats | float:
            if not sigma:
                return 0.0
            return sigma * streams.normal(self._uniform(effect, group, places))

        g = np.broadcast_to(wanted, (places.stop - places.start, len(wanted)))
        g_max, g_min = device.g_max, device.g_min
        low = g_min * np.exp(-normal("r_off", device.r_off_sigma))
        high = g_max * np.exp(-normal("r_on", device.r_on_sigma))
        if _spread(device):
            g = low + (g - g_min) / (g_max - g_min) * (high - low)
        g = _drifted(device, self._programmed(g, wanted, normal), normal)
        g = self._stuck(g, low, high, group, places) * device.temperature_factor
        return np.where(self._open(group, places) | (wanted == 0), 0.0, np.maximum(g, 0.0))

    def _programmed(self, g: Floats, wanted: Floats, normal: Normal) -> Floats:
        if self.device.states:
            sigma = np.array([state.sigma_s for state in self.device.states])
            return g + sigma[self.device.nearest(wanted)] * normal("programming", 1.0)
        error = normal("programming", self.device.programming_sigma)
        if self.device.programming_model == "lognormal":
            return g * np.exp(error)
        return g * (1.0 + error)

    def _stuck(
        self, g: Floats, low: Floats | float, high: Floats | float, group: int, places: slice
    ) -> Floats:
        """Set stuck devices.

        One draw decides both kinds, so the same cells stay stuck if a share grows.
        """
        lrs, hrs = self.device.stuck_at_lrs, self.device.stuck_at_hrs
        if not lrs + hrs:
            return g
        u = self._uniform("stuck", group, places)
        return np.where(u < lrs, high, np.where(u > 1.0 - hrs, low, g))

    def _open(self, group: int, places: slice) -> NDArray[np.bool_]:
        """Return which devices are on broken lines, (places, devices) or (1, devices)."""
        broken = np.zeros((1, len(self.rows)), dtype=bool)
        for effect, share, lines, count in (
            ("open_word_line", self.wire.open_word_line, self.rows, self.cell.shape[0]),
            ("open_bit_line", self.wire.open_bit_line, self.columns, self.cell.shape[1]),
        ):
            if share:
                broken = (
                    broken | (self.stream(effect).uniform(group, places, count) < share)[:, lines]
                )
        return broken

    def _uniform(self, effect: str, group: int, places: slice) -> Floats:
        """Return numbers in (0, 1), (places, devices).

        Numbers are drawn for every cell, row by row, and each device takes its cell's number. So a
        draw does not depend on which other cells hold a device.
        """
        numbers = self.stream(effect).uniform(group, places, self.cell.size)
        return numbers[:, self.rows * self.cell.shape[1] + self.columns]


def _drifted(device: Device, g: Floats, normal: Normal) -> Floats:
    """Return g (t / t0)^-nu, where each device has its own nu."""
    if not _drifts(device):
        return g
    nu = device.drift_nu + normal("drift", device.drift_nu_sigma)
    return g * (device.drift_time_s / device.drift_t0_s) ** -nu
