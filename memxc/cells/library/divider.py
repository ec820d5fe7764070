"""The divider of one signal by another."""

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="divider",
    summary="0.25 V times a, divided by a positive b, an op-amp and a multiplier",
    ports=("a", "b", "out", "vdd", "vss"),
    function=lambda v, _: 0.25 * v / (0.15 + 0.5 * v),
    inputs=(Input("a"), Input("b", 0.5, volts=0.15)),
    low_v=-0.08,
    high_v=0.12,
    accuracy=0.02,
    opamps=7,
)
