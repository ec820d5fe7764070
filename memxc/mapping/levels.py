"""The levels and the measured states that a device can be programmed to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memxc.target import Device

Floats = NDArray[np.float64]


def nearest_level(g: Floats, device: Device | None) -> Floats:
    """Round conductances (siemens, any shape) to the nearest level or measured state of a device.

    0 S means that there is no device, and stays 0 S. Without a device, or if the device has neither
    levels nor states, any conductance can be programmed and `g` is returned. `levels` are spaced
    evenly in siemens, from g_min to g_max.
    """
    if device is None or not (device.levels or device.states):
        return g
    if device.states:
        rounded = device.means[device.nearest(g)]
    else:
        span, steps = device.g_max - device.g_min, device.levels - 1
        rounded = device.g_min + np.round((g - device.g_min) / span * steps) / steps * span
    return np.where(g > 0, rounded, 0.0)
