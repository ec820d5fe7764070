"""memxc diff: two folders of the same small network, compiled with different options."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.build_folder import diff
from memxc.build_folder.diff.document import StageValues
from memxc.build_folder.diff.matching import StageFigures, pairs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A convolution of 3 to 5 channels with 2 x 3 kernels, then ReLU."""
    weight = np.random.default_rng(3).normal(size=(5, 3, 2, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], name="conv|`1"),
         helper.make_node("Relu", ["c"], ["y"], name="relu")],
        "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 6, 5))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.fixture
def folders(memxc, model, tmp_path):
    """Parallel and sequential, both packed; and with --report-only, which has no loss."""
    found = []
    for schedule in ("parallel", "sequential"):
        found.append(tmp_path / schedule)
        done = memxc("compile", model, "-o", found[-1], "--schedule", schedule, "--report-only")
        assert done.code == 0
    return found


def of(found, part, name):
    key = {"settings": "key", "quantities": "name", "stages": "stage"}[part]
    return next(row for row in found[part] if row[key] == name)


def test_it_shows_what_the_reports_say(memxc, folders):
    reports = [json.loads((folder / "report.json").read_text()) for folder in folders]
    done = memxc("diff", *folders, "--json")
    assert done.code == 0
    found = done.json
    schema = resources.files("memxc") / "schemas" / "memxc-diff-1.json"
    jsonschema.validate(found, json.loads(schema.read_text("utf-8")))
    assert found["settings"] == [{"key": "options.schedule", "a": "parallel", "b": "sequential"}]
    for name, path in (("crossbars", "crossbars"), ("op-amps", "opamps"), ("periods", "periods")):
        row = of(found, "quantities", name)
        wanted = [report["resources"]["total"][path] for report in reports]
        assert [row["a"], row["b"]] == wanted
    assert of(found, "quantities", "crossbars")["a"] != of(found, "quantities", "crossbars")["b"]
    seconds = [report["latency"]["inference_s"] for report in reports]
    assert [of(found, "quantities", "latency")[side] for side in "ab"] == seconds
    stage = of(found, "stages", "conv|`1")
    assert stage["a"]["memristors"] == reports[0]["resources"]["stages"][0]["memristors"]
    assert stage["b"]["memristors"] == reports[1]["resources"]["stages"][0]["memristors"]
    assert of(found, "quantities", "loss")["a"] is None


def test_text_names_settings_quantities_and_stages(memxc, folders):
    out = memxc("diff", *folders).out
    assert "options.schedule" in out
    assert "conv|`1" in out
    assert "-" in next(line for line in out.splitlines() if line.startswith("loss"))
    assert "are the same" in memxc("diff", folders[0], folders[0]).out


@pytest.mark.parametrize(
    ("budget", "code", "words"),
    [
        ("crossbars=0", 0, ""),
        ("latency=0%", 1, "over budget: latency"),
        ("latency=1s", 0, ""),
        ("latency=100%,memristors=0", 1, ", and 100 % more is allowed"),
        ("loss=0.5", 1, "over budget: loss was not measured in both folders"),
    ],
)
def test_budget_is_what_b_may_have_more(memxc, folders, budget, code, words):
    """The sequential circuit has fewer crossbars and takes 20 times the periods."""
    done = memxc("diff", *folders, "--budget", budget)
    assert (done.code, words in done.err) == (code, True)
    back = memxc("diff", *reversed(folders), "--budget", "latency=0%")
    assert back.code == 0


def test_folders_that_are_none(memxc, folders, tmp_path):
    done = memxc("diff", folders[0], tmp_path)
    assert done.code == 3
    assert "bad-design" in done.err
    (folders[1] / "report.json").write_text('{"schema": "memxc-report/1"}')
    done = memxc("diff", *folders)
    assert done.code == 3
    assert "cannot be read" in done.err


@pytest.mark.parametrize("budget", ["money=5%", "power=9%%", "power=5%,loss=1,power=6%"])
def test_a_budget_that_is_none(memxc, folders, budget):
    assert memxc("diff", *folders, "--budget", budget).code == 2


def reported(folder, change):
    """The report of a folder, changed by hand."""
    report = json.loads((folder / "report.json").read_text())
    change(report)
    (folder / "report.json").write_text(json.dumps(report))


def lost(report):
    del report["power"]["stages"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report["resources"]["total"].update(crossbars="x"),
        lambda report: report["resources"]["total"].update(crossbars=10**400),
        lambda report: report["resources"]["stages"][0].update(crossbars="x"),
        lambda report: report["resources"]["stages"][0].update(opamps=None),
        lambda report: report["resources"]["stages"][0].update(stage=5),
        lambda report: report["resources"].update(stages={}),
        lost,
    ],
)
def test_a_report_of_another_shape(memxc, folders, change):
    reported(folders[1], change)
    for order in (folders, folders[::-1]):
        done = memxc("diff", *order)
        assert (done.code, done.out) == (3, "")
        assert "error[bad-design]" in done.err


def test_a_name_in_a_setting_is_safe_to_print(memxc, folders):
    reported(folders[1], lambda report: report["options"]["shapes"].update({"\x1b[31mred\n": [1]}))
    out = memxc("diff", *folders).out
    assert "\x1b" not in out
    assert "\nred" not in out
    assert r"options.shapes.\x1b[31mred\n" in out


def test_losses_of_two_kinds_are_not_the_same(memxc, model, tmp_path):
    x = np.random.default_rng(1).uniform(size=(5, 3, 6, 5)).astype(np.float32)
    masks = (np.arange(5 * 5 * 5 * 3) % 2).reshape(5, 5, 5, 3)
    for name, labels in (("a", {}), ("b", {"y": masks})):
        np.savez(tmp_path / f"{name}.npz", x=x, **labels)
        done = memxc(
            "compile", model, "-o", tmp_path / name, "-t", "ideal",
            "--samples", tmp_path / f"{name}.npz",
        )  # fmt: skip
        assert done.code == 0
    done = memxc("diff", tmp_path / "a", tmp_path / "b", "--budget", "loss=1")
    assert "loss.metric  error  dice" in done.out
    assert "are the same" not in done.out
    loss = next(line for line in done.out.splitlines() if line.startswith("loss  "))
    assert loss.endswith("  other metric")
    said = "over budget: loss is error in A and dice in B, and these cannot be compared"
    assert (done.code, done.err) == (1, f"{said}\n")
    assert "are the same" in memxc("diff", tmp_path / "a", tmp_path / "a").out


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (2, 3, "+50.0%"), (0, 1, "new"), (-2, -1, "-"), (3, 3, ""),
        (1, 1.0004, "0.0%"), (1, 0.9996, "0.0%"),
    ],
)  # fmt: skip
def test_the_change_of_a_quantity(before, after, shown):
    assert diff._change(before, after) == shown


@pytest.mark.parametrize(
    ("unit", "a", "b", "shown"),
    [
        ("", 6093562.0, 6093561.0, ("6,093,562", "6,093,561")),
        ("", 0.0123456789, None, ("0.0123457", "-")),
        ("", float("inf"), 0.0, ("inf", "0")),
        ("W", 0.8932, 0.893, ("893.2 mW", "893 mW")),
        ("W", 0.8932, 0.8932, ("893 mW", "893 mW")),
        ("W", 0.8932, 0.8932 + 1e-12, ("893 mW", "893 mW")),
        ("m2", 1.30004e-8, 1.3e-8, ("0.0130004 mm2", "0.013 mm2")),
    ],
)
def test_two_numbers_beside_each_other(unit, a, b, shown):
    """Counts are whole; other numbers have enough digits to differ."""
    assert diff.beside(unit, a, b) == shown


def stage(**other):
    counts = {"crossbars": 1, "memristors": 2_000_000, "opamps": 3, "periods": 4, "total_w": 0.5}
    return StageValues(**counts | other)


def tables(a, b):
    """The tables of stages, each as its rows of cells."""
    quantities = dict.fromkeys(diff.QUANTITIES, 0.0)
    found = diff.compare(*(diff.Taken("out", {}, quantities, stages) for stages in (a, b)))
    parts = [part for part in diff.text(found).split("\n\n") if part.startswith("stage")]
    return [[re.split("  +", line) for line in part.splitlines()] for part in parts]


def test_of_stages_that_is_shown_which_differs():
    a = {"fc": stage(), "relu": stage(total_w=0.1), "out": stage()}
    b = {"fc": stage(periods=9), "relu": stage(total_w=0.2), "out": stage()}
    assert tables(a, b) == [
        [
            ["stage that differs", "periods A", "B", "power A", "B"],
            ["fc", "4", "9", "500 mW", "500 mW"],
            ["relu", "4", "4", "100 mW", "200 mW"],
        ]
    ]
    ((head, row),) = tables({"fc": stage()}, {})
    assert head[1::2] == ["crossbars A", "memristors A", "op-amps A", "periods A", "power A"]
    assert row == ["fc", "1", "-", "2,000,000", "-", "3", "-", "4", "-", "500 mW", "-"]


def test_a_stage_that_differs_by_rounding_is_not_shown():
    assert tables({"fc": stage()}, {"fc": stage(total_w=0.5 + 1e-12)}) == []


EXPORTERS = Path(__file__).parents[1] / "exporters"


@pytest.mark.parametrize("network", ["sefcn", "shufflenet"])
def test_one_circuit_of_two_exporters_has_no_stage_that_differs(memxc, network, tmp_path):
    """Their nodes have no name in common, and their branches another order."""
    names = []
    for exporter in ("plain13", "dynamo20"):
        model, out = EXPORTERS / f"{network}_{exporter}.onnx", tmp_path / exporter
        assert memxc("compile", model, "-o", out, "--report-only").code == 0
        report = json.loads((out / "report.json").read_text())
        names.append({row["stage"] for row in report["resources"]["stages"]})
    assert not names[0] & names[1]
    done = memxc("diff", tmp_path / "plain13", tmp_path / "dynamo20")
    assert "stage that differs" not in done.out
    assert memxc("diff", tmp_path / "plain13", tmp_path / "dynamo20", "--json").json["stages"] == []


def part(kind, *numbers):
    return StageFigures(kind, numbers)


CONV, FC, RELU = part("memristor", 4, 1.0), part("memristor", 9, 2.0), part("relu", 0, 0.5)


@pytest.mark.parametrize(
    ("a", "b", "together"),
    [
        # Renamed, and one stage more in the middle.
        ({"c": CONV, "r": RELU, "f": FC}, {"1": CONV, "2": RELU, "3": CONV, "4": RELU, "5": FC},
         {("c", "1"), ("r", "2"), (None, "3"), (None, "4"), ("f", "5")}),
        # Renamed, and two branches in another order.
        ({"c": CONV, "r": RELU, "f": FC}, {"5": FC, "1": CONV, "2": RELU},
         {("c", "1"), ("r", "2"), ("f", "5")}),
        # The first stage is gone; the second, of other numbers, keeps its name.
        ({"c": CONV, "f": FC}, {"f": part("memristor", 5, 3.0)}, {("c", None), ("f", "f")}),
        # Renamed, and all numbers others: kinds in their order.
        ({"c": CONV, "r": RELU}, {"1": FC, "2": part("relu", 0, 0.7)}, {("c", "1"), ("r", "2")}),
        # A stage of another kind under the same name.
        ({"n": part("batchnorm", 3, 1.0)}, {"n": CONV}, {("n", "n")}),
        # Two names swapped: what a stage is and where it stands comes first.
        ({"x": CONV, "y": FC}, {"y": CONV, "x": FC}, {("x", "y"), ("y", "x")}),
        ({"c": CONV}, {}, {("c", None)}),
        ({}, {"c": CONV}, {(None, "c")}),
    ],
)  # fmt: skip
def test_which_stages_stand_for_each_other(a, b, together):
    found = pairs(a, b)
    assert set(found) == together
    assert len(found) == len(together)


def test_very_many_stages_are_paired_by_name():
    many = {str(k): part("memristor", k) for k in range(4_100)}
    assert pairs(many, many) == [(name, name) for name in many]


def test_a_stage_that_has_two_names_shows_both():
    kinds = {"fc": "memristor", "dense": "memristor"}
    a, b = ({name: stage(periods=n)} for name, n in (("fc", 4), ("dense", 5)))
    quantities = dict.fromkeys(diff.QUANTITIES, 0.0)
    found = diff.compare(*(diff.Taken("out", {}, quantities, stages, kinds) for stages in (a, b)))
    assert [(row.stage, row.stage_b) for row in found.stages] == [("fc", "dense")]
    assert "\nfc | dense  " in diff.text(found)


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        ([], ["/0/Gemm.tile=64"], ("-", "/0/Gemm.tile=64")),
        (["ckf:0.5", "crossbar:0.3"], None, ("ckf:0.5, crossbar:0.3", "-")),
        (
            [{"name": "x", "shape": [1, 20]}], [{"name": "x", "shape": [1, 3, 4]}],
            ("x 1x20", "x 1x3x4"),
        ),
        ([1, 3, 48, 192], [1, 3, 9, 9], ("1x3x48x192", "1x3x9x9")),
        ([0.0, 1.0], [-0.5, 2.0], ("0,1", "-0.5,2")),
        (False, True, ("no", "yes")),
        (10000.0, 24999.999999999996, ("10000", "25000")),
        (25000.0, 24999.999999999996, ("25000.0", "24999.999999999996")),
        ([], [{"mean_s": 1e-06, "sigma_s": 0.0}], ("-", "mean_s=1e-06 sigma_s=0")),
        ("x" * 50 + "a", "x" * 50 + "b", ("…" + "x" * 10 + "a", "…" + "x" * 10 + "b")),
        ("\x1b[1m", "m", ("\\x1b[1m", "m")),
    ],
)  # fmt: skip
def test_settings_are_written_as_a_user_would(a, b, shown):
    assert diff.words(a, b) == shown


def test_a_million_devices_are_counted_whole(memxc, folders):
    reported(folders[0], lambda r: r["resources"]["total"].update(memristors=6093562))
    assert re.search("memristors +6,093,562 ", memxc("diff", *folders).out)


def test_markdown_has_what_changed_and_nothing_from_names(memxc, folders):
    done = memxc("diff", *folders, "--markdown", "--budget", "memristors=0")
    assert done.code == 0
    shown = done.out
    assert re.search(r"^\| memristors \| [\d,]+ \| [\d,]+ \| \W+[\d]+\W+\d% \|$", shown, re.M)
    assert "conv|`1" not in shown
    assert r"conv\|\`1" in shown
    assert "model.parameters" not in shown
    over = memxc("diff", *folders[::-1], "--markdown", "--budget", "memristors=0")
    assert over.code == 1
    assert re.search(r"^- :x: over budget: memristors grows", over.out, re.M)
    same = memxc("diff", folders[0], folders[0], "--markdown")
    assert "No figure changed." in same.out
