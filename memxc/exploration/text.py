"""The figures of an exploration as text."""

from __future__ import annotations

from memxc import units
from memxc.evaluation.metrics import Metric
from memxc.exploration.document import Explored
from memxc.exploration.pareto import SCORE
from memxc.exploration.work import FIGURES

#: Figures that a table shows besides the objectives.
_SHOWN = ("loss", "power", "energy", "area", "clocked", "crossbars", "erc")


def columns(found: Explored) -> list[str]:
    """Return the names of the figures that a table shows: the objectives first."""
    names = dict.fromkeys((*found.objectives, *_SHOWN))
    return [name for name in names if any(p.figures.get(name) is not None for p in found.points)]


def figure(name: str, value: float | None, metric: Metric | None) -> str:
    """Return a figure with its unit; "-" if it was not measured."""
    if value is None:
        return "-"
    if name == SCORE:
        return f"{value:.2e}" if metric == "error" else f"{100 * value:.2f} %"
    unit = FIGURES[name].unit
    if unit == "m2":
        return units.area(value)
    if name == "loss":
        return units.lost(value)
    return units.text(value, unit) if unit else f"{value:,.0f}"
