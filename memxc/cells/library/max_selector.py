"""The selector of the largest of two signals."""

import numpy as np

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="max_selector",
    summary="the larger of its inputs, a follower for each that only sources current",
    ports=("x0", "x1", "out", "vdd", "vss"),
    function=lambda v, _: np.maximum(v, 0.05 - 0.4 * v),
    inputs=(Input("x0"), Input("x1", -0.4, volts=0.05)),
    low_v=-0.2,
    high_v=0.25,
    opamps=2,
)
