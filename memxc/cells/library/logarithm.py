"""The logarithm by a junction."""

import numpy as np

from memxc.cells.contract import Cell, Input

#: kT/q at 27 degrees: the cell's output is proportional to the absolute temperature.
_V = 0.0258648

CELL = Cell(
    name="logarithm",
    summary="minus the logarithm of its input, one op-amp and a junction",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: -_V * np.log(v / 1e-9),
    inputs=(Input("in"),),
    low_v=0.02,
    high_v=0.25,
)
