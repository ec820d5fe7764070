"""The transimpedance amplifier behind one bit line."""

from memxc.cells.contract import Cell, Input, Parameter

_R = 1e5

CELL = Cell(
    name="tia_single",
    summary="-r_f times the current of m, one op-amp",
    ports=("m", "out", "vdd", "vss"),
    parameters=(
        Parameter("r_f", "ohm", 2e4, 2e4, 1e5),
        Parameter("c_f", "F", 2e-13, 5e-14, 1e-12),
    ),
    function=lambda v, values: -values["r_f"] / _R * v,
    inputs=(Input("m", 1.0, _R),),
    low_v=-0.2,
    high_v=0.2,
)
