"""compile --cells: the user's cells are in the netlist, and lvs and verify treat them as such."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib import resources

import pytest

TARGET = resources.files("memxc") / "targets" / "ideal-finite-gain.toml"
#: Two op-amps made of a macro that stands in another file, with a model and a parameter.
TIA = """* two op-amps
.param rin=1e9
.subckt TIA p m out r_f=1 r_join=1
x1 0 p a opamp
r1 a p {r_join}
r2 a m {r_join}
x2 0 m out opamp
r3 out m {r_f}
.ends
.include "macro.lib"
"""
OPAMP = """.subckt opamp plus minus out
rin plus minus {rin}
e1 out 0 plus minus 1e5
.ends opamp
"""
LIMITER = ".subckt limiter in out clip=1\nb1 out 0 v=max(min(v(in),{clip}),0-{clip})\n.ends\n"


@pytest.fixture
def cells(tmp_path):
    """cells(name=text, ...) -> a folder with the files, `__` in a name being a dot."""

    def write(**files):
        folder = tmp_path / "cells"
        folder.mkdir()
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)
        return folder

    return write


def test_own_cells_are_in_the_netlist_and_are_judged(memxc, model, cells, tmp_path):
    own = cells(tia__cir=TIA, macro__lib=OPAMP, limiter__cir=LIMITER, notes__txt="mine")
    out = tmp_path / "out"
    done = memxc("compile", model, "-o", out, "--cells", own, "-t", "paper-128")
    assert done.code == 0
    warnings = json.loads((out / "report.json").read_text())["warnings"]
    assert [f"warning: {words}" for words in warnings] == done.err.splitlines()
    assert "memxc verify simulates yours" in warnings[0]
    assert warnings[1].endswith("no .cir file includes it: notes.txt")
    text = (out / "netlist" / "cells" / "periphery.cir").read_text()
    assert text.count(".subckt tia ") == text.count(".subckt limiter ") == 1
    assert "b1 out 0 v=max(min(v(in),{clip}),0-{clip})" in text
    assert "two op-amps of open-loop gain" not in text
    manifest = json.loads((out / "manifest.json").read_text())
    read = ("limiter.cir", "macro.lib", "tia.cir")
    assert manifest["cells"] == {n: sha256((own / n).read_bytes()).hexdigest() for n in read}
    assert "cells" not in manifest["options"]
    lvs = memxc("lvs", out, "--json")
    assert (lvs.code, lvs.json["changed"]) == (0, [])
    named = [cell["name"] for cell in lvs.json["user_cells"]]
    assert named == [".param rin=1e9", "limiter", "opamp", "tia"]
    verified = memxc("verify", out, "--count", 1, "--json")
    assert (verified.code, verified.json["ok"]) == (0, True)
    # Nobody changed the folder: it is replaced, and then has no cells of the user's.
    assert memxc("compile", model, "-o", out).code == 0
    assert "cells" not in json.loads((out / "manifest.json").read_text())


def test_a_cell_that_computes_something_else_fails_verify(memxc, model, cells, tmp_path):
    own = cells(limiter__cir=LIMITER.replace("{clip})", "0.9*{clip})"))
    assert memxc("compile", model, "-o", tmp_path / "out", "--cells", own).code == 0
    assert memxc("lvs", tmp_path / "out").code == 0
    done = memxc("verify", tmp_path / "out", "--count", 1, "--json")
    assert done.code == 1
    assert [limiter["ok"] for limiter in done.json["limiters"]] == [False]


def test_an_amplifier_of_another_gain_needs_a_target_of_this_gain(memxc, model, cells, tmp_path):
    finite = """.subckt tia p m out r_f=1 r_join=1
e1 a 0 0 p 5e5
r1 a p {r_join}
r2 a m {r_join}
e2 out 0 0 m 5e5
r3 out m {r_f}
.ends
"""
    own, out, target = cells(tia__cir=finite), tmp_path / "out", tmp_path / "mine.toml"
    asked = ("compile", model, "-o", out, "--cells", own, "--target")
    assert memxc(*asked, "ideal-finite-gain").code == 0
    done = memxc("lvs", out)
    assert done.code == 1
    assert "amplifier.gain of the target to the gain that your own cells have (5e5)" in done.out
    assert "undo the change" not in done.out
    target.write_text(re.sub(r"(?m)^gain = .*", "gain = 5e5", TARGET.read_text()))
    assert memxc(*asked, target).code == 0
    assert memxc("lvs", out).code == 0
    cell = out / "netlist" / "cells" / "periphery.cir"
    cell.write_text(cell.read_text().replace("p 5e5", "p 6e5"))
    assert "undo the change" in memxc("lvs", out).out


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (LIMITER.replace("in out", "out in"), 1, "the ports out in, wanted are in out"),
        (LIMITER.replace("clip=1", ""), 1, "limiter lacks the parameter clip"),
        (LIMITER.replace("limiter", "limitre"), 1, "no cell limitre"),
        (LIMITER.replace("limiter", "xb0"), 1, "xb0 is the name of a crossbar"),
        (LIMITER + ".subckt stray a b\nr1 a b 1\n.ends\n", 4, "no cell stray"),
        (LIMITER + LIMITER, 4, "limiter is defined a second time"),
        (LIMITER + "x1 a b limiter\n", 4, "places limiter outside of a cell"),
        (LIMITER.replace("b1", "x1 in out nowhere\nb1"), 2, "places nowhere"),
        (LIMITER + ".control\nshell true\n.endc\n", 4, ".control"),
        (LIMITER.replace("b1", "b0 in 0 v=file(a)\nb1"), 2, "holds file"),
    ],
)
def test_a_cell_that_does_not_fit_is_a_fault(memxc, model, cells, tmp_path, text, line, said):
    done = memxc("compile", model, "-o", tmp_path / "out", "--cells", cells(a__cir=text), "--json")
    assert done.code == 3
    fault = done.json["faults"][0]
    assert fault["code"] == "bad-cells"
    assert fault["where"].endswith(f"cells/a.cir:{line}")
    assert said in fault["what"]
    if "limitre" in text:
        assert fault["hint"].startswith("did you mean 'limiter'? its cells are limiter, relu0, tia")
    assert not (tmp_path / "out").exists()


def test_folders_that_give_no_cells(memxc, model, cells, tmp_path):
    own, out = cells(macro__lib=OPAMP), tmp_path / "out"
    done = memxc("compile", model, "-o", out, "--cells", own)
    assert (done.code, "holds no file *.cir" in done.err) == (3, True)
    (own / "empty.cir").write_text("* nothing\n")
    done = memxc("compile", model, "-o", out, "--cells", own)
    assert (done.code, "no file *.cir in it defines a cell" in done.err) == (3, True)
    done = memxc("compile", model, "-o", out, "--cells", tmp_path / "none")
    assert (done.code, "there is no such folder" in done.err) == (3, True)
    (own / "empty.cir").write_text(LIMITER)
    done = memxc("compile", model, "-o", out, "--cells", own, "--report-only")
    assert (done.code, "--report-only writes no netlist" in done.err) == (2, True)
    done = memxc("compile", model, "-o", tmp_path, "--cells", own, "--force")
    assert (done.code, "would be replaced" in done.err) == (2, True)
