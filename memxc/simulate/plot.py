"""A plot of a sweep: mean and spread of the draws, and the original network's score."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from typing import Any

from memxc.errors import fail
from memxc.simulate import SweepScores
from memxc.target import Target

#: The name of each metric, and the factor that it is multiplied by.
_NAMES = {
    "top1": ("accuracy, top-1 (%)", 100.0),
    "dice": ("Dice (%)", 100.0),
    "iou": ("IoU (%)", 100.0),
    "error": ("error relative to the original network", 1.0),
}
#: Units by the end of a key's full name; the first match counts, so "per_k" comes before "k".
_UNITS = {"ohm": "Ω", "v": "V", "s": "s", "w": "W", "per_k": "1/K", "k": "K", "m2": "m²"}
#: The largest ratio of values on a linear axis; above it the axis is logarithmic.
_DECADES = 50.0

_Line = list[tuple[float | str, float, float]]


def check() -> None:
    """Raise MemxcError (missing-engine) if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        hint = "pip install 'memxc[plot]'"
        raise fail("missing-engine", "--plot", "matplotlib is not installed", hint)


def svg(result: SweepScores) -> bytes:
    """Return an SVG of a sweep; equal results give equal bytes.

    The first key of the sweep is the x axis, and every combination of the other keys is a line.
    Raises MemxcError (missing-engine) if matplotlib is not installed.
    """
    check()
    import matplotlib as mpl  # noqa: PLC0415, TID251  (an extra, slow)

    data = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "memxc", "svg.fonttype": "none"}):
        drawn(result).savefig(data, format="svg", metadata={"Date": None})
    return data.getvalue()


def drawn(result: SweepScores, inches: tuple[float, float] = (7.0, 4.2)) -> Any:
    """Return the matplotlib Figure of a sweep, of this size, in the look that is set."""
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251  (an extra, slow)

    figure = Figure(figsize=inches, layout="constrained")
    _draw(figure.subplots(), result)
    return figure


def _draw(axes: Any, result: SweepScores) -> None:
    name, scale = _NAMES[result.metric]
    lines = _lines(result, scale)
    for label, points in lines.items():
        x, y, spread = zip(*points, strict=True)
        drawn = any(spread)
        axes.errorbar(x, y, yerr=spread if drawn else None, marker="o", markersize=4, capsize=3,
                      label=label or "circuit")  # fmt: skip
    if result.original is not None:
        axes.axhline(scale * result.original, color="0.4", linestyle="--", linewidth=1,
                     label=f"original network, {scale * result.original:.2f} %")  # fmt: skip
    every = [point for points in lines.values() for point in points]
    _scale_x(axes, [point[0] for point in every])
    if result.metric == "error" and _spans([point[1] for point in every]):
        axes.set_yscale("log")
    settings = result.rows[0].settings
    axes.set_xlabel(axis(settings[0].partition("=")[0]) if settings else "")
    axes.set_ylabel(name)
    draws = max(len(row.scores) for row in result.rows)
    title = f"{result.count:,} samples"
    title += f", mean and standard deviation of {draws} draws" if draws > 1 else ""
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small")


def axis(key: str) -> str:
    """Return a key of the target with its unit: "wire.r_word_line (Ω)"."""
    table, _, field = key.partition(".")
    table_field = Target.model_fields.get(table)
    fields = getattr(table_field.annotation, "model_fields", {}) if table_field else {}
    for end, unit in _UNITS.items():
        if f"{field}_{end}" in fields or (field in fields and field.endswith(f"_{end}")):
            return f"{key} ({unit})"
    return key


def _scale_x(axes: Any, values: Sequence[float | str]) -> None:
    """Make the x axis logarithmic if the values span decades; a 0 is placed at its left."""
    numbers = sorted({value for value in values if not isinstance(value, str)})
    above = [value for value in numbers if value > 0]
    if len(numbers) < len(set(values)) or numbers[0] < 0 or not _spans(above):
        return
    if numbers[0] > 0:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=above[0], linscale=0.5)
        axes.set_xlim(-0.2 * above[0], 1.25 * above[-1])
    axes.set_xticks(numbers, [f"{value:g}" for value in numbers])
    axes.minorticks_off()


def _spans(values: Sequence[float]) -> bool:
    least, most = min(values, default=0.0), max(values, default=0.0)
    return least > 0 and most / least >= _DECADES


def _lines(result: SweepScores, scale: float) -> dict[str, _Line]:
    """Return points (x, mean, spread) by the settings of the other keys.

    x is text if some value is not a number.
    """
    lines: dict[str, _Line] = {}
    values = [row.settings[0].partition("=")[2] if row.settings else "" for row in result.rows]
    numbers = [_number(value) for value in values]
    as_text = any(number is None for number in numbers)
    for row, value, number in zip(result.rows, values, numbers, strict=True):
        x = value if as_text or number is None else number
        point = x, scale * row.mean, scale * row.spread
        lines.setdefault(", ".join(row.settings[1:]), []).append(point)
    return lines


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
