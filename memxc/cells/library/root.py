"""The square root."""

import numpy as np

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="root",
    summary="the root of its input times 0.25 V, an op-amp and a multiplier",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: np.sqrt(0.25 * v),
    inputs=(Input("in"),),
    low_v=0.01,
    high_v=0.25,
    accuracy=0.02,
    opamps=7,
)
