"""The load of every signal, because a cell with a weak output is right only without a load."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Rename

Floats = NDArray[np.float64]


def heaviest(design: Design) -> dict[str, float]:
    """Return, for each bus, the siemens to ground on the lane that drives most word lines.

    Word lines behind an inverter count like those before it, because the user may have replaced it.
    """
    lanes = {name: np.zeros(bus.width) for name, bus in design.buses.items()}
    for stage in reversed(design.stages):
        if isinstance(stage, Array):
            for crossbar in stage.crossbars:
                _add(lanes[stage.src], crossbar, stage.sequential)
        elif isinstance(stage, Rename):
            sources = np.zeros(sum(design.buses[src].width for src in stage.srcs))
            used = stage.index >= 0
            np.add.at(sources, stage.index[used], lanes[stage.dst][used])
            ends = np.cumsum([design.buses[src].width for src in stage.srcs])
            for src, part in zip(stage.srcs, np.split(sources, ends[:-1]), strict=True):
                lanes[src] += part
    return {name: float(siemens.max(initial=0.0)) for name, siemens in lanes.items()}


def _add(lanes: Floats, crossbar: Crossbar, in_turn: bool) -> None:
    """Add the devices of a crossbar's word lines to the lanes that drive these."""
    fed = crossbar.line != BIAS
    drains = np.zeros((crossbar.groups, crossbar.taps.lines))
    np.add.at(drains.T, crossbar.line[fed], crossbar.drains().T[fed])
    if in_turn:
        # Places take turns, so any lane drives one word line at a time.
        lanes += drains.max(initial=0.0)
    else:
        crossbar.taps.add(lanes, drains)
