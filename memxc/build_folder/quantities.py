"""The quantities of a report that are compared and that a budget can limit.

It imports no library, because `memxc --help` lists budgets and has to be quick.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from memxc.build_folder.report.document import Report

Unit = Literal["", "W", "J", "s", "m2"]


@dataclass(frozen=True)
class Quantity:
    """A quantity with its unit, and a function that reads it from a report."""

    unit: Unit
    read: Callable[[Report], float | None]

    def of(self, report: Report) -> float | None:
        """The quantity of a report: None if it was not measured, infinity if it is NaN.

        Infinity exceeds every limit, and a quantity that is NaN has to do so, too.
        """
        value = self.read(report)
        return math.inf if value is not None and math.isnan(value) else value


def _lost(report: Report) -> float | None:
    loss = report.fidelity.loss
    return None if loss is None else loss.lost


QUANTITIES: dict[str, Quantity] = {
    "crossbars": Quantity("", lambda report: report.resources.total.crossbars),
    "memristors": Quantity("", lambda report: report.resources.total.memristors),
    "word lines": Quantity("", lambda report: report.resources.total.word_lines),
    "bit lines": Quantity("", lambda report: report.resources.total.bit_lines),
    "op-amps": Quantity("", lambda report: report.resources.total.opamps),
    "inverters": Quantity("", lambda report: report.resources.total.inverters),
    "power": Quantity("W", lambda report: report.power.total_w),
    "power of crossbars": Quantity("W", lambda report: report.power.crossbar_w),
    "energy": Quantity("J", lambda report: report.power.energy_per_inference_j),
    "stages on the critical path": Quantity("", lambda report: report.latency.critical_path_stages),
    "periods": Quantity("", lambda report: report.latency.periods),
    "latency": Quantity("s", lambda report: report.latency.inference_s),
    "latency with a clock": Quantity("s", lambda report: report.latency.clocked_s),
    "latency without a clock": Quantity("s", lambda report: report.latency.free_running_s),
    "area": Quantity("m2", lambda report: report.area.total_m2),
    "erc": Quantity("", lambda report: None if report.erc is None else len(report.erc.violations)),
    "loss": Quantity("", _lost),
}


@dataclass(frozen=True)
class Limit:
    """By how much the second report may exceed the first: an amount, or a share of the first."""

    more: float
    relative: bool

    def allows(self, before: float, after: float) -> bool:
        """Whether the growth from `before` to `after` is within the limit."""
        return after - before <= self.more * (abs(before) if self.relative else 1.0)
