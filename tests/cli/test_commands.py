"""Every command on a small network: what it prints, writes and returns."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc import plugins, render
from memxc.build_folder.page.html import html
from memxc.build_folder.report.document import Report
from memxc.build_folder.report.text import sizes, text
from memxc.cli import _main
from memxc.netlist_reader import read


def schema(name):
    return json.loads((resources.files("memxc") / "schemas" / f"{name}.json").read_text())


@pytest.fixture
def out(compiled):
    return compiled("-t", "paper-128", "--tile", "20x12")


def test_compile_says_what_it_did_and_what_comes_next(memxc, model, tmp_path):
    done = memxc("compile", model, "-o", tmp_path / "out")
    assert "unit crossbars of 128x128" in done.out
    assert done.out.splitlines()[-1] == f"Next: memxc verify {tmp_path / 'out'}"
    assert memxc("compile", model, "-o", tmp_path / "out", "--quiet").out == ""


def suggested(out):
    """The arguments of the command that a shell makes of the last line."""
    program, *args = shlex.split(re.split(r"Next: |, or ", out.splitlines()[-1])[-1])
    assert program == "memxc"
    return args


def test_what_is_suggested_can_be_pasted(memxc, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = onnx.load(model)
    loaded.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    place = tmp_path / "my nets (old)"
    place.mkdir()
    onnx.save(loaded, place / "net's $1.onnx")
    args = ["check", place / "net's $1.onnx", "--shape", "x=1x2x6x5"]
    for command in ("compile", "verify", "report", "show"):
        done = memxc(*args)
        assert done.code == 0
        args = suggested(done.out)
        assert args[0] == command
    out = args[1]
    assert memxc(*args).code == 0
    assert suggested(memxc("lvs", out).out) == ["report", out]
    done = memxc("twin", out, "-o", place / "twin.onnx")
    assert suggested(done.out) == ["simulate", out, "--data", "DATA.npz"]
    np.savez("data.npz", x=np.ones((2, 2, 6, 5)))
    done = memxc("simulate", out, "--data", "data.npz")
    assert suggested(done.out) == ["twin", out, "-o", "twin.onnx"]
    (Path(out) / "samples.npz").write_bytes((tmp_path / "data.npz").read_bytes())
    assert suggested(memxc("verify", out).out) == ["lvs", out]


def test_the_shape_that_is_asked_for_can_be_pasted(memxc, model):
    loaded = onnx.load(model)
    loaded.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    loaded.graph.input[0].name = loaded.graph.node[0].input[0] = "x (1)"
    onnx.save(loaded, model)
    hint = memxc("check", model).err.split("say it with ")[1].splitlines()[0]
    assert shlex.split(hint) == ["--shape", "x (1)=1x2xSIZEx5"]
    loaded.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(loaded, model)
    hint = memxc("check", model).err.split("say it with ")[1].splitlines()[0]
    assert shlex.split(hint) == ["--shape", "x (1)=1x3x48x192"]


def test_compile_json_is_the_report(memxc, model, tmp_path):
    done = memxc("compile", model, "-o", tmp_path / "out", "--json")
    assert done.json == json.loads((tmp_path / "out" / "report.json").read_text())
    jsonschema.validate(done.json, schema("memxc-report-1"))
    assert done.json["digital"][0]["function"] == "softmax"


@pytest.mark.parametrize(
    "args",
    [[], ["--schedule", "sequential"], ["--signed", "inverted-inputs"], ["--partition", "paper"],
     ["--partition", "none", "-t", "ideal"], ["-t", "ideal-finite-gain", "--tile", "24x10"],
     ["--stage-set", "conv.schedule=sequential", "--stage-set", "dense.tile=3x2"],
     ["--passes", "fold-batchnorm,calibrate,schedule,partition{policy=none},tile,program,share"]],
    ids=" ".join,
)  # fmt: skip
def test_what_is_compiled_is_verified_and_read_back(memxc, model, tmp_path, args):
    out = tmp_path / "out"
    assert memxc("compile", model, "-o", out, *args).code == 0
    done = memxc("verify", out, "--count", "2", "--json")
    assert done.code == 0
    jsonschema.validate(done.json, schema("memxc-verify-1"))
    assert done.json["ok"]
    assert done.json["outputs"]["count"] == 2
    assert memxc("lvs", out).code == 0
    jsonschema.validate(json.loads((out / "report.json").read_text()), schema("memxc-report-1"))


def test_one_stage_has_its_own_tile_in_the_report(memxc, model, tmp_path):
    done = memxc(
        "compile", model, "-o", tmp_path / "out", "--stage-set", "dense.tile=3x2", "--json"
    )
    dense = next(row for row in done.json["resources"]["stages"] if row["stage"] == "dense")
    # 3 inputs and a bias on 3 lines: two row parts, each with 4 outputs on pairs of 2 bit lines.
    assert dense["crossbars"] == 8
    assert dense["utilisation"] == pytest.approx(dense["memristors"] / (8 * 6))


@pytest.mark.parametrize(
    ("budget", "code", "words"),
    [
        ("crossbars=1", 1, "crossbars"), ("memristors=10", 1, "memristors"),
        ("power=1nW", 1, "power"), ("latency=1ps", 1, "latency"),
        ("crossbars=1e6,memristors=1e9,power=2kW,latency=1s", 0, ""),
        ("power=2kW,latency=3ns", 1, "latency"),
    ],
)  # fmt: skip
def test_budget(memxc, model, tmp_path, budget, code, words):
    done = memxc("compile", model, "-o", tmp_path / "out", "--budget", budget)
    assert done.code == code
    assert bool(done.err) == bool(code)
    assert words in done.err
    assert (tmp_path / "out" / "report.json").is_file()


def test_without_samples_there_is_a_warning_and_a_seed(memxc, model, tmp_path):
    (model.parent / "net.samples.npz").unlink()
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = memxc(
            "compile", model, "-o", tmp_path / name, "--seed", seed, "--input-range", "-2,3"
        )
        assert "warning: no samples" in done.err
        runs.append((tmp_path / name / "samples.npz").read_bytes())
    assert runs[0] == runs[1] != runs[2]
    with np.load(tmp_path / "a" / "samples.npz") as data:
        assert -2 <= data["x"].min() < -1
        assert 2 < data["x"].max() <= 3


def test_verify_uses_other_samples(memxc, out, tmp_path):
    np.savez(tmp_path / "other.npz", x=np.random.default_rng(4).uniform(-1, 1, (70, 2, 6, 5)))
    done = memxc("verify", out, "--samples", tmp_path / "other.npz", "--count", "66", "--json")
    assert done.json["outputs"]["count"] == 66


def test_verify_one_stage_and_a_stage_that_does_not_exist(memxc, out):
    done = memxc("verify", out, "--stage", "conv", "--json")
    assert [stage["name"] for stage in done.json["stages"]] == ["conv"]
    done = memxc("verify", out, "--stage", "cnov")
    assert done.code == 2
    assert "conv" in done.err


def test_verify_of_one_stage_says_that_the_others_were_not_simulated(memxc, out):
    lines = memxc("verify", out, "--stage", "conv", "--count", "1").out.splitlines()
    assert lines[-2] == (
        "ok: SPICE agrees with the design in conv; this is the only one of the 4 stages that was "
        "simulated."
    )
    assert lines[-1] == f"Next: memxc verify {out}"
    lines = memxc("verify", out, "--count", "1").out.splitlines()
    assert lines[-2:] == [
        "ok: SPICE agrees with the design in 4 of 4 stages, and the netlist connects them as the "
        "design does.",
        f"Next: memxc report {out}",
    ]


def test_verify_reads_back_what_no_test_bench_simulates(memxc, out):
    """No test bench simulates these: a changed feedback resistor, and a missing amplifier."""
    top = out / "netlist" / "net.cir"
    lines = top.read_text().splitlines(keepends=True)
    amplifiers = [k for k, line in enumerate(lines) if line.startswith("xa")]
    lines[amplifiers[0]] = lines[amplifiers[0]].replace("r_f=", "r_f=1")
    del lines[amplifiers[1]]
    top.write_text("".join(lines))
    done = memxc("verify", out, "--count", "1")
    assert done.code == 1
    assert (
        "FAILED: the netlist, or one of its tables, differs from the design in 2 places."
        in done.out
    )
    assert "ok: SPICE" not in done.out
    assert done.out.splitlines()[-1] == f"Next: memxc lvs {out}"
    found = memxc("verify", out, "--count", "1", "--json").json
    assert (found["differences"], found["ok"]) == (2, False)
    # One stage's cells are simulated, and nothing else is judged.
    found = memxc("verify", out, "--count", "1", "--stage", "conv", "--json").json
    assert (found["differences"], found["ok"]) == (None, True)


def test_fewer_samples_than_were_asked_for(memxc, out, tmp_path):
    done = memxc("verify", out, "--stage", "pool", "--count", "99")
    assert (done.code, done.err) == (
        0,
        f"--count 99: {out} has only 7 samples, and these are used\n",
    )
    np.savez(tmp_path / "two.npz", x=np.ones((2, 2, 6, 5)))
    done = memxc("verify", out, "--samples", tmp_path / "two.npz", "--stage", "pool", "--count", 3)
    assert done.err == f"--count 3: {tmp_path / 'two.npz'} has only 2 samples, and these are used\n"
    done = memxc("verify", out, "--samples", tmp_path / "two.npz", "--stage", "pool", "--count", 2)
    assert done.err == ""
    done = memxc("simulate", out, "--data", tmp_path / "two.npz", "--count", 60)
    assert (
        done.err == f"--count 60: {tmp_path / 'two.npz'} has only 2 samples, and these are used\n"
    )


def test_verify_with_an_engine_that_does_not_exist(memxc, out):
    assert memxc("verify", out, "--engine", "pspice").code == 2


def test_verify_without_the_model_says_so(memxc, out):
    (out / "model.onnx").unlink()
    done = memxc("verify", out, "--count", "1")
    assert done.code == 0
    assert "changed since it was compiled: model.onnx" in done.err
    assert "Not compared with onnxruntime" in done.out


def cells(out):
    return sorted((out / "netlist" / "cells").glob("s*.cir"))


def edit(path, pattern, replacement):
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.M)
    assert count == 1
    path.write_text(text)


def test_a_halved_device_fails_verify_and_lvs(memxc, out):
    """Change the device with the largest conductance, g_max, from 10 kohm to 20 kohm."""
    edit(cells(out)[0], r"1\.000000000e\+04", "2.000000000e+04")
    done = memxc("verify", out, "--count", "1", "--json")
    assert done.code == 1
    assert not done.json["ok"]
    assert done.json["changed"] == [f"netlist/cells/{cells(out)[0].name}"]
    assert [stage["name"] for stage in done.json["stages"] if not stage["ok"]] == ["conv"]
    assert memxc("lvs", out).code == 1


def test_a_limiter_that_does_nothing_fails_verify(memxc, out):
    edit(out / "netlist" / "cells" / "periphery.cir", r"v=min\(max\(v\(in\).*$", "v=v(in)")
    done = memxc("verify", out, "--count", "1", "--json")
    jsonschema.validate(done.json, schema("memxc-verify-1"))
    assert (done.code, done.json["ok"]) == (1, False)
    assert all(stage["ok"] for stage in done.json["stages"])
    (limiter,) = done.json["limiters"]
    assert (limiter["clip_v"], limiter["ok"]) == (0.25, False)
    # To the swing of the op-amps, four clips.
    assert (limiter["range_v"], limiter["max_rel_error"]) == (1, pytest.approx(3))
    said = memxc("verify", out, "--count", "1").out.splitlines()
    row = next(line.split() for line in said if line.startswith("limiter of"))
    assert row == ["limiter", "of", "0.25", "V", "-1", "to", "1", "V", "3.0e+00", "FAILED"]
    assert said[-2] == "FAILED: SPICE and the design disagree in the limiter of 0.25 V."


def test_lvs_names_one_digit_a_swap_and_a_lost_line(memxc, out):
    clean = {path: path.read_bytes() for path in out.rglob("*.cir")}
    top = out / "netlist" / "net.cir"

    def after(path, pattern, replacement):
        for each, content in clean.items():
            each.write_bytes(content)
        edit(path, pattern, replacement)
        done = memxc("lvs", out, "--json")
        assert done.code == 1
        assert done.json["changed"] == [str(path.relative_to(out))]
        return done.json["differences"]

    found = after(cells(out)[0], r"^(R\S+ \S+ \S+ 1\.0{8})0", r"\g<1>1")
    assert len(found) == 1
    assert re.search(r"R\d+_\d+", found[0]["where"], re.I)
    assert "1.000000000e+0" in found[0]["expected"]
    assert "1.000000001e+0" in found[0]["found"]
    name = next(name for name, i in read(top).instances.items() if i.cell.startswith("xb"))
    swapped = after(top, rf"^({name}) (\S+) (\S+) (\S+)", r"\1 \2 \4 \3")
    assert all(name in each["where"] for each in swapped)
    assert 1 <= len(swapped) <= 2
    lost = after(top, rf"^{name} .*\n(\+.*\n)*", "")
    assert lost[0]["where"] == name
    gone = after(cells(out)[0], r"^R\d+_\d+ .*\n", "")
    assert len(gone) == 1


def test_report_formats(memxc, out):
    text = memxc("report", out).out
    assert "unit crossbars of 20x12" in text
    assert "stays digital: softmax" in text
    tree = memxc("report", out, "--json").json
    assert tree == memxc("report", out, "--format", "json").json
    for form in ("md", "html"):
        page = (out / f"report.{form}").read_text("utf-8")
        assert memxc("report", out, "--format", form).out == page
    rows = list(csv.DictReader(io.StringIO(memxc("report", out, "--format", "csv").out)))
    assert [row["stage"] for row in rows] == ["conv", "relu", "pool", "dense"]
    assert sum(int(row["memristors"]) for row in rows) == tree["resources"]["total"]["memristors"]


@pytest.mark.parametrize(
    ("lost", "points", "shares"),
    [
        (-0.0156, "1.56 points gained", "1.6% gained"),
        (0.0156, "1.56 points lost", "1.6%"),
        (-1e-6, "0.00 points lost", "0.0%"),
    ],
)
def test_a_gain_is_shown_as_a_gain_and_not_as_a_loss(memxc, out, lost, points, shares):
    tree = memxc("report", out, "--json").json
    loss = {"samples": 7, "max_abs_error": 0.1, "max_rel_error": 0.2, "metric": "top1"}
    loss |= {"before": 0.5, "after": 0.5 - lost, "lost": lost}
    tree["fidelity"]["loss"] = tree["passes"][0]["loss"] = loss
    report = Report.model_validate(tree)
    assert f", {points}, over 7 samples" in text(report)
    markdown = render.report("report.md", report=report, sizes=sizes(report))
    assert f" {shares} |" in markdown
    assert f"<td>{shares}</td>" in html(report)


def test_op_amps_are_called_so_wherever_users_read(memxc, out):
    for form in ("text", "md", "html"):
        done = memxc("report", out, "--format", form)
        assert "op-amps" in done.out
        assert "opamps" not in done.out


def test_report_of_a_file_changed_by_hand(memxc, out):
    for wrong in ("{}", "[]", '{"schema": "memxc-report/1"}', "nonsense"):
        (out / "report.json").write_text(wrong)
        for form in ("text", "csv"):
            assert memxc("report", out, "--format", form).code == 3


def changed(folder, change):
    """The report of a folder, changed by hand."""
    tree = json.loads((folder / "report.json").read_text())
    change(tree)
    (folder / "report.json").write_text(json.dumps(tree))


def test_every_key_of_a_report_that_is_wrong_is_named(memxc, out):
    def change(tree):
        tree["resources"]["total"]["crossbars"] = "12"
        tree["power"]["volts"] = 1.0
        del tree["area"]["total_m2"]
        tree["target"]["device"]["levels"] = 1

    changed(out, change)
    done = memxc("report", out)
    assert (done.code, done.out) == (3, "")
    for words in (
        "report.json: resources.total.crossbars: cannot be read: is not a whole number",
        "report.json: power.volts: cannot be read: unknown key",
        "report.json: area.total_m2: cannot be read: is missing",
        "report.json: target.device: cannot be read: levels = 1 leaves nothing to program",
    ):
        assert f"error[bad-design] {out}/{words}" in done.err
    assert "written by memxc" not in done.err


def test_a_report_that_another_version_wrote(memxc, out):
    def older(tree):
        tree["memxc"] = "0.0.1"
        del tree["resources"]["total"]["driven_ends"]

    changed(out, older)
    done = memxc("report", out)
    assert done.code == 3
    assert "hint: compile the model again: the report was written by memxc 0.0.1" in done.err


@pytest.mark.parametrize("options", [{"stage_set": ["nonsense"]}, {"stage_set": 5}])
def test_options_of_a_report_that_are_none(memxc, out, options):
    changed(out, lambda tree: tree["options"].update(options))
    done = memxc("report", out)
    assert (done.code, done.out) == (3, "")
    assert "error[bad-design]" in done.err


def test_check_says_what_becomes_of_each_node(memxc, model):
    done = memxc("check", model)
    assert done.code == 0
    assert re.search(r"^conv +Conv +crossbar", done.out, re.M)
    assert re.search(r"^softmax +Softmax +digital", done.out, re.M)
    tree = memxc("check", model, "--json").json
    assert tree["ok"]
    assert len(tree["nodes"]) == 6


@pytest.fixture
def normalised(tmp_path):
    """Behind a conv, behind a relu and before a conv with a border; a Mul and an Add behind that.

    The second normalisation has a bias, which would be another one where the window is at a border.
    """
    node, channels = onnx.helper.make_node, [("s", "b", "m", "v"), ("t", "c", "n", "u")]
    nodes = [
        node("Conv", ["x", "k"], ["a"], name="conv"),
        node("BatchNormalization", ["a", *channels[0]], ["d"], name="behind"),
        node("Relu", ["d"], ["e"], name="relu"),
        node("BatchNormalization", ["e", *channels[1]], ["f"], name="alone"),
        node("Conv", ["f", "l"], ["g"], name="border", pads=[1, 1, 1, 1]),
        node("Mul", ["g", "two"], ["h"], name="twice"),
        node("Add", ["h", "h"], ["y"], name="same"),
    ]
    rng = np.random.default_rng(5)
    inits = {name: rng.uniform(0.5, 2, 3) for name in (*channels[0], *channels[1])}
    inits |= {"k": rng.normal(size=(3, 2, 3, 2)), "l": rng.normal(size=(3, 3, 3, 3)), "two": 2.0}
    ends = [("x", (1, 2, 6, 5)), ("y", (1, 3, 4, 4))]
    graph = onnx.helper.make_graph(
        nodes, "normalised",
        *([onnx.helper.make_tensor_value_info(name, 1, shape)] for name, shape in ends),
        [onnx.numpy_helper.from_array(np.float32(v), name) for name, v in inits.items()],
    )  # fmt: skip
    path = tmp_path / "normalised.onnx"
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_check_says_which_normalisations_are_folded(memxc, normalised, tmp_path):
    nodes = memxc("check", normalised, "--json").json["nodes"]
    assert [(row["node"], row["kind"]) for row in nodes] == [
        ("conv", "crossbar"), ("behind", "folded"), ("relu", "lanes"), ("alone", "scale and bias"),
        ("border", "crossbar"), ("twice", "folded"), ("same", "lanes"),
    ]  # fmt: skip
    assert [row["circuit"] for row in nodes if row["kind"] == "folded"] == ["", ""]
    # 3 channels of 2 x 2 windows and the bias of the normalisation; 3 of 3 x 3 without a bias.
    crossbars = [row["circuit"] for row in nodes if row["kind"] == "crossbar"]
    assert crossbars == ["12+1x3@16", "27x3@16"]
    done = memxc("check", normalised)
    assert re.search(r"^behind +BatchNormalization +folded$", done.out, re.M)
    assert "\n2 crossbar, 2 folded, 2 lanes, 1 scale and bias\n" in done.out
    # The same as compile makes of it.
    found = memxc("compile", normalised, "-o", tmp_path / "out", "--json").json
    kinds = {row["stage"]: row["kind"] for row in found["resources"]["stages"]}
    assert {name for name in kinds if kinds[name] == "memristor"} == {"conv", "border"}
    assert {name for name in kinds if kinds[name] == "batchnorm"} == {"alone"}
    assert not {"behind", "twice"} & set(kinds)


def test_the_next_step_is_the_last_line(normalised, monkeypatch, capsys):
    """Also if a plug-in is left out, whose warning goes to standard error."""
    monkeypatch.setattr(plugins, "left_out", lambda: ["plug-in odd: left out"])
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    assert _main._run(["check", str(normalised)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("warning: plug-in odd: left out") == 1
    assert "Next: memxc compile" in lines[-1]


def test_check_warns_of_very_many_multipliers(memxc, tmp_path):
    node = helper.make_node("MatMul", ["q", "k"], ["y"], name="scores")
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, *s))
             for n, s in (("q", (25, 20)), ("k", (20, 25)), ("y", (25, 25)))]  # fmt: skip
    made = helper.make_graph([node], "net", infos[:2], infos[2:])
    path = tmp_path / "scores.onnx"
    onnx.save(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    done = memxc("check", path)
    assert done.code == 0
    assert "scores (MatMul) needs 12,500 analog multipliers" in done.err


def test_check_folds_beside_what_is_refused(memxc, normalised):
    model = onnx.load(normalised)
    model.graph.node[2].op_type = "Sin"
    onnx.save(model, normalised)
    done = memxc("check", normalised, "--json")
    assert done.code == 3
    kinds = {row["node"]: row["kind"] for row in done.json["nodes"]}
    assert (kinds["relu"], kinds["behind"], kinds["alone"]) == (
        "refused", "folded", "scale and bias",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "graph net opset 17"), (["--at", "design"], "linear conv(x)"),
        (["--after", "fold-batchnorm"], "graph net"), (["--after", "calibrate"], "V/unit"),
        (["--after", "program"], "array conv(x)"), (["--at", "deck"], "deck net"),
        (["--after", "fold-batchnorm", "--at", "design"], "linear conv(x)"),
    ],
)  # fmt: skip
def test_show_a_model(memxc, model, args, words):
    done = memxc("show", model, *args)
    assert done.code == 0
    assert words in done.out


def test_show_a_folder(memxc, out, model):
    assert memxc("show", out).out == memxc("show", out, "--at", "design").out
    assert "array conv(x)" in memxc("show", out).out
    assert memxc("show", out, "--at", "deck").out.startswith("deck net")


@pytest.mark.parametrize(
    "args",
    [
        ["--at", "graph", "--after", "tile"],
        ["--after", "nosuch"],
        ["--at", "deck", "--after", "tile"],
    ],
)
def test_show_what_cannot_be_shown(memxc, model, args):
    assert memxc("show", model, *args).code == 2


def test_show_what_a_folder_does_not_hold(memxc, out):
    assert memxc("show", out, "--at", "graph").code == 2
    assert memxc("show", out, "--after", "tile").code == 2


def test_a_report_alone_has_nothing_to_show(memxc, model, out, tmp_path):
    alone = tmp_path / "alone"
    assert memxc("compile", model, "-o", alone, "--report-only", "--quiet").code == 0
    assert f"memxc show {out}" in memxc("report", out).out
    assert "memxc show" not in memxc("report", alone).out
    for at in ("design", "deck"):
        done = memxc("show", alone, "--at", at)
        assert done.code == 3
        assert "has a report and no design" in done.err
        assert "without --report-only" in done.err
    (alone / "manifest.json").unlink()
    assert "not an output folder of memxc" in memxc("show", alone).err


def test_an_open_size_is_asked_for_and_given(memxc, model, tmp_path):
    loaded = onnx.load(model)
    loaded.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(loaded, model)
    done = memxc("check", model)
    assert done.code == 3
    assert "--shape" in done.err
    assert memxc("check", model, "--shape", "x=1x2x6x5").code == 0
    assert memxc("show", model, "--shape", "x=1x2x6x5", "--at", "design").code == 0
    out = tmp_path / "out"
    twice = "--shape", "x=1x2x6x5", "--shape", "x=1x2x7x5"
    for done in (memxc("check", model, *twice), memxc("compile", model, "-o", out, *twice)):
        assert done.code == 2
        assert "x is given twice" in done.err
    assert memxc("compile", model, "-o", out, "--shape", "x=1x2x6x5").code == 0
    assert memxc("verify", out, "--count", "1").code == 0


def test_the_model_is_never_written_to(memxc, model, tmp_path):
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in model.parent.iterdir()}
    memxc("compile", model, "-o", tmp_path / "out")
    memxc("verify", tmp_path / "out", "--count", "1")
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in model.parent.iterdir()} == before


@pytest.mark.spice
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_power_in_the_report_is_what_ngspice_sums(memxc, model, tmp_path, ngspice, signed):
    """The whole netlist under one picture: ngspice's own power of every device, added up."""
    x = np.random.default_rng(6).uniform(-1, 1, (1, 2, 6, 5)).astype(np.float32)
    np.savez(tmp_path / "one.npz", x=x)
    args = ["--samples", tmp_path / "one.npz", "--signed", signed, "--tile", "40x12"]
    report = memxc("compile", model, "-o", tmp_path / "out", "--json", *args).json
    netlist = tmp_path / "out" / "netlist"
    found = read(netlist / "net.cir")
    scale = float(
        re.search(r"x\[1, 2, 6, 5\] (\S+) V/unit", memxc("show", tmp_path / "out").out)[1]
    )
    cards = [f"Vx{i} n0_{i} 0 {v * scale:.12e}" for i, v in enumerate(x.reshape(-1).tolist())]
    for supply in set(re.findall(r"\bvbiasn?\d+\b", (netlist / "net.cir").read_text())):
        cards.append(f"V{supply} {supply} 0 {-0.2 if 'n' in supply else 0.2}")
    names = [
        f"@r.{name}.{device.lower()}[p]"
        for name, instance in found.instances.items() if instance.cell.startswith("xb")
        for device in re.findall(
            r"^(R\S+)", definition(netlist, instance.cell), re.M)
    ]  # fmt: skip
    sums = [f"let p = p + {name}" for name in names]
    saves = [".save " + " ".join(names[i : i + 20]) for i in range(0, len(names), 20)]
    control = [".control", "op", "let p = 0", *sums, "print p", ".endc", ".end"]
    bench = netlist / "bench.cir"
    bench.write_text("\n".join(["* bench", ".include net.cir", *cards, *saves, *control]) + "\n")
    done = subprocess.run(
        [ngspice, "-b", bench], cwd=netlist, capture_output=True, text=True, timeout=60, check=False
    )
    watts = float(re.search(r"^p = (\S+)", done.stdout, re.M).group(1))
    assert report["power"]["crossbar_w"] == pytest.approx(watts, rel=1e-3)


def definition(netlist, name):
    for path in netlist.glob("cells/*.cir"):
        for block in path.read_text().split(".subckt ")[1:]:
            if block.split()[0] == name:
                return block
    raise AssertionError(name)
