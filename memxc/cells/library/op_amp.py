"""The op-amp, from which the other cells are made."""

from memxc.cells.contract import Cell

CELL = Cell(
    name="op_amp",
    summary="operational amplifier with rails",
    ports=("inp", "inn", "out", "vdd", "vss"),
    opamps=0,
)
