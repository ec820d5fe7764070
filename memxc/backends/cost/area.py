"""Area: unit crossbars with all their places, amplifiers, and what holds volts, in m2."""

from __future__ import annotations

from collections.abc import Iterable

from memxc.backends.cost.resources import ResourceRow
from memxc.backends.cost.rows import Area, StageArea
from memxc.target import Target


def measure(rows: Iterable[ResourceRow], target: Target, more: float = 0.0) -> Area:
    """Return the area of the bills of materials of stages.

        crossbars  = (rows x columns of the placed unit crossbars) * cell area
        amplifiers = op-amps * area of one, each as many times as its strength
        holds      = sample-and-holds * area of one, inputs of multiplexers * area of one

    more: op-amps that strength adds to those of the bills.
    Memristors on no unit crossbar (a BatchNormalization that is a stage) take one cell each.
    """
    rows = tuple(rows)
    stages = tuple(_stage(row, target) for row in rows)
    crossbars = sum(stage.crossbar_m2 for stage in stages)
    amplifiers = more * target.amplifier.area_m2 + sum(stage.amplifier_m2 for stage in stages)
    holds = sum(stage.hold_m2 for stage in stages)
    unknown = target.hold is None and any(row.resources.holds for row in rows)
    return Area(
        total_m2=crossbars + amplifiers + holds,
        crossbar_m2=crossbars,
        amplifier_m2=amplifiers,
        hold_m2=None if unknown else holds,
        stages=stages,
    )


def _stage(row: ResourceRow, target: Target) -> StageArea:
    bill, hold = row.resources, target.hold
    cells = bill.places_available + bill.memristors - bill.places_used
    held = 0.0 if hold is None else bill.holds * hold.area_m2 + bill.switches * hold.switch_area_m2
    return StageArea(
        stage=row.stage,
        crossbar_m2=cells * target.crossbar.cell_area_m2,
        amplifier_m2=bill.opamps * target.amplifier.area_m2,
        hold_m2=held,
    )
