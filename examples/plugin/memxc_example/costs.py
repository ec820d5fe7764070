"""The cost of programming the crossbars once."""

from dataclasses import dataclass
from typing import ClassVar

from memxc.interfaces import Context, Cost, Design

#: Assumed values, for one pulse per device and one device after the other.
_PULSE_S, _PULSE_J = 1e-6, 1e-11


@dataclass(frozen=True)
class Figures:
    """The number of devices, and the seconds and joules to program each of them once."""

    devices: int
    time_s: float
    energy_j: float


class Programming(Cost):
    """The cost of programming: the number of devices, the time and the energy."""

    name: ClassVar[str] = "programming"

    def measure(self, design: Design, context: Context) -> Figures:
        """Count the devices of every placed crossbar."""
        devices = 0
        for array in design.arrays:
            for crossbar in array.crossbars if array.programmable else ():
                devices += int(crossbar.present.sum()) * array.placed(crossbar.places)
        return Figures(devices, devices * _PULSE_S, devices * _PULSE_J)
