"""Area: unit crossbars with all their places, and amplifiers; square metres add up."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from memxc.backends.cost.resources import Resources
from memxc.documents import Amount, Part
from memxc.target import Target


class Area(Part):
    """Square metres."""

    total_m2: Amount = Field(description="Square metres of crossbars and amplifiers together.")
    crossbar_m2: Amount = Field(
        description="Square metres of all places of the unit crossbars, empty or not, and of the "
        "memristors beside them: `target.crossbar.cell_area_m2` of each."
    )
    amplifier_m2: Amount = Field(
        description="Square metres of all op-amps: `target.amplifier.area_m2` of each."
    )


def measure(bills: Iterable[Resources], target: Target) -> Area:
    """What bills of materials cover: a placed unit crossbar takes its whole rows x columns."""
    crossbars = amplifiers = 0.0
    for bill in bills:
        beside = bill.memristors - bill.places_used
        crossbars += (bill.places_available + beside) * target.crossbar.cell_area_m2
        amplifiers += bill.opamps * target.amplifier.area_m2
    return Area(total_m2=crossbars + amplifiers, crossbar_m2=crossbars, amplifier_m2=amplifiers)
