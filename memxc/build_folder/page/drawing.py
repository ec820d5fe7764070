"""Pictures of a folder as files: the network, and the floor plan of one stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memxc import units
from memxc.backends.pictures import floor
from memxc.backends.pictures import page as pictures
from memxc.build_folder import read
from memxc.build_folder.page.layers import LayerCost, layers
from memxc.build_folder.page.outline import Row, outline
from memxc.build_folder.report import read as reports
from memxc.build_folder.report.text import own_sizes
from memxc.errors import fail, like

#: Inches that a layer takes, and the colour and mark of what it is made of.
_HIGH, _WIDE = 0.42, 9.0
_MARKS = {
    "crossbars": ("s", "#2b6ca3"), "resistors": ("s", "#3c8d40"), "lanes": ("o", "#b3681c"),
}  # fmt: skip
_OTHER = ("D", "#7d4fc0")


def svg(folder: Path, stage: str | None) -> str:
    """Return an SVG file: the network of a folder, or the floor plan of a stage of crossbars.

    Raises MemxcError: missing-engine without matplotlib, bad-design, usage for another stage.
    """
    if not pictures.possible():
        hint = "pip install 'memxc[plot]'"
        raise fail("missing-engine", "--svg", "matplotlib is not installed", hint)
    report = reports.read(folder)
    if stage is None:
        found = layers(report)
        inputs = ", ".join(tensor.name for tensor in report.model.inputs)
        text = pictures.svg("network", lambda: _network(found, outline(found), inputs))
    else:
        loaded = read.load(folder)
        arrays = {array.name: array for array in loaded.design.arrays if array.tiled}
        if stage not in arrays:
            hint = like(stage, arrays) or f"stages with crossbars: {', '.join([*arrays][:20])}"
            raise fail("usage", f"--stage {stage}", "no stage with crossbars has this name", hint)
        unit = loaded.target.crossbar
        plans = floor.plans([arrays[stage]], own_sizes(report), (unit.rows, unit.columns))
        text = floor.svg(plans)
    # In a page the names of SVG are known; a file has to say them.
    return text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg" color="black"', 1)


def _network(found: Sequence[LayerCost], rows: Sequence[Row], inputs: str) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251  (an extra, slow)

    columns = 1 + max(row.column for row in rows)
    figure = Figure(figsize=(_WIDE, _HIGH * len(rows) + 0.3), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.6, columns + 26), ylim=(-len(rows) + 0.4, 0.6))
    axes.set_axis_off()
    line: dict[str, Any] = {"color": "#8a94a0", "linewidth": 1.2, "zorder": 1}
    for number, row in enumerate(rows):
        y, layer = -number, found[number - 1] if number else None
        for column in row.passing:
            axes.plot((column, column), (y + 0.5, y - 0.5), **line)
        for column in row.reads:
            axes.plot((column, row.column), (y + 0.5, y), **line)
        if row.drives:
            axes.plot((row.column, row.column), (y, y - 0.5), **line)
        mark, color = _MARKS.get(layer.made_of, _OTHER) if layer else ("o", "#8a94a0")
        axes.plot(row.column, y, mark, color=color, markersize=7, zorder=2)
        name = layer.name if layer else inputs
        axes.text(columns, y + 0.02, pictures.label(name, 60), va="bottom", weight="bold")
        words = "input"
        if layer:
            shape = " x ".join(map(str, layer.shape[1:]))
            words = f"{layer.title} → {shape}" if shape else layer.title
        axes.text(columns, y - 0.05, pictures.label(words, 80), va="top", fontsize=7.5)
        cost = "" if layer is None else "not modelled"
        if layer and layer.known:
            cost = units.text(layer.power_w, "W")
        axes.text(columns + 26, y, cost, va="center", ha="right")
    return figure
