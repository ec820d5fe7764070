"""The multiplier of two signals."""

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="multiplier",
    summary="a times b, divided by 0.25 V, five op-amps and four transistors",
    ports=("a", "b", "out", "vdd", "vss"),
    function=lambda v, _: v * (0.05 - 0.8 * v) / 0.25,
    # b = 0.05 V - 0.8 a, so the product passes through three quadrants.
    inputs=(Input("a"), Input("b", -0.8, volts=0.05)),
    low_v=-0.25,
    high_v=0.25,
    opamps=5,
)
