"""Area: unit crossbars with all their places, amplifiers, and what holds volts, in m2."""

from __future__ import annotations

from collections.abc import Sequence

from memxc.backends.cost.resources import Resources
from memxc.backends.cost.rows import Area
from memxc.target import Target


def measure(bills: Sequence[Resources], target: Target, more: float = 0.0) -> Area:
    """Return the area of bills of materials.

        crossbars  = (rows x columns of the placed unit crossbars) * cell area
        amplifiers = op-amps * area of one, each as many times as its strength
        holds      = sample-and-holds * area of one, inputs of multiplexers * area of one

    more: op-amps that strength adds to those of the bills.
    Memristors on no unit crossbar (a BatchNormalization that is a stage) take one cell each.
    """
    crossbars, amplifiers, holds = 0.0, more * target.amplifier.area_m2, 0.0
    for bill in bills:
        on_no_crossbar = bill.memristors - bill.places_used
        crossbars += (bill.places_available + on_no_crossbar) * target.crossbar.cell_area_m2
        amplifiers += bill.opamps * target.amplifier.area_m2
        if target.hold is not None:
            holds += bill.holds * target.hold.area_m2 + bill.switches * target.hold.switch_area_m2
    unknown = target.hold is None and any(bill.holds for bill in bills)
    return Area(
        total_m2=crossbars + amplifiers + holds,
        crossbar_m2=crossbars,
        amplifier_m2=amplifiers,
        hold_m2=None if unknown else holds,
    )
