"""The driver of word lines."""

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="row_driver",
    summary="its input, an op-amp as a follower",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: v,
    inputs=(Input("in"),),
    low_v=-0.2,
    high_v=0.25,
)
