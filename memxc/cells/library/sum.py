"""The summing amplifier, which adds lanes."""

from memxc.cells.contract import Cell, Input

CELL = Cell(
    name="sum",
    summary="the sum of its inputs, two op-amps",
    ports=("a", "b", "out", "vdd", "vss"),
    function=lambda v, _: 0.6 * v,
    # The shares differ, so that neither input can stand for the other, or be missing.
    inputs=(Input("a"), Input("b", -0.4)),
    low_v=-0.25,
    high_v=0.25,
    opamps=2,
)
