"""The differential pair, whose transfer function is a hyperbolic tangent."""

import numpy as np

from memxc.cells.contract import Cell, Input

#: Twice kT/q at 27 degrees.
_V = 2 * 0.0258648

CELL = Cell(
    name="pair",
    summary="0.2 V times the tanh of its input, a differential pair and two op-amps",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: 0.2 * np.tanh(v / _V),
    inputs=(Input("in"),),
    low_v=-0.15,
    high_v=0.15,
    opamps=2,
)
