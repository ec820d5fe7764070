"""The amplifier of a fixed gain."""

from memxc.cells.contract import Cell, Input, Parameter

CELL = Cell(
    name="scale",
    summary="its input times a gain of 1 or more, one op-amp",
    ports=("in", "out", "vdd", "vss"),
    parameters=(Parameter("k", "", 2.0, 1.1, 4.0),),
    function=lambda v, values: values["k"] * v,
    inputs=(Input("in"),),
    low_v=-0.1,
    high_v=0.1,
)
