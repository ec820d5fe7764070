"""memxc diff: two folders of the same small network, compiled otherwise."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import diff


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """3 channels to 5 by 2 x 3, then ReLU."""
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
    """Parallel and sequential, packed; report only, which has no loss."""
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
    assert "The same" in memxc("diff", folders[0], folders[0]).out


@pytest.mark.parametrize(
    ("budget", "code", "words"),
    [
        ("crossbars=0", 0, ""),
        ("latency=0%", 1, "over budget: latency"),
        ("latency=1s", 0, ""),
        ("latency=100%,memristors=0", 1, "where 100 % more is allowed"),
        ("loss=0.5", 1, "over budget: loss was not measured in both"),
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
    done = memxc("diff", tmp_path / "a", tmp_path / "b")
    assert "loss.metric  error  dice" in done.out
    assert "The same" not in done.out
    assert "The same" in memxc("diff", tmp_path / "a", tmp_path / "a").out


@pytest.mark.parametrize(
    ("before", "after", "shown"), [(2, 3, "+50.0%"), (0, 1, "new"), (-2, -1, "-"), (3, 3, "")]
)
def test_the_change_of_a_quantity(before, after, shown):
    assert diff._change(before, after) == shown
