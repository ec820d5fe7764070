"""What the signals drive: a cell whose output gives way under its load is right without one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Rename

Floats = NDArray[np.float64]


def heaviest(design: Design) -> dict[str, float]:
    """Siemens to ground on the lane of each bus that drives most word lines.

    Word lines behind an inverter count as those before one: it is the user's own, maybe.
    """
    lanes = {name: np.zeros(bus.width) for name, bus in design.buses.items()}
    for stage in reversed(design.stages):
        if isinstance(stage, Array):
            for crossbar in stage.crossbars:
                _add(lanes[stage.src], crossbar, stage.sequential)
        elif isinstance(stage, Rename):
            whole = np.zeros(sum(design.buses[src].width for src in stage.srcs))
            there = stage.index >= 0
            np.add.at(whole, stage.index[there], lanes[stage.dst][there])
            ends = np.cumsum([design.buses[src].width for src in stage.srcs])
            for src, part in zip(stage.srcs, np.split(whole, ends[:-1]), strict=True):
                lanes[src] += part
    return {name: float(siemens.max(initial=0.0)) for name, siemens in lanes.items()}


def _add(lanes: Floats, crossbar: Crossbar, in_turn: bool) -> None:
    """Add the devices of a crossbar's word lines to the lanes that drive these."""
    fed = crossbar.line != BIAS
    drains = np.zeros((crossbar.groups, crossbar.taps.lines))
    np.add.at(drains.T, crossbar.line[fed], crossbar.drains().T[fed])
    if in_turn:
        # A place at a time: whichever lane it is, it drives one word line.
        lanes += drains.max(initial=0.0)
    else:
        crossbar.taps.add(lanes, drains)
