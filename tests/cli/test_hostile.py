"""simulate and twin with wrong input: a fault names the place, and no file is damaged."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def out(compiled):
    """A compiled network of 4 classes."""
    return compiled()


@pytest.fixture
def data(tmp_path):
    """data(**arrays) -> a file with 5 pictures and these arrays."""

    def write(**arrays):
        x = np.random.default_rng(5).uniform(-1, 1, (5, 2, 6, 5))
        np.savez(tmp_path / "data.npz", **{"x": x, **arrays})
        return tmp_path / "data.npz"

    return write


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("label", [4, 17, -1, 1.5, np.nan, np.inf])
def test_labels_that_no_answer_can_have(memxc, out, data, label):
    found = memxc("simulate", out, "--data", data(y=np.array([0, 1, 2, 3, label])))
    assert found.code == 3
    assert "error[bad-samples]" in found.err
    assert "data.npz" in found.err
    assert not (out / "simulate").exists()


def test_labels_that_an_answer_can_have(memxc, out, data):
    for y in (np.array([0, 1, 2, 3.0, 3]), np.array([0, 3, 1, 2, 0], np.uint8)):
        assert memxc("simulate", out, "--data", data(y=y)).code == 0


def _a_file(folder):
    folder.write_text("not a folder")


def _a_folder(folder):
    (folder / "results.jsonl").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [_a_file, _a_folder])
def test_results_that_cannot_be_kept(memxc, out, data, spoil):
    spoil(out / "simulate")
    found = memxc("simulate", out, "--data", data(y=np.arange(5) % 4))
    assert found.code == 5
    assert f"error[cannot-write] {out / 'simulate' / 'results.jsonl'}" in found.err


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "1e999", "null", '"x"', "[1]", "{}", "9" * 400, None]
)
def test_a_result_that_is_no_number_is_computed_again(memxc, out, data, value):
    file = data(y=np.array([0, 1, 2, 3, 0]))
    first = memxc("simulate", out, "--data", file, "--json").json
    path = out / "simulate" / "results.jsonl"
    if value is None:
        path.write_bytes(b"\xff\xfe\x00 torn\n" + path.read_bytes()[:-9])
    else:
        lines = [json.loads(line) | {"value": "here"} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(e).replace('"here"', value) + "\n" for e in lines))
    again = memxc("simulate", out, "--data", file, "--json").json
    assert again["rows"] == first["rows"]
    assert "do not fit their checksums" in again["warnings"][0]


def test_no_matplotlib_is_told_before_any_work(memxc, out, data, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else real(name)
    )
    found = memxc("simulate", out, "--data", data(), "--sweep", "device.sigma=0,0.1", "--plot")
    assert found.code == 4
    assert "error[missing-engine] --plot: matplotlib is not installed" in found.err
    assert "pip install 'memxc[plot]'" in found.err
    assert not (out / "simulate").exists()


@pytest.mark.parametrize("name", ["model.onnx", "design.json", "manifest.json", "report.html"])
def test_a_twin_is_not_written_over_a_file_of_the_folder(memxc, out, name):
    before = hashes(out)
    found = memxc("twin", out, "-o", out / name)
    assert found.code == 2
    assert f"is part of {out}" in found.err
    assert hashes(out) == before


def test_a_twin_is_not_written_over_the_model(memxc, model, out, tmp_path):
    link = tmp_path / "link.onnx"
    link.symlink_to(model)
    before = hashes(model.parent)
    for path in (model, link):
        found = memxc("twin", out, "-o", path)
        assert found.code == 2
        assert "is the model that was compiled" in found.err
    assert hashes(model.parent) == before


def test_a_twin_that_replaces_a_file_has_ordinary_rights_and_follows_links(memxc, out, tmp_path):
    plain, twin, link = tmp_path / "plain", tmp_path / "new" / "t.onnx", tmp_path / "link.onnx"
    plain.write_text("x")
    for path in (twin, twin, link):
        if path == link:
            link.symlink_to(twin)
            twin.write_bytes(b"old")
        assert memxc("twin", out, "-o", path).code == 0
    assert link.is_symlink()
    assert twin.stat().st_size > 1000
    assert twin.stat().st_mode == plain.stat().st_mode
    assert [path.name for path in twin.parent.iterdir()] == ["t.onnx"]


def test_a_twin_is_not_written_over_a_device(memxc, out, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = memxc("twin", out, "-o", tmp_path / "pipe")
    assert found.code == 5
    assert "error[cannot-write]" in found.err
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("command", ["simulate", "twin", "verify", "lvs", "report"])
@pytest.mark.parametrize(
    "key", ["schema", "memxc", "model", "target", "options", "kinds", "files", "model.sha256"]
)
@pytest.mark.parametrize("value", [3, "gone"])
def test_a_manifest_changed_by_hand(memxc, out, data, tmp_path, command, key, value):
    path = out / "manifest.json"
    tree = json.loads(path.read_text())
    held = tree
    for part in key.split(".")[:-1]:
        held = held[part]
    held[key.split(".")[-1]] = value
    if value == "gone":
        del held[key.split(".")[-1]]
    path.write_text(json.dumps(tree))
    more = {
        "simulate": ["--data", data(y=np.arange(5) % 4), "--set", "device.levels=3"],
        "twin": ["-o", tmp_path / "t.onnx"],
        "verify": ["--count", "1"],
    }.get(command, [])
    found = memxc(command, out, *more)
    assert found.code in (0, 1, 2, 3), found.err
    assert found.code in (0, 1) or "error[" in found.err


def _bus(tree, name):
    return next(bus for key, bus in tree["design"]["buses"]["map"] if key == name)


def _stage(tree, kind):
    return next(stage for stage in tree["design"]["stages"] if stage["type"] == kind)


DESIGNS = {
    "no scale": (lambda t: _bus(t, "a").update(scale=None), "design.buses['a'].scale is None"),
    "an unknown function": (
        lambda t: _stage(t, "Digital").update(function="sofmax"), "no digital function 'sofmax'",
    ),
    "an axis that is not there": (
        lambda t: _stage(t, "Digital")["options"]["map"][1].__setitem__(1, {"list": [2]}),
        "softmax goes along axes that [1, 4] does not have: [2]",
    ),
    "an option of another function": (
        lambda t: _stage(t, "Digital").update(function="argmax"), "the options of argmax are not",
    ),
    "a shape that is not its source's": (
        lambda t: _stage(t, "Digital")["options"]["map"][0].__setitem__(1, {"list": [1, 5]}),
        "the shape of softmax is not that of its source",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "words"), DESIGNS.values(), ids=list(DESIGNS))
def test_a_design_that_is_no_circuit(memxc, out, data, tmp_path, edit, words):
    tree = json.loads((out / "design.json").read_text())
    edit(tree)
    (out / "design.json").write_text(json.dumps(tree))
    file = data(y=np.arange(5) % 4)
    for command in (["lvs", out], ["verify", out], ["show", out], ["simulate", out, "--data", file],
                    ["twin", out, "-o", tmp_path / "t.onnx"]):  # fmt: skip
        done = memxc(*command)
        assert done.code == 3
        assert "error[bad-design]" in done.err
        assert words in done.err


def test_a_data_set_that_is_a_model(memxc, out, model):
    done = memxc("simulate", out, "--data", model)
    assert done.code == 3
    assert f"error[bad-samples] {model}: cannot be read as .npz: it is no .npz file" in done.err


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_failed_assertion_is_a_fault_of_a_folder_only_if_the_folder_was_edited(
    memxc, out, tmp_path, monkeypatch, by_hand
):
    """If the design is as it was compiled, it is an error in memxc itself."""

    def fall(*args):
        raise AssertionError("bit lines part")

    if by_hand:
        arrays = dict(np.load(out / "design.npz"))
        np.savez(out / "design.npz", **arrays)
    monkeypatch.setattr("memxc.backends.twin.proto", fall)
    done = memxc("twin", out, "-o", tmp_path / "t.onnx")
    if by_hand:
        assert done.code == 3
        what = (
            "design.npz, changed since compiled, can be no circuit: AssertionError: bit lines part"
        )
        assert what in done.err
    else:
        assert done.code == 70
        Path(done.err.split("The details are in ")[1].split(". Please")[0]).unlink()


@pytest.mark.parametrize("command", [["lvs"], ["verify"], ["verify", "--engine", "ngspice"],
                                     ["verify", "--engine", "vacask"],
                                     ["verify", "--stage", "conv", "--wire"]])  # fmt: skip
@pytest.mark.parametrize(
    "cards",
    [
        ".control\nshell touch {}\n.endc\n",
        "*# shell touch {}\n",
        "B9 z 0 v=`touch {}`\n",
        'control\npostprocess("touch", "{}")\nendc\n',
    ],
    ids=["control", "comment", "backtick", "postprocess"],
)
def test_a_netlist_runs_no_command(memxc, out, tmp_path, command, cards, ngspice):
    mark = tmp_path / "mark"
    path = out / "netlist" / "cells" / "periphery.cir"
    text = path.read_text()
    line = text[: text.index(".ends")].count("\n") + 1
    path.write_text(text.replace(".ends", cards.format(mark) + ".ends", 1))
    found = memxc(*command[:1], out, *command[1:])
    assert found.code == 3
    assert f"error[bad-design] cells/periphery.cir:{line}: " in found.err
    assert not mark.exists()


def test_lvs_names_a_cell_of_the_users_own(memxc, out):
    path = out / "netlist" / "cells" / "periphery.cir"
    text = path.read_text()
    assert memxc("lvs", out, "--json").json["user_cells"] == []
    line = text[: text.index(".subckt limiter")].count("\n") + 1
    path.write_text(text.replace("min(max(v(in),0-{clip}),{clip})", "{clip}*tanh(v(in)/{clip})"))
    found = memxc("lvs", out, "--json")
    assert (found.code, found.json["ok"]) == (0, True)
    named = {"file": "cells/periphery.cir", "line": line, "name": "limiter"}
    assert found.json["user_cells"] == [named]
    said = memxc("lvs", out).out
    assert f"cells/periphery.cir:{line}: limiter is your own cell: lvs does not check" in said
    assert "agree with the design, except for 1 cell of your own.\nNext: memxc verify " in said
    assert memxc("verify", out).code == 1
