"""Area: the unit crossbars with all their places, and the amplifiers. Square metres add up."""

from __future__ import annotations

from collections.abc import Iterable

from memxc.backends.cost.resources import Resources
from memxc.backends.cost.rows import Area
from memxc.target import Target


def measure(bills: Iterable[Resources], target: Target, more: float = 0.0) -> Area:
    """Return the area of bills of materials.

        crossbars  = (rows x columns of the placed unit crossbars) * cell area
        amplifiers = op-amps * area of one, each as many times as its strength

    more: op-amps that strength adds to those of the bills.
    Memristors on no unit crossbar (a BatchNormalization that is a stage) take one cell each.
    """
    crossbars, amplifiers = 0.0, more * target.amplifier.area_m2
    for bill in bills:
        on_no_crossbar = bill.memristors - bill.places_used
        crossbars += (bill.places_available + on_no_crossbar) * target.crossbar.cell_area_m2
        amplifiers += bill.opamps * target.amplifier.area_m2
    return Area(total_m2=crossbars + amplifiers, crossbar_m2=crossbars, amplifier_m2=amplifiers)
