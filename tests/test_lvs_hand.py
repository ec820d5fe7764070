"""lvs on designs and netlists that were both written by hand from docs/netlist.md.

The writer gets the same designs, so neither is compared only with the other.
"""

from __future__ import annotations

import numpy as np
import pytest

from memxc.backends import netlist
from memxc.backends.netlist import schedule as turns_of
from memxc.backends.netlist import tables
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Circuit, Lanes, Rename
from memxc.ir.windows import DISCARD, GROUND, Windows, identity_windows, ints, lanewise
from memxc.lvs import compare, compare_folder

CELLS = """\
* the crossbar
.subckt xb0 w0 w1 w2 w3 c0 c1 c2 c3
R0_0 w0 c0 1.000000000e+04
R0_1 w0 c1 2.000000000e+04
R0_3 w0 c3 8.000000000e+04
R1_2 w1 c2 3.333333333e+05
R2_0 w2 c0 1.250000000e+06
R3_1 w3 c1 4.000000000e+03
.ends xb0
"""
PERIPHERY = """\
* as docs/netlist.md has them
.subckt tia p m out r_f=1 r_join=1
e2 out 0 0 m 1e4
R3 out m {r_f}
e1 a 0 0 p 1e+04
r1 a p {r_join}
r2 a m {r_join}
.ends tia
.subckt limiter in out clip=1
B1 out 0 V=min(max(v(in),0-{clip}),{clip})
.ends limiter
.subckt relu0 x0 out
b1 out 0 v=max(v(x0),0)
.ends relu0
"""
TOP = """\
* by hand
* input 1, lanes 0 to 2: n0_0 to n0_2, 2.000000000e-01 V a unit
* output 1, lanes 0 to 1: n3_0 to n3_1, 1.000000000e-01 V a unit
* supply, driven by the test bench: vbias1 at 2.000000000e-01 V
* supply, driven by the test bench: vbiasn1 at -2.000000000e-01 V
.include "cells/a.cir"
.include "cells/periphery.cir"
xs1_k0_g0_p0 n0_2 0 n0_0 vbias1 p2_0 m2_0 p2_1 m2_1 xb0
xa2_0 p2_0 m2_0 r2_0 tia r_f=5.000000000e+03 r_join=1.000000000e+03
xa2_1 p2_1 m2_1 r2_1 tia r_f=6.000000000e+03 r_join=2.000000000e+03
xl2_0 r2_0 n2_0 limiter clip=2.500000000e-01
xl2_1 r2_1 n2_1 limiter clip=2.500000000e-01
xf3_0 n2_1 n3_0 relu0
xf3_1 n2_0 n3_1 relu0
"""


def _g(*ohms):
    return 1 / np.array([ohms])


def _parallel() -> Design:
    """Return x(3) -> wires (2, ground, 0) -> 3 inputs and a bias on 4 bit lines -> limiter -> relu.

    The lanes are crossed.
    """
    crossbar = Crossbar(
        g=_g(4e3, 1e4, 2e4, 8e4, 1e6 / 3, 1.25e6),
        cell=ints([[1, 2, -1, 3], [-1, -1, 4, -1], [5, -1, -1, -1], [-1, 0, -1, -1]]),
        line=ints([0, 1, 2, BIAS]), sign=ints([1, 1, 1, 1]),
        column=ints([0, 0, 1, 1]), polarity=ints([1, -1, 1, -1]), definition=ints([0]),
        taps=identity_windows(3), sinks=identity_windows(2), grid=(1,),
    )  # fmt: skip
    stages = (
        Rename("turn", ("x",), "t", ints([2, GROUND, 0])),
        Array("dense", "t", "y", (crossbar,), np.array([5e3, 6e3]), np.array([1e3, 2e3]),
              v_bias=0.2, gain=1e4),
        Lanes("relu", ("y",), "z", (lanewise([1, 0]),), "max(x0,0)", Circuit("relu"),
              keeps_scale=True),
    )  # fmt: skip
    buses = [Bus("x", (1, 3), 0.2), Bus("t", (1, 3), 0.2), Bus("y", (1, 2), 0.1, 0.25),
             Bus("z", (1, 2), 0.1)]  # fmt: skip
    return _verified(Design("hand", ("x",), ("z",), {bus.name: bus for bus in buses}, stages))


def _verified(design: Design) -> Design:
    design.verify()
    return design


def _write(folder, cells, periphery, top):
    (folder / "cells").mkdir(parents=True)
    (folder / "cells" / "a.cir").write_text(cells)
    (folder / "cells" / "periphery.cir").write_text(periphery)
    (folder / "net.cir").write_text(top)
    return folder / "net.cir"


def test_a_parallel_stage_by_hand(tmp_path):
    result = compare(_parallel(), _write(tmp_path / "n", CELLS, PERIPHERY, TOP))
    assert result.differences == ()
    assert (result.devices, result.instances, result.connections) == (6, 7, 8 + 6 + 4 + 4)
    assert compare(_parallel(), netlist.write(_parallel(), tmp_path / "w", "net")[0]) == result


SINGLE = """\
* the crossbar
.subckt xb0 w0 w1 w2 w3 w4 w5 c0
R0_0 w0 c0 1.000000000e+04
R3_0 w3 c0 2.000000000e+04
R4_0 w4 c0 4.000000000e+04
R5_0 w5 c0 8.000000000e+04
.ends xb0
"""
SINGLE_PERIPHERY = """\
.subckt tia_single m out r_f=1
e1 out 0 0 m 1e4
r1 out m {r_f}
.ends
.subckt inverter in out
r1 in m 1e4
r2 out m 10000
e1 out 0 0 m 10000.0
.ends
"""
SEQUENTIAL = """\
* by hand
*supply, of any kind: VBIAS0 at 0.2 v
*supply, of any kind: vbiasn0 at -2e-1 V
*Input 1,  lanes 0 to 3 : N0_0 to n0_3,	0.2 v a unit
* output 1, lanes 0 to 1: n1_0 to n1_1, 1e-1 V a unit
.include cells/a.cir
.include cells/periphery.cir
xs0_k0_g0_p0 q0_0_0_0 i0_0_0_1 q0_0_0_2 i0_0_0_3 vbias0 vbiasn0 m1_0 xb0
xi0_0_0_1 q0_0_0_0 i0_0_0_1 inverter
xi0_0_0_3 q0_0_0_2 i0_0_0_3 inverter
xa1_0 m1_0 n1_0 tia_single r_f=5.000000000e+03
"""
INVERTED = """\
* by hand
* supply: vbias0 at 2.0e-01 V
* supply: vbiasn0 at -2.0e-01 V
* input 1, lanes 0 to 3: n0_0 to n0_3, 2e-01 V a unit
* output 1, lanes 0 to 1: n1_0 to n1_1, 1e-01 V a unit
.include cells/a.cir
.include cells/periphery.cir
xs0_k0_g0_p0 n0_0 i0_0_0 n0_1 i0_0_1 vbias0 vbiasn0 m1_0 xb0
xs0_k0_g0_p1 n0_1 i0_0_1 n0_2 i0_0_2 vbias0 vbiasn0 m1_1 xb0
xs0_k0_g0_p2 n0_2 i0_0_2 n0_3 i0_0_3 vbias0 vbiasn0 0 xb0
xi0_0_0 n0_0 i0_0_0 inverter
xi0_0_1 n0_1 i0_0_1 inverter
xi0_0_2 n0_2 i0_0_2 inverter
xi0_0_3 n0_3 i0_0_3 inverter
xa1_0 m1_0 n1_0 tia_single r_f=5.000000000e+03
xa1_1 m1_1 n1_1 tia_single r_f=6.000000000e+03
"""


def _inverted(schedule: str) -> Design:
    """Return x(4) with two inputs a place, three places; the last place's output is dropped."""
    crossbar = Crossbar(
        g=_g(1e4, 2e4, 4e4, 8e4),
        cell=ints([[0], [-1], [-1], [1], [2], [3]]),
        line=ints([0, 0, 1, 1, BIAS, BIAS]), sign=ints([1, -1, 1, -1, 1, -1]),
        column=ints([0]), polarity=ints([-1]), definition=ints([0]),
        taps=Windows(ints(range(4)), ints(range(3)), ints([0]), ints([0, 1])),
        sinks=Windows(ints([0, 1, DISCARD]), ints(range(3)), ints([0]), ints([0])), grid=(3,),
    )  # fmt: skip
    stage = Array("conv", "x", "y", (crossbar,), np.array([5e3, 6e3]), np.array([1e3, 2e3]),
                  v_bias=0.2, gain=1e4, schedule=schedule, signed="inverted-inputs")  # fmt: skip
    buses = {"x": Bus("x", (1, 4), 0.2), "y": Bus("y", (1, 2), 0.1)}
    return _verified(Design("hand", ("x",), ("y",), buses, (stage,)))


@pytest.mark.parametrize(
    ("schedule", "top", "counts"),
    [("sequential", SEQUENTIAL, (4, 4, 13)), ("parallel", INVERTED, (4, 9, 33))],
)
def test_inverted_inputs_by_hand(tmp_path, schedule, top, counts):
    design = _inverted(schedule)
    result = compare(design, _write(tmp_path / "n", SINGLE, SINGLE_PERIPHERY, top))
    assert result.differences == ()
    assert (result.devices, result.instances, result.connections) == counts
    assert compare(design, netlist.write(design, tmp_path / "w", "net")[0]) == result


def test_a_netlist_of_the_other_schedule(tmp_path):
    top = _write(tmp_path / "n", SINGLE, SINGLE_PERIPHERY, SEQUENTIAL)
    said = {d.where for d in compare(_inverted("parallel"), top).differences}
    assert {"xs0_k0_g0_p0 word line 0", "xs0_k0_g0_p1", "xi0_0_0", "xi0_0_0_1", "xa1_1"} <= said


MAPPING = """\
stage,tile,made_of,rows,columns,first_row_net,first_column_net,file,subckt,driven
"""
TABLES = {
    "parallel": (
        f"""{MAPPING}\
s00_conv,xs0_k0_g0_p0,memristor,6,1,n0_0,m1_0,netlist/cells/a.cir,xb0,left
s00_conv,xs0_k0_g0_p1,memristor,6,1,n0_1,m1_1,netlist/cells/a.cir,xb0,left
s00_conv,xs0_k0_g0_p2,memristor,6,1,n0_2,0,netlist/cells/a.cir,xb0,left
""",
        "stage,period,port,net,count,step\n",
        3,
    ),
    "sequential": (
        f"""{MAPPING}\
s00_conv,xs0_k0_g0_p0,memristor,6,1,q0_0_0_0,m1_0,netlist/cells/a.cir,xb0,left
""",
        """\
stage,period,port,net,count,step
s00_conv,0,q0_0_0_0,n0_0,3,1
s00_conv,0,q0_0_0_2,n0_1,3,1
s00_conv,0,n1_0,n1_0,2,1
""",
        4,
    ),
}


@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
def test_the_tables_by_hand(tmp_path, schedule):
    top = {"parallel": INVERTED, "sequential": SEQUENTIAL}[schedule]
    _write(tmp_path / "netlist", SINGLE, SINGLE_PERIPHERY, top)
    table, turns, rows = TABLES[schedule]
    (tmp_path / "mapping.csv").write_text(table)
    (tmp_path / "schedule.csv").write_text(turns)
    result = compare_folder(_inverted(schedule), tmp_path)
    assert (result.differences, result.rows) == ((), rows)
    # The writer's tables name another file for the definition.
    for name, lines in (
        ("mapping", tables.mapping(_inverted(schedule), "cir")),
        ("schedule", turns_of.lines(_inverted(schedule))),
    ):
        text = "".join(f"{line}\n" for line in lines)
        (tmp_path / f"{name}.csv").write_text(text.replace("s00_conv.cir", "a.cir"))
    assert compare_folder(_inverted(schedule), tmp_path) == result


def test_the_tables_of_the_other_dialect(tmp_path):
    """mapping.csv names the files of the first dialect in the request."""
    _write(tmp_path / "netlist", SINGLE, SINGLE_PERIPHERY, SEQUENTIAL)
    table, turns, _ = TABLES["sequential"]
    (tmp_path / "schedule.csv").write_text(turns)
    (tmp_path / "mapping.csv").write_text(table.replace("a.cir", "a.sp"))
    (difference,) = compare_folder(_inverted("sequential"), tmp_path).differences
    assert (difference.where, difference.found) == ("xs0_k0_g0_p0 file", "netlist/cells/a.sp")
    (tmp_path / "netlist" / "net.sp").write_text("* the same in another dialect")
    assert compare_folder(_inverted("sequential"), tmp_path).differences == ()


@pytest.mark.parametrize(
    ("line", "where", "expected", "found"),
    [
        ("* supply: vbias0 at 2.0e-01 V", "vbias0", "no (second) supply", "2.0e-01 V"),
        ("* supply: vbias7 at 0.2 V", "vbias7", "no (second) supply", "0.2 V"),
        ("* supply of volts", None, None, None),
    ],
)
def test_one_supply_more(tmp_path, line, where, expected, found):
    top = _write(tmp_path / "n", SINGLE, SINGLE_PERIPHERY, f"{SEQUENTIAL}{line}\n")
    said = compare(_inverted("sequential"), top).differences
    wanted = [(12, f"supply {where}", expected, found)] if where else []
    assert [(d.line, d.where, d.expected, d.found) for d in said] == wanted


@pytest.mark.parametrize("volts", ["0.3", "200m", "nan", "-0.2", "0.2000000001"])
def test_another_supply(tmp_path, volts):
    top = SEQUENTIAL.replace("VBIAS0 at 0.2 v", f"VBIAS0 at {volts} v")
    (said,) = compare(
        _inverted("sequential"), _write(tmp_path / "n", SINGLE, SINGLE_PERIPHERY, top)
    ).differences
    assert (said.line, said.where, said.found) == (2, "supply vbias0", f"{volts} V")


def test_a_supply_that_is_not_named(tmp_path):
    top = SEQUENTIAL.replace("VBIAS0 at 0.2 v", "VBIAS0")
    found = compare(_inverted("sequential"), _write(tmp_path / "n", SINGLE, SINGLE_PERIPHERY, top))
    assert [(d.where, d.found) for d in found.differences] == [("supply vbias0", "missing")]


def test_a_limited_input_in_parts_by_hand(tmp_path):
    """The outputs are the reversed input, grounded in the middle, so each lane is a part."""
    wires = Rename("turn", ("x",), "y", ints([2, GROUND, 0, 1]))
    buses = {"x": Bus("x", (1, 3), 0.2, 0.25), "y": Bus("y", (1, 4), 0.2, 0.25)}
    design = _verified(Design("hand", ("x",), ("y",), buses, (wires,)))
    top = """\
* by hand
* input 1, lanes 0 to 2: n0_0 to n0_2, 2e-1 V a unit, clipped at 0.25 V
* output 1, lanes 0 to 0: n0_2 to n0_2, 2e-1 V a unit
* output 1, lanes 1 to 1: 0 to 0, 2e-1 V a unit
* output 1, lanes 2 to 3: n0_0 to n0_1, 2e-1 V a unit
"""
    assert compare(design, _write(tmp_path / "n", "", "", top)).differences == ()
    written = netlist.write(design, tmp_path / "w", "net")[0]
    assert compare(design, written).differences == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "where", "found"),
    [
        ("n3_0 to n3_1", "n3_1 to n3_0", 3, "output 1, lanes 0 to 1 nets", "n3_1 to n3_0"),
        ("n3_0 to n3_1", "n2_0 to n2_1", 3, "output 1, lanes 0 to 1 nets", "n2_0 to n2_1"),
        ("1.000000000e-01 V a", "1.000000001e-01 V a", 3, "output 1, lanes 0 to 1 volts",
         "1.000000001e-01 v a unit"),
        ("1.000000000e-01 V a", "100m V a", 3, "output 1, lanes 0 to 1 volts", "100m v a unit"),
        ("2.000000000e-01 V a unit\n*", "2e-1 V a unit, clipped at 0.25 V\n*", 2,
         "input 1, lanes 0 to 2 volts", "2e-1 v a unit, clipped at 0.25 v"),
        ("lanes 0 to 2", "lanes 0 to 1", 2, "input 1, lanes 0 to 1", "n0_0 to n0_2, 2.0"),
        ("* output", "* out", 0, "output 1, lanes 0 to 1", "missing"),
        ("* output", "* output 1, lanes 0 to 1: n1 to n2, 1 V\n* output", 3,
         "output 1, lanes 0 to 1 nets", "n1 to n2"),
    ],
)  # fmt: skip
def test_an_edited_head_is_named(tmp_path, old, new, line, where, found):
    assert old in TOP
    top = _write(tmp_path / "n", CELLS, PERIPHERY, TOP.replace(old, new, 1))
    differences = compare(_parallel(), top).differences
    assert any((d.line, d.where) == (line, where) and found in d.found for d in differences)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("e2 out 0 0 m 1e4", "e2 out 0 0 m {1e4}"),
        ("e2 out 0 0 m 1e4", "b2 out 0 v=-1e4*v(m)"),
        ("r1 a p {r_join}", "r1 a p {2*r_join}"),
        ("r1 a p {r_join}", "r1 a p {r_join}\nr9 p out 5"),
        ("e2 out 0 0 m 1e4\n", ""),
        ("{clip})\n", "{0.9*clip})\n"),
        ("{clip})\n", "{clip})\nc1 in 0 1p\n"),
        ("v=max(v(x0),0)", "v=max(0,v(x0))"),
        ("v=max(v(x0),0)", "v={max(v(x0),0)}"),
        ("v=max(v(x0),0)", "v=v(x0)*(v(x0)>0)"),
    ],
)
def test_any_other_text_of_a_cell_is_the_users_own(tmp_path, old, new):
    whole = compare(_parallel(), _write(tmp_path / "a", CELLS, PERIPHERY, TOP))
    assert whole.user_cells == ()
    assert old in PERIPHERY
    result = compare(_parallel(), _write(tmp_path / "b", CELLS, PERIPHERY.replace(old, new), TOP))
    assert result.differences == ()
    (cell,) = result.user_cells
    assert (cell.file, cell.name) in [
        ("cells/periphery.cir", name) for name in ("tia", "limiter", "relu0")
    ]


def test_cards_outside_of_cells_and_helpers_are_the_users_own(tmp_path):
    more = ".param a=1\n.subckt helper a b\nr1 a b 1\n.ends\n"
    result = compare(_parallel(), _write(tmp_path, CELLS, PERIPHERY + more, TOP))
    assert result.differences == ()
    names = [(cell.line, cell.name) for cell in result.user_cells]
    assert names == [(15, ".param a=1"), (16, "helper")]
