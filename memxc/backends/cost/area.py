"""Area: the unit crossbars with all their places, and the amplifiers. Square metres add up."""

from __future__ import annotations

from collections.abc import Iterable

from memxc.backends.cost.resources import ResourceRow
from memxc.backends.cost.rows import Area, StageArea
from memxc.target import Target


def measure(rows: Iterable[ResourceRow], target: Target, more: float = 0.0) -> Area:
    """Return the area of the bills of materials of stages.

        crossbars  = (rows x columns of the placed unit crossbars) * cell area
        amplifiers = op-amps * area of one, each as many times as its strength

    more: op-amps that strength adds to those of the bills.
    Memristors on no unit crossbar (a BatchNormalization that is a stage) take one cell each.
    """
    stages = tuple(_stage(row, target) for row in rows)
    crossbars = sum(stage.crossbar_m2 for stage in stages)
    amplifiers = more * target.amplifier.area_m2 + sum(stage.amplifier_m2 for stage in stages)
    return Area(
        total_m2=crossbars + amplifiers,
        crossbar_m2=crossbars,
        amplifier_m2=amplifiers,
        stages=stages,
    )


def _stage(row: ResourceRow, target: Target) -> StageArea:
    bill = row.resources
    cells = bill.places_available + bill.memristors - bill.places_used
    return StageArea(
        stage=row.stage,
        crossbar_m2=cells * target.crossbar.cell_area_m2,
        amplifier_m2=bill.opamps * target.amplifier.area_m2,
    )
