"""Area: unit crossbars with all their places, and amplifiers; square metres add up."""

from __future__ import annotations

from collections.abc import Iterable

from memxc.backends.cost.resources import Resources
from memxc.backends.cost.rows import Area
from memxc.target import Target


def measure(bills: Iterable[Resources], target: Target) -> Area:
    """What bills of materials cover: a placed unit crossbar takes its whole rows x columns."""
    crossbars = amplifiers = 0.0
    for bill in bills:
        beside = bill.memristors - bill.places_used
        crossbars += (bill.places_available + beside) * target.crossbar.cell_area_m2
        amplifiers += bill.opamps * target.amplifier.area_m2
    return Area(total_m2=crossbars + amplifiers, crossbar_m2=crossbars, amplifier_m2=amplifiers)
