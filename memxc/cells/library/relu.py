"""The rectifier."""

import numpy as np

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="relu",
    summary="its input where that is above 0 V, otherwise 0 V",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: np.maximum(v, 0.0),
    inputs=(Input("in"),),
    low_v=-0.25,
    high_v=0.25,
)
