"""The cost of programming the crossbars once."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from memxc.interfaces import Context, Cost
from memxc.ir.design import Design

#: Assumed: one pulse a device, one device after the other.
_PULSE_S, _PULSE_J = 1e-6, 1e-11


@dataclass(frozen=True)
class Figures:
    """What it takes to program every device once."""

    devices: int
    time_s: float
    energy_j: float


class Programming(Cost):
    """Devices that have to be programmed, with the time and the energy that it takes."""

    name: ClassVar[str] = "programming"

    def measure(self, design: Design, context: Context) -> Figures:
        """Count the devices of every placed crossbar."""
        devices = 0
        for array in design.arrays:
            for crossbar in array.crossbars if array.cell == "memristor" else ():
                placed = crossbar.places if array.schedule == "parallel" else 1
                devices += int(np.count_nonzero(crossbar.g)) * placed
        return Figures(devices, devices * _PULSE_S, devices * _PULSE_J)
