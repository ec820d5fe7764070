"""A picture of an exploration: the first objective over each of the others."""

from __future__ import annotations

import io
from typing import Any

from memxc.exploration.document import Explored, ExploredPoint
from memxc.exploration.pareto import SCORE
from memxc.exploration.work import FIGURES
from memxc.simulate import plot

_UNITS = {"m2": "mm²"}
#: The largest ratio of values on a linear axis; above it the axis is logarithmic.
_DECADES = 50.0


def svg(found: Explored) -> bytes:
    """Return an SVG of the points that were measured; equal results give equal bytes.

    The best points have numbers, which the legend explains by their settings.
    Raises MemxcError (missing-engine) if matplotlib is not installed.
    """
    plot.check()
    import matplotlib as mpl  # noqa: PLC0415, TID251  (an extra, slow)
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251

    first, *others = found.objectives if len(found.objectives) > 1 else [*found.objectives, "power"]
    with mpl.rc_context(
        {"svg.hashsalt": "memxc", "svg.fonttype": "none", "text.parse_math": False}
    ):
        figure = Figure(
            figsize=(4.2 * len(others), 4.2 + 0.2 * len(found.best)), layout="constrained"
        )
        panels = figure.subplots(1, len(others), squeeze=False)[0]
        for axes, other in zip(panels, others, strict=True):
            _draw(axes, found, other, first)
        if found.best:
            handles = [panels[0].plot([], [], " ")[0] for _ in found.best]
            names = [f"{n}: {_named(point)}" for n, point in enumerate(found.best, 1)]
            figure.legend(
                handles, names, loc="outside lower left", fontsize="small", handlelength=0
            )
        data = io.BytesIO()
        figure.savefig(data, format="svg", metadata={"Date": None})
    return data.getvalue()


def _draw(axes: Any, found: Explored, across: str, up: str) -> None:
    from matplotlib.ticker import EngFormatter, PercentFormatter  # noqa: PLC0415, TID251  (an extra, slow)

    for best, color, size in ((False, "0.65", 18), (True, "C3", 34)):
        points = [
            (_scaled(across, x), _scaled(up, y))
            for point in found.points
            if point.best is best
            and (x := point.figures.get(across)) is not None
            and (y := point.figures.get(up)) is not None
        ]
        if points:
            axes.scatter(*zip(*points, strict=True), c=color, s=size, zorder=2 + best)
        for number, (x, y) in enumerate(points if best else (), 1):
            axes.annotate(
                str(number), (x, y), textcoords="offset points", xytext=(5, 4), fontsize=8
            )
    values = [v for p in found.points if (v := p.figures.get(across)) is not None]
    if values and min(values) > 0 and max(values) / min(values) > _DECADES:
        axes.set_xscale("log")
    for axis, name in ((axes.xaxis, across), (axes.yaxis, up)):
        axis.set_label_text(_axis(name))
        share = name == "loss" or (name == SCORE and found.metric != "error")
        axis.set_major_formatter(PercentFormatter(1, None) if share else EngFormatter(sep=""))
    axes.grid(alpha=0.25)


def _scaled(name: str, value: float) -> float:
    return value * 1e6 if name in FIGURES and FIGURES[name].unit == "m2" else value


def _axis(name: str) -> str:
    if name == SCORE:
        return name
    unit = FIGURES[name].unit
    return f"{name} ({_UNITS.get(unit, unit)})" if unit else name


def _named(point: ExploredPoint) -> str:
    return ", ".join(f"{key}={value or '-'}" for key, value in point.settings.items())
