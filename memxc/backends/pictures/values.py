"""Histograms: conductances against the states of the device, and volts against the limiters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.pictures import page
from memxc.evaluation import evaluate
from memxc.ir.design import Design
from memxc.ir.stages import Array, Digital, Rename
from memxc.target import Device
from memxc.units import names

Floats = NDArray[np.float64]
#: Samples whose volts are looked at, and the bins of a row.
SAMPLES, _BINS = 4, 48
#: States of a device that are drawn; more of them would be one grey area.
_STATES = 64
#: Rows of one picture.
ROWS = 24


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts (bins,) of a stage between `edges` (bins + 1,), and a note about them."""

    stage: str
    counts: Floats
    note: str = ""


def conductance_edges(device: Device) -> Floats:
    """Return the edges of the bins, siemens: equal ratios over the range of the device."""
    return np.geomspace(device.g_min / 1.1, device.g_max * 1.1, _BINS + 1)


def conductances(arrays: Iterable[Array], edges: Floats) -> Iterator[Histogram]:
    """Yield how often each stage has each conductance, every definition of the netlist once."""
    for stage in arrays:
        counts = np.zeros(len(edges) - 1)
        for crossbar in stage.crossbars:
            first, _ = crossbar.equal
            uses = np.broadcast_to(crossbar.uses, (len(first), len(crossbar.uses)))
            counts += np.histogram(crossbar.g[first], edges, weights=uses)[0]
        yield Histogram(stage.name, counts)


def volts(design: Design, inputs: Mapping[str, NDArray[Any]], usual_v: float) -> list[Histogram]:
    """Return the volts of each stage with amplifiers, 0 to 1, where 1 is the limit of its bus.

    inputs: the samples, of which the first few are used. usual_v: in place of the limit of a stage
    without limiters.
    """
    few = {name: values[:SAMPLES] for name, values in inputs.items()}
    stages, digital = {stage.dst: stage for stage in design.stages}, design.digital
    counts: dict[str, Floats] = {}
    clipped: dict[str, int] = {}
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    for batch in evaluate.batches(design, few):
        for name, values in evaluate.walk(design, batch):
            if name in digital or isinstance(stages.get(name), Rename | Digital | None):
                continue
            bus = design.buses[name]
            share = np.abs(values) / (bus.limit or usual_v)
            found = np.histogram(np.minimum(share, 1.0), edges)[0]
            counts[name] = counts.get(name, 0.0) + found
            clipped[name] = clipped.get(name, 0) + int((share >= 1.0 - 1e-12).sum())
    return [
        Histogram(stages[name].name, found, _note(design.buses[name].limit, clipped[name], found))
        for name, found in counts.items()
    ]


def _note(limit: float | None, clipped: int, counts: Floats) -> str:
    if limit is None:
        return "no limiter"
    return f"{limit:.3g} V, {clipped / max(1.0, counts.sum()):.2%} at it"


def conductances_svg(found: Sequence[Histogram], device: Device, edges: Floats) -> str:
    """Return the histogram of all stages, and a row for each of those with most devices."""
    return page.svg("conductances", lambda: _draw_conductances(found, device, edges))


def volts_svgs(found: Sequence[Histogram]) -> list[str]:
    """Return pictures with a row for each stage, a few stages in each picture."""
    shown = names((row.stage for row in found), 34)
    parts = [slice(n, n + ROWS) for n in range(0, len(found), ROWS)]
    return [
        page.svg(f"v{part.start}", partial(_draw_volts, found[part], shown[part])) for part in parts
    ]


def _draw_conductances(found: Sequence[Histogram], device: Device, edges: Floats) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251  (an extra, slow)

    most = sorted(found, key=lambda row: -row.counts.sum())[:ROWS]
    rows = [row for row in found if any(row is one for one in most)]
    figure = Figure(figsize=(12, 3.2 + 0.24 * len(rows)), layout="constrained")
    high, low = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 0.24 * len(rows) + 0.3))
    high.stairs(1e-30 + sum(row.counts for row in found), 1e6 * edges, fill=True, color="C0")
    high.set(yscale="log", xscale="log", ylim=(0.8, None), ylabel="devices")
    for state in 1e6 * _states(device):
        high.axvline(state, color=page.INK, linewidth=0.6, alpha=0.6)
    _strips(low, rows, names((row.stage for row in rows), 34), 1e6 * edges)
    low.set_xlabel("conductance (uS)")
    for axis in (high.yaxis, low.xaxis):
        axis.set_major_formatter("{x:,g}")
    return figure


def _states(device: Device) -> Floats:
    """Return the conductances to draw: all states if they are few, or the ends of the range."""
    if device.states and len(device.states) <= _STATES:
        return np.asarray(device.means)
    if 1 < device.levels <= _STATES:
        return np.linspace(device.g_min, device.g_max, device.levels)
    return np.array([device.g_min, device.g_max])


def _draw_volts(rows: Sequence[Histogram], shown: Sequence[str]) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251  (an extra, slow)

    figure = Figure(figsize=(12, 0.9 + 0.24 * len(rows)), layout="constrained")
    axes = figure.subplots()
    _strips(axes, rows, shown, np.linspace(0.0, 1.0, _BINS + 1))
    axes.set_xlabel("volts, as a share of the volts at which the limiter clips")
    notes = axes.secondary_yaxis("right")
    notes.set_yticks(np.arange(len(rows)) + 0.5, [row.note for row in rows])
    notes.tick_params(length=0)
    notes.spines[:].set_visible(False)
    return figure


def _strips(axes: Any, rows: Sequence[Histogram], shown: Sequence[str], edges: Floats) -> None:
    """Draw a row of colours for each stage; its fullest bin is dark, on a logarithmic scale."""
    counts = np.array([row.counts for row in rows])
    depth = np.log1p(counts) / np.log1p(counts.max(axis=1, initial=1.0, keepdims=True))
    down = np.arange(len(rows) + 1)
    axes.pcolormesh(
        edges, down, np.where(counts > 0, depth, np.nan), cmap="Blues", vmin=-0.35, vmax=1.0,
        rasterized=True,
    )  # fmt: skip
    axes.set_ylim(len(rows), 0)
    axes.set_yticks(down[:-1] + 0.5, [page.label(name, 160) for name in shown])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
