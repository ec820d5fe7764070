"""The full-wave rectifier."""

import numpy as np

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="full_wave",
    summary="the magnitude of its input, two op-amps",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: np.abs(v),
    inputs=(Input("in"),),
    low_v=-0.25,
    high_v=0.2,
    opamps=2,
)
