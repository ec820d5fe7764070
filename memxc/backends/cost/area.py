"""Area: unit crossbars with all their places, and amplifiers; square metres add up."""

from __future__ import annotations

from dataclasses import dataclass

from memxc.backends.cost.resources import Resources
from memxc.target import Target


@dataclass(frozen=True)
class Area:
    """Square metres; `+` adds them."""

    crossbar_m2: float = 0.0
    amplifier_m2: float = 0.0

    def __add__(self, other: Area) -> Area:
        return Area(self.crossbar_m2 + other.crossbar_m2, self.amplifier_m2 + other.amplifier_m2)

    @property
    def total_m2(self) -> float:
        """Crossbars and amplifiers."""
        return self.crossbar_m2 + self.amplifier_m2


def measure(resources: Resources, target: Target) -> Area:
    """What a bill of materials covers: a placed unit crossbar takes its whole rows x columns."""
    beside = resources.memristors - resources.places_used
    return Area(
        (resources.places_available + beside) * target.crossbar.cell_area_m2,
        resources.opamps * target.amplifier.area_m2,
    )
