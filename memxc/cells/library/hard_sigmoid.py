"""The piecewise linear sigmoid."""

import numpy as np

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="hard_sigmoid",
    summary="0.1 V more than its input, within 0 and 0.2 V, two op-amps",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: np.clip(v + 0.1, 0.0, 0.2),
    inputs=(Input("in"),),
    low_v=-0.25,
    high_v=0.25,
    opamps=2,
)
