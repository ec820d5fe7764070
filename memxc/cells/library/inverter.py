"""The inverter, which drives inverted word lines."""

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="inverter",
    summary="minus its input",
    ports=("in", "out", "vdd", "vss"),
    function=lambda v, _: -v,
    inputs=(Input("in"),),
    low_v=-0.2,
    high_v=0.2,
)
