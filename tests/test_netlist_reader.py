"""The netlist reader on a readable netlist, and on edits that people make."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memxc import netlist_reader
from memxc.errors import MemxcError

TOP = """\
* net: written by hand
* supply, driven by the test bench: vbias0 at 2.000000000e-01 V
.include "cells/s00_conv.cir"
.include "cells/periphery.cir"
* s00_conv
xs0_k0_g0_p0 n0_0 n0_1
+ vbias0 p1_0 m1_0 xb0
XA1_0 p1_0 m1_0 n1_0 tia r_f=1.000000000e+04 R_join = 2.0e+04
"""
CELLS = """\
* a comment before
.subckt xb0 w0 w1 w2
+ c0 c1
R0_0 w0 c0 1.234567890e+05
* a comment between, which is no .subckt
r1_0 W1 c0 5e3
R2_1 w2
+ c1 7.5
.ends xb0
"""
PERIPHERY = """\
.subckt tia p m out r_f=1 r_join=1
h1 out 0 vp {r_f}
.ends
"""


def _write(tmp_path, top=TOP, cells=CELLS, periphery=PERIPHERY):
    (tmp_path / "cells").mkdir(exist_ok=True)
    (tmp_path / "cells" / "s00_conv.cir").write_text(cells)
    (tmp_path / "cells" / "periphery.cir").write_text(periphery)
    (tmp_path / "net.cir").write_text(top)
    return tmp_path / "net.cir"


def _faults(path):
    with pytest.raises(MemxcError) as caught:
        netlist_reader.read(path)
    assert {fault.code for fault in caught.value.faults} == {"bad-design"}
    return [(fault.where, fault.what) for fault in caught.value.faults]


def test_instances_of_a_netlist_written_by_hand(tmp_path):
    found = netlist_reader.read(_write(tmp_path))
    placed, amplifier = found.instances["xs0_k0_g0_p0"], found.instances["xa1_0"]
    assert placed.nodes == ("n0_0", "n0_1", "vbias0", "p1_0", "m1_0")
    assert (placed.cell, placed.params, placed.file, placed.line) == ("xb0", (), "net.cir", 6)
    assert (amplifier.nodes, amplifier.line) == (("p1_0", "m1_0", "n1_0"), 8)
    assert amplifier.params == (("r_f", "1.000000000e+04"), ("r_join", "2.0e+04"))
    assert len(found.instances) == 2
    assert found.twice == ()


def test_devices_of_a_netlist_written_by_hand(tmp_path):
    xb0 = netlist_reader.read(_write(tmp_path)).definitions["xb0"]
    assert (xb0.ports, xb0.file, xb0.line) == (
        ("w0", "w1", "w2", "c0", "c1"), "cells/s00_conv.cir", 2,
    )  # fmt: skip
    devices = xb0.devices
    assert devices.first.tolist() == [0, 1, 2]
    assert devices.second.tolist() == [3, 3, 4]
    assert devices.row.tolist() == [0, 1, 2]
    assert devices.column.tolist() == [0, 0, 1]
    assert devices.ohms.tolist() == [123456.789, 5000.0, 7.5]
    assert devices.lines.tolist() == [4, 6, 7]
    assert devices.words(1) == ["r1_0", "w1", "c0", "5e3"]
    assert xb0.others == ()


def test_other_cells_keep_their_cards(tmp_path):
    tia = netlist_reader.read(_write(tmp_path)).definitions["tia"]
    assert (tia.ports, tia.params) == (("p", "m", "out"), (("r_f", "1"), ("r_join", "1")))
    assert tia.others == ((2, "h1 out 0 vp {r_f}"),)
    assert not len(tia.devices.ohms)


def test_the_fast_and_the_general_parser_agree(tmp_path):
    # One comment makes the reader use its slow path for a body.
    rng = np.random.default_rng(2)
    lines = [
        f"R{r}_{c} w{r} c{c} {10 ** rng.uniform(2, 7):.9e}" for r in range(5) for c in range(3)
    ]
    head = ".subckt xb0 w0 w1 w2 w3 w4 c0 c1 c2\n"
    quick, patient = (
        netlist_reader.read(_write(tmp_path, cells=f"{head}{text}\n.ends xb0\n"))
        .definitions["xb0"]
        .devices
        for text in ("\n".join(lines), "\n".join([*lines, "* note"]))
    )
    assert len(quick.ohms) == 15
    for name in ("first", "second", "row", "column", "ohms", "lines"):
        assert getattr(quick, name).tolist() == getattr(patient, name).tolist(), name


@pytest.mark.parametrize(
    "card",
    [
        "R1_0 w1 c0 5k", "R1_0 w1 c0 nan", "R1_0 w1 c0 1_0", "R1_0 w1 c0", "R1_0 w1 c0 5 tc=0.1",
        "R1_0 w1 c0 1e", "C1_0 w1 c0 5", "R1_0 w:1 c0 5", "R1_0 w1 c0 {r}",
    ],
)  # fmt: skip
def test_what_is_no_plain_resistor_is_kept_apart(tmp_path, card):
    cells = CELLS.replace("r1_0 W1 c0 5e3", card)
    xb0 = netlist_reader.read(_write(tmp_path, cells=cells)).definitions["xb0"]
    assert xb0.others == ((6, card.lower()),)
    assert xb0.devices.row.tolist() == [0, 2]


def test_words_cannot_slip_from_line_to_line(tmp_path):
    # Twelve words on three lines, but not four words on each.
    body = "R0_0 w0 c0\nR5 R1_0 w1 c0 6\nR2_1 w2 c1 7\n"
    cells = f".subckt xb0 w0 w1 w2 c0 c1\n{body}.ends\n"
    xb0 = netlist_reader.read(_write(tmp_path, cells=cells)).definitions["xb0"]
    assert xb0.devices.row.tolist() == [2]
    assert [card.line for card in xb0.others] == [2, 3]


def test_a_node_or_a_name_that_is_none_of_the_crossbar(tmp_path):
    cells = CELLS.replace("r1_0 W1 c0", "rx w7 c0").replace("R0_0", "R0_0_0")
    devices = netlist_reader.read(_write(tmp_path, cells=cells)).definitions["xb0"].devices
    assert devices.first.tolist() == [0, -1, 2]
    assert devices.row.tolist() == [-1, -1, 2]
    assert devices.words(1)[1] == "w7"


@pytest.mark.parametrize(
    ("card", "line", "what"),
    [
        ("R9 n0_0 n0_1 5", 9, "no card"),
        (".control", 9, "no card"),
        ("  .subckt xb1 a b", 9, "without .ends"),
        ("* note\n.subckt xb1 a b", 10, "without .ends"),
        (".subckt xb1 a b\n.ends xb2", 10, "not that of xb1"),
        (".subckt xb1\n.ends xb1", 9, "a name and its ports"),
        (".subckt xb1 a b\n.subckt xb2 a b\n.ends", 10, "no card"),
        (".subckt xb1 a b\n.include x.cir\n.ends", 10, "no card"),
        ("xs1 n0_0", 9, "an X card"),
        ("xs1 n0_0 ; n0_1 xb0", 9, "an X card"),
        ("xs1 n0_0 $ xb0", 9, "an X card"),
        ("xs1 n0_0 // n0_1 xb0", 9, "an X card"),
        ("xs1 n0_0 n0_1 tia r_f=1 xb0", 9, "name=value"),
        ("xs1 n0_0 n0_1 tia r_f=", 9, "name=value"),
        (".include cells/none.cir", 9, "cannot be read"),
        (".include cells", 9, "cannot be read"),
        (".include cells/s00_conv.cir", 9, "second time"),
        (".include net.cir", 9, "second time"),
        (".include ../outside.cir", 9, "outside"),
        ('.include "/etc/passwd"', 9, "outside"),
        (".include cells/link.cir", 9, "outside"),
        (".include cells/loop.cir", 9, "cannot be read"),
        ("x1 a b\0c tia", 9, "printable"),
        ("x1 a b\x85 tia", 9, "printable"),
    ],
)
def test_a_fault_says_where(tmp_path, card, line, what):
    folder = tmp_path / "netlist"
    folder.mkdir()
    path = _write(folder, top=f"{TOP}{card}\n")
    (tmp_path / "outside.cir").write_text(PERIPHERY)
    (folder / "cells" / "link.cir").symlink_to(tmp_path / "outside.cir")
    (folder / "cells" / "loop.cir").symlink_to("loop.cir")
    ((where, said),) = _faults(path)
    assert where == f"net.cir:{line}"
    assert what in said


def test_cards_outside_a_definition_of_an_included_file(tmp_path):
    cells = f"R_short n0_0 n0_1 1\n{CELLS}.lib more.cir\n"
    assert [where for where, _ in _faults(_write(tmp_path, cells=cells))] == [
        "cells/s00_conv.cir:1",
        "cells/s00_conv.cir:11",
    ]


def test_the_first_line_is_a_title(tmp_path):
    top = TOP.partition("\n")[2].partition("\n")[2]
    assert _faults(_write(tmp_path, top=top))[0][0] == "net.cir:1"


def test_a_continuation_of_nothing(tmp_path):
    cells = CELLS.replace("* a comment before", "+ c0 c1")
    assert [where for where, _ in _faults(_write(tmp_path, cells=cells))] == [
        "cells/s00_conv.cir:1"
    ]


def test_parts_with_a_name_that_was_used_before(tmp_path):
    top = f"{TOP}xa1_0 p1_0 m1_0 n1_1 tia\n"
    found = netlist_reader.read(_write(tmp_path, top=top, cells=CELLS + CELLS))
    assert [(part.name, part.line) for part in found.twice] == [("xb0", 11), ("xa1_0", 9)]
    assert found.instances["xa1_0"].line == 8


def test_windows_line_ends_and_a_file_without_a_last_one(tmp_path):
    path = _write(tmp_path)
    path.write_bytes(TOP.strip().replace("\n", "\r\n").encode())
    assert netlist_reader.read(path).instances["xa1_0"].nodes[2] == "n1_0"


def test_no_file(tmp_path):
    ((where, what),) = _faults(tmp_path / "none.cir")
    assert (where, what) == ("none.cir", "none.cir cannot be read: No such file or directory")


@given(st.data())
def test_random_edits_give_a_netlist_or_faults(tmp_path_factory, data):
    path = _write(tmp_path_factory.getbasetemp())
    target = path.parent / data.draw(st.sampled_from(["net.cir", "cells/s00_conv.cir"]))
    text = target.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        at, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 30))
        words = [
            b"\n",
            b"+",
            b"*",
            b".subckt",
            b".ends",
            b" ",
            b"=",
            b"_",
            b"9",
            b"\xff",
            b"x1",
            b"r",
        ]
        text = text[:at] + data.draw(st.sampled_from(words)) + text[at + length :]
    target.write_bytes(text)
    faults = []
    try:
        netlist_reader.read(path)
    except MemxcError as error:
        faults += error.faults
    assert all(re.fullmatch(r"(cells/)?\w+\.cir:\d+", fault.where) for fault in faults)
