"""Heat maps of one crossbar: its conductances, what reaches its devices, and what is read of them.

reach  = volts across a device / volts that drive its word line, every word line driven at once
read   = (current into a bit line per volt on a word line, the other lines at 0 V) - g
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.pictures import page
from memxc.ir.stages import Array
from memxc.physics.network import nodal
from memxc.physics.network.admittance import port_admittance
from memxc.physics.network.nodal import Grid, WireResistance

Floats = NDArray[np.float64]
#: A larger crossbar is not solved crossing by crossing, which would take minutes.
_MOST = 1 << 17


@dataclass(frozen=True, eq=False)
class TileMaps:
    """One crossbar. g: siemens (word lines, bit lines), nan without a device.

    drop: the share of the drive that does not reach a device; error: of the effective conductance,
    relative to the largest one that a device can have. Both are None with wires without resistance,
    and for a crossbar that is too large.
    """

    stage: str
    definition: int
    g: Floats
    drop: Floats | None
    error: Floats | None


def busiest(arrays: Iterable[Array]) -> tuple[Array, int, int]:
    """Return the stage, the number of the stack and of the block with most siemens in all.

    The wires of this crossbar carry the largest currents.
    """
    found = (
        (float(sums[block]), -a, -n, stage, n, block)
        for a, stage in enumerate(arrays)
        for n, crossbar in enumerate(stage.crossbars)
        for sums in [crossbar.g @ crossbar.uses]
        for block in [int(sums.argmax())]
    )
    *_, stage, stack, block = max(found, key=lambda one: one[:3])
    return stage, stack, block


def measure(stage: Array, stack: int, block: int, wires: WireResistance, g_max: float) -> TileMaps:
    """Return the maps of one block of a stack of crossbars."""
    crossbar = stage.crossbars[stack]
    g = crossbar.conductance(slice(block, block + 1))[0]
    shown, number = np.where(g > 0, g, np.nan), int(crossbar.definition[block])
    if not any(astuple(wires)) or g.size > _MOST:
        return TileMaps(stage.name, number, shown, None, None)
    ones = np.ones((1, len(g)))
    grid = Grid(g, np.arange(g.shape[1]), ones, stage.drive)
    drop = 1 - nodal.across(grid, wires)[0]
    error = (port_admittance(g[None], wires, stage.drive).t[0] - g) / g_max
    return TileMaps(stage.name, number, shown, np.where(g > 0, drop, np.nan), error)


def svg(maps: TileMaps) -> str:
    """Return the maps beside each other."""
    return page.svg("tile", lambda: _draw(maps))


def _draw(maps: TileMaps) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415, TID251  (an extra, slow)

    panels: list[tuple[str, Floats, str, float | None]] = [
        ("conductance (uS)", 1e6 * maps.g, "viridis", None)
    ]
    if maps.drop is not None and maps.error is not None:
        largest = float(np.abs(maps.error).max(initial=0.0))
        panels.append(("IR drop (% of the drive)", 100 * maps.drop, "magma_r", None))
        panels.append(("effective error (% of g_max)", 100 * maps.error, "RdBu", 100 * largest))
    figure = Figure(figsize=(12, 3.9 if len(panels) > 1 else 4.6), layout="constrained")
    figure.suptitle(f"{page.label(maps.stage, 60)}, definition {maps.definition}")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for panel, (title, values, colors, largest_shown) in zip(axes, panels, strict=True):
        limits = {} if largest_shown is None else {"vmin": -largest_shown, "vmax": largest_shown}
        image = panel.imshow(values, cmap=colors, aspect="auto", **limits)
        panel.set_title(title)
        panel.set_xlabel("bit line")
        panel.spines[:].set_visible(True)
        figure.colorbar(image, ax=panel, shrink=0.9)
    axes[0].set_ylabel("word line")
    return figure
