"""Pruned networks as circuits: the file with the same zeros in onnxruntime, SPICE, the netlist."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from memxc import lvs, target, verify
from memxc.build_folder import write
from memxc.cli import _main
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.evaluation import evaluate, reference
from memxc.passes.prune_ckf import masks


@pytest.fixture(scope="module")
def zeroed(small, tmp_path_factory) -> Path:
    """The network's file with the smaller half of the weights of each layer at zero."""
    made = onnx.load(small)
    for weight in made.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.ndim == 4:
            keep = masks({"w": values}, 0.5, "layer")["w"]
            weight.CopyFrom(numpy_helper.from_array(values * keep, weight.name))
    path = tmp_path_factory.mktemp("zeroed") / "zeroed.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture
def compiled(small):
    """compiled(folder, ...) -> what was compiled, and its report."""

    def made(folder, *, name="ideal", tile=16, model=small, **options):
        chosen = target.load(name).with_tile(tile, tile)
        samples = small.with_suffix(".samples.npz")
        done = compile_model(Options(model, chosen, samples=samples, **options))
        report = write.write(done, folder).tree()
        assert lvs.compare(done.design, next(folder.glob("netlist/*.cir"))).differences == ()
        return done, report

    return made


def resistors(folder: Path) -> int:
    """Devices in the text of the crossbar definitions."""
    text = "".join(p.read_text("ascii") for p in sorted(folder.glob("netlist/cells/*")))
    bodies = re.findall(r"^\.subckt xb\d+.*?^\.ends", text, re.DOTALL | re.MULTILINE)
    return sum(len(re.findall(r"^R", body, re.MULTILINE)) for body in bodies)


@pytest.mark.parametrize("zeros", ["absent", "parked"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_spice_is_the_network_with_the_same_zeros(tmp_path, zeroed, zeros, signed, compiled):
    asked = {"prune": ("ckf-layer:0.5",), "zeros": zeros, "signed": signed}
    done, report = compiled(tmp_path, partition="none", schedule="sequential", **asked)
    inputs = {"x": done.samples["x"][:2]}
    wanted = reference.run(zeroed, inputs)
    plan = verify.Plan(engine="neospice")
    found = verify.verify(
        done.design, target.load("ideal"), tmp_path / "netlist", inputs, wanted, plan
    )
    assert found.ok
    assert found.outputs.max_rel_error < 1e-5
    total = report["resources"]["total"]
    # The average over 6 x 5 pixels is one definition of fixed resistors.
    assert resistors(tmp_path) == total["memristors_defined"] + 6 * 5


def test_absent_and_parked_devices_are_counted(tmp_path, compiled, small):
    """Half of the weights are zero: their pairs are absent, or both devices are at g_min."""
    asked = {"prune": ("ckf-layer:0.5",), "partition": "none", "schedule": "sequential"}
    designs, totals = {}, {}
    for zeros in ("absent", "parked"):
        done, report = compiled(tmp_path / zeros, zeros=zeros, **asked)
        designs[zeros], totals[zeros] = done.design, report["resources"]["total"]
        pruned = next(found for found in report["passes"] if found["name"] == "prune-ckf")
        before, after = (pruned[when]["multiplications"] for when in ("before", "after"))
        assert after == pytest.approx(before / 2, rel=0.01)
    crossbars = [c for s in designs["parked"].arrays if s.cell == "memristor" for c in s.crossbars]
    weights = sum(c.groups * c.devices // 2 for c in crossbars)
    zero = sum(int((g[:, :, 0::2] == g[:, :, 1::2]).sum()) for g in
               (c.conductance() for c in crossbars))  # fmt: skip
    shapes = [tensor.dims for tensor in onnx.load(small).graph.initializer]
    assert zero == sum(math.prod(shape) // 2 for shape in shapes if len(shape) == 4)
    parked, absent = totals["parked"], totals["absent"]
    assert parked["memristors"] == 2 * weights
    assert parked["memristors_off"] == weights + zero
    # Channels that nothing reads any more are not built either.
    assert absent["memristors"] <= 2 * (weights - zero)
    assert absent["memristors"] == pytest.approx(2 * (weights - zero), rel=0.1)
    assert absent["memristors_off"] == absent["memristors"] // 2


def test_a_network_with_zeros_of_its_own(tmp_path, zeroed, compiled):
    """Retrained around a mask, say: --zeros absent leaves out what --prune would have."""
    _, own = compiled(tmp_path / "own", model=zeroed, zeros="absent")
    _, asked = compiled(tmp_path / "asked", prune=("ckf-layer:0.5",))
    assert own["resources"]["total"] == asked["resources"]["total"]
    assert own["fidelity"]["loss"]["lost"] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    "prune",
    [("crossbar:0.3",), ("word-line:0.2", "ckf:0.3"), ("bit-line:0.2",), ("crossbar-samples:0.2",)],
)
def test_pruned_crossbars_in_spice(tmp_path, prune, compiled, small):
    """The circuit has only what is left, and SPICE agrees with it stage by stage."""
    done, report = compiled(tmp_path, name="ideal-finite-gain", tile=12, prune=prune)
    assert [record.name for record in done.records if not record.exact][-1] == "program"
    assert next(r for r in done.rungs if r.end == "drop-dead-channels").max_rel_error < 1e-9
    inputs = {"x": done.samples["x"][:1]}
    wanted = reference.run(small, inputs)
    plan = verify.Plan(engine="neospice")
    chosen = target.load("ideal-finite-gain").with_tile(12, 12)
    found = verify.verify(done.design, chosen, tmp_path / "netlist", inputs, wanted, plan)
    assert found.ok
    _, whole = compiled(tmp_path / "whole", name="ideal-finite-gain", tile=12)
    before, after = (r["resources"]["total"] for r in (whole, report))
    assert after["memristors"] < before["memristors"]
    assert after["opamps"] < before["opamps"] or prune[0].startswith("word-line")


def test_the_report_says_what_was_lost(tmp_path, compiled, small):
    done, report = compiled(tmp_path, prune=("crossbar:0.1", "ckf-samples:0.3"))
    lossy = [found for found in report["passes"] if not found["exact"]]
    assert [found["name"] for found in lossy] == ["prune-lines", "prune-ckf", "program"]
    answers = reference.run(small, done.samples)["y"].argmax(axis=1)
    whole = report["fidelity"]["loss"]
    assert whole["before"] == (answers == done.labels).mean()
    assert (whole["metric"], whole["samples"]) == ("top1", 40)
    # One pass goes on where the one before it ended.
    assert [found["loss"]["before"] for found in lossy[1:]] == [
        found["loss"]["after"] for found in lossy[:-1]
    ]
    assert sum(found["loss"]["lost"] for found in lossy) == pytest.approx(whole["lost"])
    for page in ("report.md", "report.html"):
        text = (tmp_path / page).read_text("utf-8")
        assert "what the lossy passes lost" in text
        assert f"{whole['after']:.1%}".replace("%", "") in text


def test_without_labels_the_loss_is_a_relative_error(tmp_path, small):
    x = np.load(small.with_suffix(".samples.npz"))["x"]
    np.savez(tmp_path / "x.npz", x=x[:5])
    done = compile_model(
        Options(small, target.load("ideal"), samples=tmp_path / "x.npz", prune=("ckf-layer:0.2",))
    )
    assert done.loss is not None
    assert (done.loss.metric, done.loss.samples, done.loss.before) == ("error", 5, 0.0)
    assert 0 < done.loss.lost <= done.loss.max_rel_error * 3


@pytest.fixture
def memxc(capsys, one_process):
    """memxc(*words) -> exit code, standard output, standard error."""

    def run(*words):
        code = _main._run([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(("limit", "code"), [("0.5", 0), ("0.01", 1)])
def test_a_budget_for_the_loss(memxc, tmp_path, limit, code, small):
    done, out, err = memxc(
        "compile", small, "-o", tmp_path / "out", "--prune", "ckf-layer:0.2", "--json",
        "--budget", f"loss={limit}", "-t", "ideal",
    )  # fmt: skip
    assert done == code
    report = json.loads(out)
    assert (report["fidelity"]["loss"]["lost"] > float(limit)) == bool(code)
    assert ("over budget: loss" in err) == bool(code)
    assert report["options"]["prune"] == ["ckf-layer:0.2"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("ascii"))
    assert manifest["options"]["prune"] == ["ckf-layer:0.2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prune", "magic:0.5"], "methods are ckf"),
        (["--prune", "ckf:1.5"], "above 0 and below 1"),
        (["--separate", "2"], "not between 0 and 1"),
        (["--zeros", "gone"], "absent"),
        (
            ["--prune", "ckf:0.5", "--passes", "calibrate,program"],
            "--prune has no effect with --passes",
        ),
        (["--prune", "crossbar-bn:0.5"], "no BatchNormalization"),
    ],
)
def test_words_that_make_no_sense(memxc, tmp_path, words, said, small):
    code, _, err = memxc("compile", small, "-o", tmp_path / "out", *words)
    assert code == 2
    assert said in err
    assert not (tmp_path / "out").exists()


def test_the_same_bytes_twice(tmp_path, compiled):
    for name in ("a", "b"):
        compiled(tmp_path / name, prune=("crossbar-loss:0.05", "ckf-loss:0.05"))
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) > 5
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_refit_loses_less_and_spice_is_the_refitted_network(memxc, tmp_path, compiled, small):
    asked = {"schedule": "sequential", "prune": ("ckf-samples:0.6",)}
    plain, refit = (compiled(tmp_path / str(fit), refit=fit, **asked)[0] for fit in (False, True))
    # Neither network was fitted to these samples.
    unseen = refit.context.judged.inputs
    right = reference.run(small, unseen)["y"]
    errors = [
        np.square(evaluate.outputs(done.design, unseen)["y"] - right).mean()
        for done in (plain, refit)
    ]
    assert errors[1] < 0.7 * errors[0]
    assert memxc("verify", tmp_path / "True", "--count", "1", "--engine", "neospice")[0] == 0


def test_a_fit_is_measured_on_samples_that_it_has_not_seen(tmp_path, compiled):
    done, _ = compiled(tmp_path / "a", prune=("ckf:0.5",), refit=True)
    assert done.loss.samples == 20
    fitted, judged = (
        {picture.tobytes() for picture in half.inputs["x"]}
        for half in (done.context.fitted, done.context.judged)
    )
    assert len(fitted) == len(judged) == 20
    assert not fitted & judged
    plain, _ = compiled(tmp_path / "b", prune=("ckf:0.5",))
    assert (plain.loss.samples, plain.context.fitted) == (40, None)


def test_what_changes_nothing_is_told(tmp_path, compiled):
    """The second time, the smallest weights are already zero."""
    done, _ = compiled(tmp_path / "a", prune=("ckf:0.5", "ckf:0.5"))
    assert done.warnings.count("prune-ckf found nothing to change") == 1


def test_refit_wants_something_pruned(tmp_path, capsys, small):
    assert _main._run(["compile", str(small), "-o", str(tmp_path / "out"), "--refit"]) == 2
    assert (
        "error[usage] --refit: it fits the weights that pruning leaves, but nothing is pruned"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()
