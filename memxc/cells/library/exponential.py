"""The exponential by a junction."""

import numpy as np

from memxc.cells.contract import Cell, Input

#: kT/q at 27 degrees.
_V = 0.0258648

CELL = Cell(
    name="exponential",
    summary="minus the exponential of its input, one op-amp and a junction",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: -2e-9 * np.exp(v / _V),
    inputs=(Input("in"),),
    low_v=0.40,
    high_v=0.48,
)
