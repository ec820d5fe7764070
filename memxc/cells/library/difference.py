"""The difference amplifier, which subtracts one lane from another."""

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="difference",
    summary="a less b, one op-amp",
    ports=("a", "b", "out", "vdd", "vss"),
    function=lambda v, _: 1.3 * v,
    inputs=(Input("a"), Input("b", -0.3)),
    low_v=-0.25,
    high_v=0.25,
)
