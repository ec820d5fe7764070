"""Floor plans: which places of a unit crossbar hold which kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from memxc import units
from memxc.backends.pictures import page
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array

#: In `kernels`: the place holds no device, or the device of a bias.
EMPTY, BIASED = -1, -2
_COLUMNS = 3


@dataclass(frozen=True, eq=False)
class FloorPlan:
    """The fullest unit crossbar of a stage. size: its word lines and bit lines, used or not."""

    stage: str
    crossbar: Crossbar
    size: tuple[int, int]


def plans(
    arrays: Sequence[Array], sizes: Mapping[str, tuple[int, int]], usual: tuple[int, int]
) -> list[FloorPlan]:
    """Return the floor plan of each stage. sizes: unit crossbars that are not of `usual` size."""
    return [
        FloorPlan(
            stage.name,
            max(stage.crossbars, key=lambda crossbar: crossbar.devices),
            sizes.get(stage.name, usual),
        )
        for stage in arrays
    ]


def kernels(crossbar: Crossbar) -> NDArray[np.intp]:
    """Return the number of the kernel at each place, (word lines, bit lines), or EMPTY or BIASED.

    Bit lines that use the same conductances hold the same kernel at several places of the image, at
    its border only a part of it.
    """
    weights = np.where((crossbar.line == BIAS)[:, None], -1, crossbar.cell)
    rows, columns = np.nonzero(weights >= 0)
    lines = crossbar.column[columns]
    count, devices = int(crossbar.column.max()) + 1, crossbar.g.shape[1]
    links = (np.ones(len(rows), np.int8), (lines, count + weights[rows, columns]))
    graph = coo_matrix(links, (count + devices, count + devices))
    _, label = connected_components(graph, directed=False)
    _, number = np.unique(label[:count], return_inverse=True)
    found = np.where(weights >= 0, number[crossbar.column][None, :], EMPTY)
    return np.where((weights < 0) & (crossbar.cell >= 0), BIASED, found)


def svg(found: Sequence[FloorPlan]) -> str:
    """Return a picture of floor plans beside and below each other."""
    return page.svg("floor", lambda: _draw(found))


def _draw(found: Sequence[FloorPlan]) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251  (an extra, slow)

    across = min(_COLUMNS, len(found))
    down = -(-len(found) // across)
    figure = Figure(figsize=(4 * across, 4.1 * down), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for panel, plan in zip(axes, found, strict=False):
        rows, columns = plan.size
        number = kernels(plan.crossbar)
        panel.imshow(_colors(number), extent=(0, number.shape[1], number.shape[0], 0))
        panel.set(xlim=(0, columns), ylim=(rows, 0), xticks=(0, columns), yticks=(0, rows))
        panel.set_aspect("equal")
        panel.spines[:].set_visible(True)
        count, used = number.max(initial=-1) + 1, plan.crossbar.devices / (rows * columns)
        panel.set_title(
            f"{page.label(plan.stage, 40)}\n"
            f"{plan.crossbar.word_lines} x {plan.crossbar.bit_lines} lines, "
            f"{units.some(int(count), 'kernel')}, {used:.0%} of the places"
        )
    for panel in axes[len(found) :]:
        panel.set_axis_off()
    return figure


def _colors(number: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return red, green, blue and opacity of each place."""
    import matplotlib as mpl  # noqa: PLC0415, TID251  (an extra, slow)

    # The colours of neighbours differ; the two greys of this map are left out, for the bias.
    colors = np.array([mpl.colormaps["tab20"](n) for n in range(20) if n not in (14, 15)])
    shown = colors[np.maximum(number, 0) % len(colors)]
    shown[number == BIASED] = (0.5, 0.5, 0.5, 1.0)
    shown[number == EMPTY] = 0.0
    return np.asarray(shown)
