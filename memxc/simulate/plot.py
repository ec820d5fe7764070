"""A picture of a sweep: the mean of the draws, their spread, and the original network's score."""

from __future__ import annotations

import importlib.util
import io

from memxc.errors import fail
from memxc.simulate import Result

_NAMES = {"top1": "accuracy (top-1)", "dice": "Dice", "iou": "IoU", "error": "relative error"}


def check() -> None:
    """Raises MemxcError (missing-engine) without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        hint = "pip install 'memxc[plot]'"
        raise fail("missing-engine", "--plot", "matplotlib is not installed", hint)


def svg(result: Result) -> bytes:
    """An SVG with equal bytes for equal results. The first key of the sweep runs along x, every
    combination of the others is a line. Raises MemxcError (missing-engine) without matplotlib."""
    check()
    import matplotlib as mpl  # noqa: PLC0415, TID251  (an extra, slow)
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for label, points in _lines(result).items():
        x, y, spread = zip(*points, strict=True)
        axes.errorbar(x, y, yerr=spread, marker="o", capsize=3, label=label or "circuit")
    if result.original is not None:
        axes.axhline(result.original, color="grey", linestyle="--", label="original network")
    axes.set_xlabel(result.rows[0].settings[0].partition("=")[0] if result.rows[0].settings else "")
    axes.set_ylabel(_NAMES[result.metric])
    axes.grid(alpha=0.3)
    axes.legend()
    data = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "memxc", "svg.fonttype": "none"}):
        figure.savefig(data, format="svg", metadata={"Date": None})
    return data.getvalue()


def _lines(result: Result) -> dict[str, list[tuple[float | str, float, float]]]:
    """Points (x, mean, spread) by what the other keys say; x is text where it is no number."""
    lines: dict[str, list[tuple[float | str, float, float]]] = {}
    values = [row.settings[0].partition("=")[2] if row.settings else "" for row in result.rows]
    numbers = [_number(value) for value in values]
    as_text = any(number is None for number in numbers)
    for row, value, number in zip(result.rows, values, numbers, strict=True):
        x = value if as_text or number is None else number
        lines.setdefault(", ".join(row.settings[1:]), []).append((x, row.mean, row.spread))
    return lines


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
