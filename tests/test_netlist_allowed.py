"""What an engine must not get from a netlist folder, and what a user's own cell may hold."""

from __future__ import annotations

import contextlib
import os
import time

import pytest

from memxc import netlist_reader
from memxc.errors import MemxcError
from memxc.netlist_reader import allowed

TOP = """\
* by hand
.include "cells/periphery.cir"
xl1_0 r1_0 n1_0 limiter clip=2.5e-01
"""
HEAD = ".subckt limiter in out clip=1\n"
BODY = "b1 out 0 v=v(in)\n"


def _write(tmp_path, cells, top=TOP):
    (tmp_path / "cells").mkdir(exist_ok=True)
    (tmp_path / "cells" / "periphery.cir").write_bytes(
        cells if isinstance(cells, bytes) else cells.encode()
    )
    (tmp_path / "net.cir").write_text(top)
    return tmp_path / "net.cir"


def _refused(path):
    with pytest.raises(MemxcError) as caught:
        netlist_reader.read(path)
    assert caught.value.exit_code == 3
    return caught.value.faults


@pytest.mark.parametrize(
    "line",
    [
        ".control", ".CONTROL", "  .control", "\t.Control", ".endc",
        ".options reltol=1", ".global n1_0", ".csparam a=1", ".include x.cir", ".lib x.cir a",
        ".lib x.cir", ".func f(x)=x", ".save all", ".print dc v(out)", ".measure dc a", ".end",
        ".title x", ".temp 27", ".ic v(out)=1", ".nodeset v(out)=1", ".if (1)", ".hdl x", ".tran 1",
        ".model f filesource (file=x)", ".model m d_state(a=1)", ".model", ".param", ".param =1",
        "a1 in out gain", "u1 in out x", "n1 in out x", "p1 in out x", "y1 in out x", "k1 l1 l2 1",
        "o1 a b c d x", "t1 a b c d x", "z1 a b c x",
        "shell touch /x", "system touch /x", "shell a b c d e", "r1 a b `shell x`",
        "b1 out 0 v='x'", 'b1 out 0 v="x"', "r1 a b 1k \\", "r1 a b 1k $ note", "r1 a b 1k // note",
        "v1 a 0 pwl file=x", "r1 a", "1 2 3 4", "=", "{", "-1",
        "*# shell touch x", " *# shell touch x", "*ng_script",
    ],
)  # fmt: skip
@pytest.mark.parametrize("inside", [True, False])
def test_a_card_that_is_not_allowed_is_named_with_its_line(tmp_path, line, inside):
    body = BODY + line + "\n" if inside else BODY
    cells = f"* cells\n{HEAD}{body}.ends limiter\n" + ("" if inside else line + "\n")
    faults = _refused(_write(tmp_path, cells))
    assert faults[0].code == "bad-design"
    assert faults[0].where == f"cells/periphery.cir:{4 + (not inside)}"


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("min(max(v(in),0-{clip}),{clip)", "a ) in the wrong place"),
        ("min(v(in),{clip})+{clip", "a { that is not closed"),
        ("min(v(in),{clip}", "a ( that is not closed"),
        ("v(in))", "a ) without a ("),
        ("v(in)}", "a } without a {"),
    ],
)
def test_an_expression_whose_brackets_do_not_balance_is_refused(tmp_path, expression, what):
    """ngspice reads such an expression without a word."""
    cells = f"* cells\n{HEAD}{BODY}b2 x 0\n+ v={expression}\n.ends limiter\n"
    (fault,) = _refused(_write(tmp_path, cells))
    assert (fault.where, what in fault.what) == ("cells/periphery.cir:4", True)
    with pytest.raises(MemxcError) as caught:
        netlist_reader.read_cells(tmp_path / "cells")
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("bad-cells", f"{tmp_path}/cells/periphery.cir:4")


@pytest.mark.parametrize("blank", ["\r", "\0", "\x0b", "\x0c", "\x1a", "\x85", "\u00a0", "\u2028"])
def test_no_blank_of_another_alphabet_begins_a_line(tmp_path, blank):
    cells = f"{HEAD}{BODY}* note{blank}.control{blank}shell x\n.ends\n"
    (fault,) = _refused(_write(tmp_path, cells.encode("latin-1", "replace")
                               if ord(blank) < 256 else cells))  # fmt: skip
    assert fault.where == "cells/periphery.cir:3"
    assert "printable ASCII" in fault.what


def test_a_cell_of_the_users_own_may_use_what_is_allowed(tmp_path):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "models.lib").write_text(
        ".lib slow\n.model dd d(is=1f)\n.endl slow\n.LIB fast\n"
        ".MODEL dd d(is=1e-14\n+ n=1.05)\n.subckt half a b\nR1 a b 1k\n.ends\n.ENDL\n"
    )
    cells = f"""\
* two diodes
.lib "models.lib" fast
.param knee=0.1
 .subckt limiter in out clip=1 ; a comment
.param v0={{clip-knee}}
    r1 in out 1k ; {{no}} `shell`
C1 out 0 1p
d1 out k1 dd
v1 k1 0 {{v0}}
q1 a b 0 nn
.model nn npn(bf=100)
M1 a b 0 0 mm
.model mm nmos
j1 a b 0 jj
.model jj njf
e1 a 0 in 0 2
f1 a 0 v1 2
g1 a 0 in 0 2
h1 a 0 v1 2
{BODY}i1 a 0 1u
x1 in out half
s1 a 0 in 0 sw1
.model sw1 sw(vt=1)
w1 a 0 v1 sw2
.model sw2 csw(it=1)
 .ends limiter
"""
    found = netlist_reader.read(_write(tmp_path, cells))
    assert [(each.text, each.file, each.line) for each in found.shared] == [
        (".model dd d(is=1e-14  n=1.05)", "cells/models.lib", 5),
        (".param knee=0.1", "cells/periphery.cir", 3),
    ]
    assert found.definitions["half"].line == 7
    text = found.definitions["limiter"].text
    assert text.startswith(".subckt limiter in out clip=1\n")
    assert "r1 in out 1k\n" in text
    assert not set("*;`+") & set(text)


def test_an_engine_is_given_what_was_read(tmp_path):
    """Comments, continuations and blanks are gone, because engines read them differently."""
    cells = (
        f"{HEAD}* note\n\tB1 out 0\n*+ x\n\n+ V=v(in) ; *\nR1 in\n+ out 1e3\nr2 in out 5\n.ends\n"
    )
    found = netlist_reader.read(_write(tmp_path, cells)).definitions["limiter"]
    assert found.text == (
        ".subckt limiter in out clip=1\n"
        "r1 in out 1e3\n"
        "r2 in out 5\n"
        "b1 out 0  v=v(in)\n"
        ".ends limiter\n"
    )


def test_names_of_devices_are_plain_words_or_read_as_cards(tmp_path):
    (fault,) = _refused(_write(tmp_path, f"{HEAD}r1 in `x` 5\n.ends\n"))
    assert fault.where == "cells/periphery.cir:2"
    found = netlist_reader.read(_write(tmp_path, f"{HEAD}r1 in o:ut 5\n.ends\n"))
    assert [card.text for card in found.definitions["limiter"].others] == ["r1 in o:ut 5"]


@pytest.mark.parametrize(
    ("cells", "line", "what"),
    [
        (f"{HEAD}x1 in out limiter\n.ends\n", 1, "places itself"),
        (f"{HEAD}x1 in out a\n.ends\n.subckt a i o\nx1 i o limiter\n.ends\n", 1, "by way of"),
        (f"{HEAD}x1 in out other r=1\n.ends\n", 2, "limiter places other, which no file"),
        (f"{HEAD}x1 in out other r=\n.ends\n", 2, "limiter places no cell"),
    ],
)
def test_instances_in_cells_are_limited(tmp_path, cells, line, what):
    (fault,) = _refused(_write(tmp_path, cells))
    assert what in fault.what
    assert fault.where.startswith("cells/periphery.cir:")
    assert "by way" in what or fault.where.endswith(f":{line}")


def test_definitions_that_expand_without_end_are_refused(tmp_path):
    """Each cell has the cell before it ten times, sixty times over: 10^60 cards."""
    ten = "".join(f"x{i} i o c{{0}}\n" for i in range(10))
    cells = f"{HEAD}{BODY}.ends\n.subckt c0 i o\nc1 i o 1\n.ends\n"
    for n in range(60):
        cells += f".subckt c{n + 1} i o\n{ten.format(n)}.ends\n"
    (fault,) = _refused(_write(tmp_path, cells))
    assert "unfolds to more than 100,000 cards" in fault.what


@pytest.mark.parametrize(
    ("card", "what"),
    [
        ('.include "cells/../../outside.cir"', "outside"),
        ('.lib "../outside.cir" a', "outside"),
        (".lib /etc/passwd a", "outside"),
        (".lib cells/link.cir a", "outside"),
        (".include cells/pipe", "no file"),
        (".lib cells/periphery.cir a", "second time"),
        (".lib cells/other.cir b", "no section b"),
    ],
)
def test_no_file_but_those_of_the_folder_is_opened(tmp_path, card, what):
    inside = tmp_path / "netlist"
    (inside / "cells").mkdir(parents=True)
    (tmp_path / "outside.cir").write_text(".lib a\n.model x d\n.endl\n")
    (inside / "cells" / "other.cir").write_text(".lib a\n.model x d\n.endl\n")
    (inside / "cells" / "link.cir").symlink_to(tmp_path / "outside.cir")
    os.mkfifo(inside / "cells" / "pipe")
    if what == "second time":
        card = f".lib cells/other.cir a\n{card.replace('periphery', 'other')}"
    path = _write(inside, f"{HEAD}{BODY}.ends\n", f"{TOP}{card}\n")
    (fault,) = _refused(path)
    assert what in fault.what
    assert fault.where == f"net.cir:{4 + card.count(chr(10))}"


def test_a_top_file_that_leads_out_of_the_folder(tmp_path):
    (tmp_path / "n").mkdir()
    (tmp_path / "out.cir").write_text(TOP)
    (tmp_path / "n" / "net.cir").symlink_to(tmp_path / "out.cir")
    (fault,) = _refused(tmp_path / "n" / "net.cir")
    assert (fault.where, "outside" in fault.what) == ("net.cir", True)


def test_a_chain_of_includes_has_an_end(tmp_path):
    path = _write(tmp_path, ".include f0.cir\n")
    for n in range(30):
        (tmp_path / "cells" / f"f{n}.cir").write_text(f".include f{n + 1}.cir\n")
    (fault,) = _refused(path)
    assert "deeper than 20" in fault.what


@pytest.mark.parametrize(
    "line",
    [
        "x1 a" + " " * 1_000_000 + "b =c limiter",
        "r1 a" + " " * 1_000_000 + "b",
        "r" * 1_000_000,
        "x" * 1_000_000 + " =" * 500_000,
        ".model " + "a " * 500_000,
        ".subckt big a b" + "\n+ c" * 300_000 + "\n.ends",
        ".lib " + " " * 1_000_000 + "x",
        "* supply" + " " * 1_000_000 + "x",
        "* input" + " " * 1_000_000 + ":",
    ],
    ids=lambda text: text[:7].strip(),
)
def test_a_long_line_takes_no_long_time(tmp_path, line):
    path = _write(tmp_path, f"{HEAD}{BODY}.ends\n", f"{TOP}{line}\n")
    start = time.process_time()
    with contextlib.suppress(MemxcError):
        netlist_reader.read(path)
    assert time.process_time() - start < 5


def test_no_letter_is_allowed_that_the_page_does_not_name():
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz" if not allowed.refusal(f"{c}1 a b c d e")]
    assert "".join(letters).upper() == "BCDEFGHIJLMQRSVWX"
