"""lvs finds every edit and names its place; the writer's netlists are clean in every layout."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from memxc import target
from memxc.backends import netlist
from memxc.backends.netlist import schedule, tables
from memxc.errors import MemxcError
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.lvs import compare, compare_folder
from memxc.ops.lower import lower
from memxc.passes import parse


def _graph() -> Graph:
    """Return conv -> relu -> max pool -> depthwise conv -> flatten -> gemm; all sizes differ."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(size=(4, 2, 3, 3)),
        "b1": rng.normal(size=4),
        "w2": rng.normal(size=(4, 1, 2, 3)),
        "w3": rng.normal(size=(24, 5)),
    }
    shapes = {name: value.shape for name, value in weights.items()} | {
        "x": (1, 2, 7, 9),
        "c": (1, 4, 7, 9),
        "r": (1, 4, 7, 9),
        "p": (1, 4, 3, 4),
        "d": (1, 4, 3, 2),
        "f": (1, 24),
        "y": (1, 5),
    }
    nodes = (
        Node("conv", "Conv", ("x", "w1", "b1"), ("c",), {"pads": (1, 1, 1, 1)}),
        Node("relu", "Relu", ("c",), ("r",)),
        Node("pool", "MaxPool", ("r",), ("p",), {"kernel_shape": (2, 2), "strides": (2, 2)}),
        Node("deep", "Conv", ("p", "w2"), ("d",), {"group": 4, "pads": (0, 0, 1, 0)}),
        Node("flat", "Flatten", ("d",), ("f",)),
        Node("dense", "Gemm", ("f", "w3"), ("y",)),
    )
    return Graph("net", ("x",), ("y",), nodes, shapes, weights, 17)


def _compiled(
    tmp_path,
    policy="packed",
    signed="differential",
    mode="parallel",
    tile=(40, 24),
    name="paper-128",
):
    design = lower(_graph())
    x = np.random.default_rng(1).uniform(0, 1, (3, 2, 7, 9))
    ctx = Context(target.load(name).with_tile(*tile), {"x": x}, signed=signed)
    text = f"calibrate,schedule{{mode={mode}}},partition{{policy={policy}}},tile,program,share"
    for change in parse(text):
        design = change.run(design, ctx).ir
    return design, netlist.write(design, tmp_path / "netlist", "net")[0]


@pytest.mark.parametrize("policy", ["packed", "paper", "none"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("mode", ["parallel", "sequential"])
@pytest.mark.parametrize("tile", [(24, 10), (128, 128)])
def test_what_is_written_is_clean(tmp_path, policy, signed, mode, tile):
    design, _ = _compiled(tmp_path, policy, signed, mode, tile)
    written = {"mapping": tables.mapping(design, "cir"), "schedule": schedule.lines(design)}
    for name, lines in written.items():
        (tmp_path / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines))
    result = compare_folder(design, tmp_path)
    assert result.differences == ()
    assert result.devices > 100
    assert result.instances > (200 if mode == "parallel" else 30)
    assert result.rows > 5


def _edit(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text()
    assert re.search(old, text, re.M), f"{old} is not in {path.name}"
    path.write_text(re.sub(old, new, text, count=count, flags=re.M))


def _cells(top: Path) -> Path:
    return next(top.parent.glob("cells/s00_*"))


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (
            r"^(R11_02 w11 c02 \d\.\d{8})(\d)",
            lambda m: f"{m[1]}{(int(m[2]) + 1) % 10}",
            ["xb0 R11_02", "word line 11, bit line 2"],
        ),
        (r"^R10_06 .*\n", "", ["xb0", "word line 10, bit line 6", "missing"]),
        (r"^(R10_06 w10 )c06", r"\1c08", ["xb0 R10_06", "word line 10, bit line 8"]),
        (r"^(R10_06 .*\n)", r"\1\1", ["xb0 R10_06", "second"]),
    ],
)
def test_an_edited_device_is_named(tmp_path, old, new, names):
    design, top = _compiled(tmp_path)
    _edit(_cells(top), old, new)
    result = compare(design, top)
    first = str(result.differences[0])
    assert all(name in str(result.differences) for name in names), first
    assert len(result.differences) == 1


def test_the_line_of_an_edited_device_is_given(tmp_path):
    design, top = _compiled(tmp_path)
    path = _cells(top)
    _edit(path, r"^R10_06 .*$", "R10_06 w10 c06 1.000000000e+03")
    (difference,) = compare(design, top).differences
    assert path.read_text().splitlines()[difference.line - 1].startswith("R10_06")
    assert difference.found == "1.000000000e+03 ohm"


def test_swapped_word_lines_of_an_instance(tmp_path):
    design, top = _compiled(tmp_path)
    _edit(top, r"^(xs0_k0_g0_p1(?: \S+){6}) (\S+) (\S+)", r"\1 \3 \2")
    found = compare(design, top).differences
    assert [d.where for d in found] == ["xs0_k0_g0_p1 word line 6", "xs0_k0_g0_p1 word line 7"]
    assert (found[0].expected, found[0].found) == ("n0_3", "n0_4")


def test_a_bit_line_on_another_lane(tmp_path):
    design, top = _compiled(tmp_path)
    _edit(top, r"^(xs3_[\s\S]*?) p4_\d+", r"\1 p4_999")
    (difference,) = compare(design, top).differences
    assert "bit line" in difference.where
    assert difference.found == "p4_999"


@pytest.mark.parametrize(
    ("old", "new", "where", "found"),
    [
        (r"^xa1_5 .*\n", "", "xa1_5", "missing"),
        (r"^(xa1_5 .*r_f=)\S+", r"\g<1>1.000000000e+04", "xa1_5 parameters", "r_f=1.000000000e+04"),
        (r"^(xl3_2 .*clip=)\S+", r"\g<1>9.000000000e-01", "xl3_2 parameters", "clip=9.0"),
        (r"^(xf2_4 )n1_4", r"\1n1_5", "xf2_4 port 0", "n1_5"),
        (r"^(xf2_4 .*)\n", "\\1\nx_more n1_0 n1_1 relu0\n", "x_more", "placed"),
        (r"^(xs0_k0_g0_p0[\s\S]*?) xb0\n", "\\1 xb1\n", "xs0_k0_g0_p0", "xb1"),
        (r"^(xf2_4 .*\n)", r"\1\1", "xf2_4", "a second time"),
    ],
)
def test_an_edited_instance_is_named(tmp_path, old, new, where, found):
    design, top = _compiled(tmp_path)
    _edit(top, old, new)
    differences = compare(design, top).differences
    assert any(where in d.where and found in d.found for d in differences), differences
    assert len(differences) == 1


def test_a_missing_definition(tmp_path):
    design, top = _compiled(tmp_path)
    _edit(_cells(top), r"^\.subckt xb0 [\s\S]*?^\.ends xb0\n", "")
    assert any(d.where == "xb0" and d.found == "missing" for d in compare(design, top).differences)


@pytest.mark.parametrize("text", ["r1 a b 5", ".control", '.include "../../etc/passwd"', "x1 a"])
def test_a_foreign_card_is_a_fault(tmp_path, text):
    design, top = _compiled(tmp_path)
    top.write_text(f"{top.read_text()}{text}\n")
    with pytest.raises(MemxcError) as caught:
        compare(design, top)
    assert caught.value.faults[0].code == "bad-design"
    assert top.name in caught.value.faults[0].where


@pytest.mark.parametrize(
    ("old", "new", "where", "expected", "found"),
    [
        # The name does not match the cell, and the value is another device's.
        (r"^R10_06 ", "R10_07 ", "xb0 R10_07", "another name", "R10_07"),
        (r"^(R10_06 w10) c06", r"\1 w11", "xb0 R10_06", "word line 10", "w10 to w11"),
        (r"^(R10_06 w10 c06) \S+", r"\1 5k", "xb0", "devices only", "r10_06 w10 c06 5k"),
        (r"^(\.ends xb0)", r"v1 w00 c00 0\n\1", "xb0", "devices only", "v1 w00 c00 0"),
        (r"^(\.subckt xb0 w00) w01 w02", r"\1 w02 w01", "xb0 port", "word line 1", "w02"),
        (r"^(\.subckt xb0 w00) w01", r"\1 w77", "xb0", "word lines", "w77"),
        (r"^(\.ends xb0)", r"\1\n.subckt xb999 w0 c0\n.ends", "xb999", "no such", "defined"),
    ],
)  # fmt: skip
def test_an_edited_definition_is_named(tmp_path, old, new, where, expected, found):
    design, top = _compiled(tmp_path)
    _edit(_cells(top), old, new)
    first = compare(design, top).differences[0]
    assert where in first.where
    assert expected in first.expected
    assert found in first.found
    assert first.file == f"cells/{_cells(top).name}"


def test_swapped_ports_are_two_differences(tmp_path):
    design, top = _compiled(tmp_path)
    _edit(_cells(top), r"^(\.subckt xb0 w00) w01 w02", r"\1 w02 w01")
    assert [d.where for d in compare(design, top).differences] == ["xb0 port 1", "xb0 port 2"]


@pytest.mark.parametrize(
    ("old", "new", "where", "found"),
    [
        (r"^\.subckt tia p m", ".subckt tia m p", "tia ports", "m p out"),
        (r"^(\.subckt tia .*) r_join=1", r"\1", "tia parameters", "missing"),
        (r"^\.subckt limiter in out", ".subckt limiter out in", "limiter ports", "out in"),
        (r"^\.(subckt|ends) limiter", r".\1 limit", "limiter", "missing"),
        (r"^(b1 out 0 v=)max(\(v\(x0\),0)", r"\1min\2", "relu0", "min(v(x0)"),
        (r"^(b1 out 0 v=)max\(v\(x0\),", r"\1max(1.001*v(x0),", "relu0", "1.001"),
        (r"^(\.subckt max1) x0 x1", r"\1 x1 x0", "max1 ports", "x1 x0"),
    ],
)
def test_an_edited_cell_is_named(tmp_path, old, new, where, found):
    design, top = _compiled(tmp_path)
    _edit(top.parent / "cells" / "periphery.cir", old, new, 2)
    (difference,) = compare(design, top).differences
    assert difference.where == where
    assert found in difference.found


@pytest.mark.parametrize(
    ("how", "old", "new", "where", "found"),
    [
        ({}, r"^(xf2_4 .*) relu0", r"\1 max1", "xf2_4 cell", "max1"),
        ({}, r"^(xl3_2 )r3_2", r"\1r3_3", "xl3_2 port 0", "r3_3"),
        ({}, r"^(xa1_5 .* r_f=\S+)", r"\1 r_f=1", "xa1_5 parameters", "r_f=1"),
        ({}, r"^(xs0_k0_g0_p0[\s\S]*?) vbias0", r"\1 vbiasn0", "xs0_k0_g0_p0 word line", "vbiasn0"),
        ({"signed": "inverted-inputs"}, r"^xi0_0_7 .*\n", "", "xi0_0_7", "missing"),
        ({"signed": "inverted-inputs"}, r"^(xi0_0_7 )n0_7", r"\1n0_8", "xi0_0_7 port 0", "n0_8"),
        ({"mode": "sequential"}, r"^(xs0_k0_g0_p0) q0_0_0_0", r"\1 q0_0_0_1", "word line 0", "q0"),
        ({"mode": "sequential"}, r"^xa1_0 .*\n", "", "xa1_0", "missing"),
    ],
)
def test_an_edited_connection_is_named(tmp_path, how, old, new, where, found):
    design, top = _compiled(tmp_path, **how)
    _edit(top, old, new)
    (difference,) = compare(design, top).differences
    assert where in difference.where
    assert found in difference.found


def test_one_lane_cell_for_another_throughout(tmp_path):
    design, top = _compiled(tmp_path)
    _edit(top, r"^(xf2_\d+ .*) relu0", r"\1 max1", 0)
    assert {d.expected for d in compare(design, top).differences} == {"relu0"}


def test_how_it_is_written_does_not_matter(tmp_path):
    design, top = _compiled(tmp_path)
    for path in (top, _cells(top)):
        lines = [
            line
            if line.startswith((".include", ".ends", "*"))
            else line.upper().replace(" ", "\n* note\n+  ")
            for line in path.read_text().split("\n")
        ]
        path.write_text("\r\n".join(lines))
    _edit(_cells(top), r"^(\+  W10)\n\* note\n(\+  C06)\n", r"\2\n\1\n")
    assert compare(design, top).differences == ()


def test_bodies_in_another_order_are_the_same(tmp_path):
    design, top = _compiled(tmp_path)
    _edit(_cells(top), r"^(R10_06 .*\n)(R10_07 .*\n)", r"\2\1")
    assert compare(design, top).differences == ()


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_another_gain_is_named(tmp_path, signed):
    """The netlist has the same layout, but amplifiers of another gain."""
    finite, top = _compiled(tmp_path / "finite", signed=signed, name="ideal-finite-gain")
    ideal, other = _compiled(tmp_path / "ideal", signed=signed, name="ideal")
    cells = {"differential": ["tia"], "inverted-inputs": ["inverter", "tia_single"]}[signed]
    paths = [path.parent / "cells" / "periphery.cir" for path in (top, other)]
    texts = [path.read_text() for path in paths]
    for path, text in zip(paths, reversed(texts), strict=True):
        path.write_text(text)
    found = compare(finite, top).differences
    assert list(dict.fromkeys(d.where for d in found)) == [f"{cell} gain" for cell in cells]
    assert {(d.expected, d.found) for d in found} == {("1.000000000e+06", "infinite")}
    found = compare(ideal, other).differences
    assert list(dict.fromkeys(d.where for d in found)) == [f"{cell} gain" for cell in cells]
    assert {(d.expected, d.found) for d in found} == {("infinite", "1.000000000e+06")}


def test_one_op_amp_of_another_gain_is_one_difference(tmp_path):
    design, top = _compiled(tmp_path, name="ideal-finite-gain")
    path = top.parent / "cells" / "periphery.cir"
    _edit(path, r"^(e2 out 0 0 m) 1\.0+e\+06", r"\1 5e5")
    (difference,) = compare(design, top).differences
    assert (difference.where, difference.found) == ("tia gain", "5e5")
    assert path.read_text().splitlines()[difference.line - 1] == "e2 out 0 0 m 5e5"
    _edit(path, r"^(e2 out 0 0 m) 5e5", r"\1 1e6")
    assert compare(design, top).differences == ()


def test_a_macro_of_the_users_own_has_no_gain_to_compare(tmp_path):
    design, top = _compiled(tmp_path, name="ideal-finite-gain")
    assert compare(design, top).user_cells == ()
    _edit(top.parent / "cells" / "periphery.cir", r"^e[12] .*\n", "g1 out 0 p m 0.5\n", 2)
    result = compare(design, top)
    assert result.differences == ()
    assert [cell.name for cell in result.user_cells] == ["tia"]
