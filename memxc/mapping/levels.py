"""The conductances that a device can be programmed to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memxc.target import Device

Floats = NDArray[np.float64]


def nearest_level(g: Floats, device: Device | None) -> Floats:
    """Siemens within a device's range on its nearest level or measured state.

    0 S, no device, stays so. None, or a device without levels, takes any.
    """
    if device is None or not (device.levels or device.states):
        return g
    if device.states:
        found = device.means[device.nearest(g)]
    else:
        span, steps = device.g_max - device.g_min, device.levels - 1
        found = device.g_min + np.round((g - device.g_min) / span * steps) / steps * span
    return np.where(g > 0, found, 0.0)
