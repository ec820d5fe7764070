"""The pair of transimpedance amplifiers behind two bit lines."""

from memxc.cells.contract import Cell, Input, Parameter

_R = 1e5

CELL = Cell(
    name="tia",
    summary="r_f times the current of p less that of m, two op-amps",
    ports=("p", "m", "out", "vdd", "vss"),
    parameters=(
        Parameter("r_f", "ohm", 2e4, 2e4, 1e5),
        Parameter("r_join", "ohm", 2e4, 2e4, 1e5),
        Parameter("c_join", "F", 2e-13, 5e-14, 1e-12),
        Parameter("c_f", "F", 2e-13, 5e-14, 1e-12),
    ),
    # The two currents differ, so that p and m cannot be exchanged.
    function=lambda v, values: 1.5 * values["r_f"] / _R * v,
    inputs=(Input("p", 1.0, _R), Input("m", -0.5, _R)),
    low_v=-0.2,
    high_v=0.2,
    opamps=2,
)
