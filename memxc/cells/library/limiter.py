"""The limiter, which keeps a lane below the threshold of the memristors."""

import numpy as np

from memxc.cells.contract import Cell, Input, Parameter

CELL = Cell(
    name="limiter",
    summary="its input within -clip to clip",
    ports=("in", "out", "vdd", "vss"),
    parameters=(Parameter("clip", "V", 0.25, 0.25, 0.5),),
    function=lambda v, values: np.clip(v, -values["clip"], values["clip"]),
    inputs=(Input("in"),),
    low_v=-0.4,
    high_v=0.4,
    # Diodes bend gently, and carry what drives them.
    accuracy=0.2,
    opamps=0,
)
