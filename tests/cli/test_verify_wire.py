"""memxc verify --wire: wires in SPICE by superposition, also with a changed netlist."""

from __future__ import annotations

import json
import re
from importlib import resources

import jsonschema
import numpy as np
import pytest

#: Crossbars that the small network does not fit on: SPICE's time goes with their size.
TILE = ("--tile", "16x12")


@pytest.fixture
def labelled(model, tmp_path):
    path = model.parent / "net.samples.npz"
    x = np.load(path)["x"]
    np.savez(tmp_path / "labelled.npz", x=x, y=np.array([0, 1, 2, 3, 0, 1, 2]))
    return tmp_path / "labelled.npz"


@pytest.fixture
def target(tmp_path):
    """Wires with an effect, and crossbars so small that rows and columns are split."""
    text = (resources.files("memxc") / "targets" / "paper-128.toml").read_text()
    path = tmp_path / "felt.toml"
    path.write_text(text.replace("_line_ohm = 1.0", "_line_ohm = 20.0"))
    return path


def compiled(memxc, model, target, out, *args):
    assert memxc("compile", model, "-o", out, "-t", target, "--quiet", *args).code == 0
    return out


def verified(memxc, out, *args):
    done = memxc("verify", out, "--wire", "--json", *args)
    schema = json.loads((resources.files("memxc") / "schemas/memxc-verify-1.json").read_text())
    jsonschema.validate(done.json, schema)
    assert done.code == (0 if done.json["ok"] else 1)
    return done.json


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize(
    "args",
    [["--tile", "10x6"], ["--partition", "none", "--schedule", "sequential"],
     ["--signed", "inverted-inputs", "--tile", "16x4"], ["--partition", "paper"]],
    ids=" ".join,
)  # fmt: skip
def test_spice_gives_the_effective_matrices(
    memxc, model, target, tmp_path, labelled, args, engine, ngspice
):
    out = compiled(memxc, model, target, tmp_path / "out", *args)
    found = verified(memxc, out, "--samples", labelled, "--engine", engine)
    assert found["ok"]
    assert max(stage["max_rel_error"] for stage in found["stages"]) <= 1e-6
    outputs = found["outputs"]
    assert outputs["count"] == outputs["evaluate_argmax_agree"] == 7
    assert outputs["evaluate_max_rel_error"] <= 1e-6
    assert outputs["max_rel_error"] > 1e-3


def test_simulate_and_spice_score_the_same(memxc, model, target, tmp_path, labelled):
    out = compiled(memxc, model, target, tmp_path / "out", *TILE)
    outputs = verified(memxc, out, "--samples", labelled)["outputs"]
    simulated = memxc("simulate", out, "--data", labelled, "--json").json
    assert outputs["metric"] == simulated["metric"] == "top1"
    assert outputs["score"] == simulated["rows"][0]["mean"]
    assert outputs["original_score"] == simulated["original"]
    said = memxc("verify", out, "--wire", "--samples", labelled).out
    assert re.search(
        r"^Labels, top1 of \d+: \d+\.\d\d % in neospice, \d+\.\d\d % in onnxruntime\.$", said, re.M
    )


def test_labels_that_are_no_classes_give_no_score(memxc, model, target, tmp_path, labelled):
    out = compiled(memxc, model, target, tmp_path / "out", *TILE)
    np.savez(labelled, x=np.load(labelled)["x"], y=np.full(7, 99))
    outputs = verified(memxc, out, "--samples", labelled)["outputs"]
    assert (outputs["metric"], outputs["score"], outputs["original_score"]) == (None, None, None)


def _edit(out, pattern, text):
    path = next((out / "netlist" / "cells").glob("periphery*"))
    changed, count = re.subn(pattern, text, path.read_text(), count=1)
    assert count == 1
    path.write_text(changed)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        # a limiter of fewer volts; a feedback that bends; an op-amp of another gain
        (r"v=min\(max\(v\(in\),0-\{clip\}\),\{clip\}\)", "v=min(max(v(in),0-{clip}/9),{clip}/9)"),
        (r"\nr3 out m \{r_f\}", "\nb3 out m i=(v(out,m)+v(out,m)*v(out,m))/{r_f}"),
        (r"(\ne2 out 0 0 m) .*\n", r"\1 50\n"),
    ],
    ids=["limiter", "bent", "gain"],
)  # fmt: skip
def test_verify_with_wires_finds_a_changed_cell(
    memxc, model, target, tmp_path, labelled, pattern, text
):
    out = compiled(memxc, model, target, tmp_path / "out", *TILE)
    assert verified(memxc, out, "--samples", labelled)["ok"]
    _edit(out, pattern, text)
    found = verified(memxc, out, "--samples", labelled)
    assert not found["ok"]


def test_verify_with_wires_finds_a_changed_device(memxc, model, target, tmp_path, labelled):
    out = compiled(memxc, model, target, tmp_path / "out", *TILE)
    path = next((out / "netlist" / "cells").glob("s00_*"))
    lowest = min(re.findall(r"^R\S+ \S+ \S+ (\S+)$", path.read_text(), re.M), key=float)
    path.write_text(path.read_text().replace(lowest, f"{2 * float(lowest):.9e}", 1))
    found = verified(memxc, out, "--samples", labelled)
    assert [stage["name"] for stage in found["stages"] if not stage["ok"]] == ["conv"]
