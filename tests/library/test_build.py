"""The methods of a Build, compared with onnxruntime and the command line, and changed files."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
import sys
import threading
import types

import numpy as np
import onnx
import pytest

import memxc
from memxc.cli import _main
from memxc.errors import Fault, MemxcError
from memxc.evaluation import reference


def faults(call, *args, **kwargs):
    with pytest.raises(memxc.MemxcError) as caught:
        call(*args, **kwargs)
    return [(fault.code, fault.where, fault.what) for fault in caught.value.faults]


def test_predict_is_the_network_where_the_circuit_is_ideal(model, inputs):
    build = memxc.compile(model, target="ideal")
    x, _ = inputs
    found = build.predict(x, settings={f"wire.{name}": 0 for name in (
        "r_source", "r_word_line", "r_bit_line", "r_neuron")})  # fmt: skip
    wanted = reference.run(model, {"x": np.float32(x)})
    assert found.keys() == wanted.keys() == {"y"}
    assert found["y"].shape == (7, 4)
    np.testing.assert_allclose(found["y"], wanted["y"], atol=1e-5)


def test_predict_is_what_the_twin_answers_and_simulate_scores(build, inputs):
    """They use the same draw; another draw gives other answers."""
    x, _ = inputs
    settings = {"device.sigma": 0.2}
    found = build.predict(x, settings=settings, draw=2)["y"]
    twin = build.twin(settings=settings, draw=2).SerializeToString()
    np.testing.assert_array_equal(found, reference.predict(twin, {"x": np.float32(x)})["y"])
    assert not np.array_equal(found, build.predict(x, settings=settings)["y"])
    scores = build.simulate(x, settings=["device.sigma=0.2"], draws=2).rows[0].scores
    wanted = reference.run(build.folder / "model.onnx", {"x": np.float32(x)})["y"]
    error = np.abs(found - wanted).max(axis=1) / np.abs(wanted).max(axis=1)
    assert scores[1] == pytest.approx(error.mean())
    assert scores[0] != pytest.approx(error.mean())


def test_predict_tells_of_values_that_are_clipped(build, inputs):
    told = []
    build.predict(100 * inputs[0], progress=told.append)
    assert any(text.startswith("warning: ") and "clips them" in text for text in told)


def test_simulate_is_the_command(build, inputs, tmp_path, memxc_line):
    x, y = inputs
    np.savez(tmp_path / "data.npz", x=x, y=y)
    options = ["--sweep", "wire.r_word_line=0,50", "--draws", 3, "--set", "device.sigma=0.3"]
    data = tmp_path / "data.npz"
    line = memxc_line("simulate", build.folder, "--data", data, "--json", *options)
    shutil.rmtree(build.folder / "simulate")
    told = []
    found = build.simulate(
        {"x": x}, y, sweep={"wire.r_word_line": [0, 50]}, draws=3,
        settings={"device.sigma": 0.3}, progress=told.append,
    )  # fmt: skip
    assert [list(row.scores) for row in found.rows] == [row["scores"] for row in line["rows"]]
    assert (found.metric, found.count, found.original) == ("top1", 7, line["original"])
    assert any("point 2 of 2, draw 3 of 3" in text for text in told)
    told.clear()
    assert build.simulate({"x": x}, y, sweep={"wire.r_word_line": [50]}, draws=3,
                          settings={"device.sigma": 0.3}, progress=told.append)  # fmt: skip
    assert told == []  # each score is kept


@pytest.fixture
def memxc_line(capsys):
    def run(*args):
        assert _main._run([str(arg) for arg in args]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_scores_as_a_table(build, inputs, monkeypatch):
    found = build.simulate(*inputs, sweep={"wire.r_word_line": [0, 50], "device.sigma": [0]})
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=list))
    rows = found.to_pandas()
    assert [row["wire.r_word_line"] for row in rows] == ["0", "50"]
    assert rows[1] == {"wire.r_word_line": "50", "device.sigma": "0", "draws": 1, "spread": 0.0,
                       "mean": found.rows[1].mean}  # fmt: skip
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert faults(found.to_pandas)[0][:2] == ("missing-engine", "pandas")


def test_verify_and_lvs_see_a_changed_netlist(build):
    found = build.verify(count=2)
    assert (found.ok, found.differences, found.changed, found.missing) == (True, 0, (), "")
    assert found.outputs.count == 2
    (path,) = (build.folder / "netlist").glob("*.cir")
    text = path.read_text()
    line = next(line for line in text.splitlines() if line.startswith("x"))
    name, one, other, *rest = line.split(" ")
    path.write_text(text.replace(line, " ".join((name, other, one, *rest))))
    compared, simulated = build.lvs(), build.verify(count=2)
    assert not compared.ok
    assert len(compared.differences) == simulated.differences > 0
    assert compared.changed == simulated.changed == (f"netlist/{path.name}",)
    # Each stage is simulated in a bench of its own, so only the text shows it.
    assert all(stage.ok for stage in simulated.stages)
    assert not simulated.ok


def test_a_design_that_was_edited_is_a_fault_of_the_folder(build, inputs, monkeypatch):
    def broken(*args):
        raise AssertionError("no circuit")

    monkeypatch.setattr("memxc.library.circuits.circuit", broken)
    with pytest.raises(AssertionError):
        build.twin()
    path = build.folder / "design.json"
    path.write_text(path.read_text() + " ")
    ((code, where, what),) = faults(build.twin)
    assert (code, where) == ("bad-design", str(build.folder))
    assert "design.json, changed since compiled" in what


@pytest.mark.parametrize(
    ("method", "keywords", "places"),
    [
        ("verify", {"count": 0, "jobs": 0, "tolerance": 0.0}, ["count", "tolerance", "jobs"]),
        ("verify", {"stage": "abc"}, ["--stage abc"]),
        ("verify", {"progress": 3}, ["progress"]),
        ("twin", {"progress": None}, ["progress"]),
        ("twin", {"draw": 0, "seed": -1, "draw_per": "abc"}, ["seed", "draw", "draw_per"]),
        ("twin", {"settings": {"wire.abc": 1}}, ["--set wire.abc=1"]),
        ("over", {"budget": {"crossbar": 1}}, ["crossbar"]),
        ("simulate", {"samples": 1.0, "metric": "abc", "draws": 1.5}, ["draws", "metric"]),
        ("simulate", {"samples": "data", "sweep": {"a.b": "12", "c.d": 1, "e.f": []}},
         ["sweep of a.b", "sweep of c.d", "sweep of e.f"]),
        ("twin", {"settings": "wire.abc=1"}, ["--set wire.abc=1"]),
        ("predict", {"samples": 1.0}, ["samples:x"]),
        ("data", {"samples": {"a": [1]}}, ["samples"]),
    ],
)  # fmt: skip
def test_keywords_that_make_no_sense(build, method, keywords, places):
    if keywords.get("samples") == "data":
        keywords = {**keywords, "samples": build.data()}
    found = faults(getattr(build, method), **keywords)
    assert [where for _, where, _ in found] == places


def test_budgets(build):
    crossbars = build.report.resources.total.crossbars
    assert build.over({"crossbars": crossbars, "power": 1.0}) == []
    assert build.over({"crossbars": crossbars - 1, "loss": 1.0}) == [
        f"over budget: crossbars is {crossbars}, and the limit is {crossbars - 1}"
    ]


def test_data_have_a_digest_of_their_own(build, inputs, tmp_path):
    """Results are stored by it, so two sets of samples must not share one."""
    own = build.data().digest
    assert re.fullmatch("[0-9a-f]{64}", own)
    assert build.data(count=3).digest == f"{own}:3"
    with np.load(build.folder / "samples.npz") as arrays:
        np.savez(build.folder / "samples.npz", **{**arrays, "x": arrays["x"][::-1]})
    assert memxc.load(build.folder).data().digest != own
    np.savez(tmp_path / "x.npz", x=inputs[0])
    file = hashlib.sha256((tmp_path / "x.npz").read_bytes()).hexdigest()
    assert build.data(tmp_path / "x.npz").digest == file
    few, all_ = build.simulate(build.data(count=3)), build.simulate(build.data())
    assert (few.count, all_.count) == (3, 7)
    assert few.rows[0].scores != all_.rows[0].scores


def test_save_copies_and_joins_scores(build, inputs, tmp_path):
    x, y = inputs
    out = build.save(tmp_path / "out")
    saved = memxc.load(out)
    assert (saved.ok, saved.name, saved.target) == (True, build.name, build.target)
    saved.simulate(x, y, settings={"wire.r_word_line": 5})
    build.simulate(x, y, settings={"wire.r_word_line": 7})
    build.save(out)
    lines = (out / "simulate" / "results.jsonl").read_text().splitlines()
    ohms = [json.loads(line)["target"]["wire"]["r_word_line_ohm"] for line in lines
            if "target" in json.loads(line)]  # fmt: skip
    assert ohms == [5.0, 7.0]
    with (out / "simulate" / "results.jsonl").open("ab") as file:
        file.write(b'{"cut')
    build.simulate(x, y, settings={"wire.r_word_line": 8})
    build.save(out)
    build.save(out)
    again = (out / "simulate" / "results.jsonl").read_text().splitlines()
    assert again[: len(lines) + 1] == [*lines, '{"cut']
    assert len(again) == len(set(again)) == len(lines) + 2
    inside = build.folder / "inside"
    assert faults(build.save, inside)[0][:2] == ("usage", str(inside))
    assert saved.lvs().changed == ()
    (out / "mine.txt").write_text("")
    assert faults(build.save, out)[0][:2] == ("usage", str(out))
    build.save(out, force=True)
    assert not (out / "mine.txt").exists()


def test_methods_in_several_threads(build, inputs, monkeypatch):
    """Each gives the same result as alone."""
    monkeypatch.undo()  # engines are in processes of their own
    x, y = inputs
    calls = [
        lambda: {n: v.sum() for n, v in build.predict(x).items()},
        lambda: build.lvs().ok,
        lambda: build.verify(count=1).ok,
        lambda: [row.scores for row in build.simulate(x, y, sweep={"wire.r_source": [0, 9]}).rows],
        lambda: build.twin().SerializeToString(),
    ]
    alone, found = [call() for call in calls], {}
    shutil.rmtree(build.folder / "simulate")
    threads = [
        threading.Thread(target=lambda k=k: found.__setitem__(k, calls[k % len(calls)]()))
        for k in range(2 * len(calls))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[k] for k in range(2 * len(calls))] == 2 * alone


def test_a_folder_of_another_version(build):
    path = build.folder / "manifest.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps({**known, "memxc": "0.0.9"}))
    assert memxc.load(build.folder).lvs().ok
    path.write_text(json.dumps({**known, "memxc": "9.1.0\x1b", "schema": "memxc-manifest/7"}))
    with pytest.raises(memxc.MemxcError) as caught:
        memxc.load(build.folder)
    (fault,) = caught.value.faults
    assert fault.code == "bad-design"
    assert r"compiled by memxc 9.1.0\x1b, whose manifest.json has the schema" in fault.what
    assert "memxc-manifest/7" in fault.what
    assert fault.hint == r"compile the model again, or read the folder with memxc 9.1.0\x1b"


def test_a_report_alone_has_no_circuit(model, inputs):
    build = memxc.compile(model, report_only=True)
    assert build.ok
    assert build.report.fidelity.passed is None
    for call in (build.lvs, build.verify, build.twin, lambda: build.predict(inputs[0])):
        assert "has a report and no design" in faults(call)[0][2]


def test_a_failed_comparison_shows(build):
    path = build.folder / "report.json"
    tree = json.loads(path.read_text())
    tree["fidelity"]["passed"] = False
    tree["model"]["name"] = "<b>\x1b[31m"
    path.write_text(json.dumps(tree))
    build = memxc.load(build.folder)
    assert not build.ok
    assert "FAILED the comparison" in repr(build)
    assert "\x1b" not in repr(build) + build._repr_html_()
    assert "&lt;b&gt;" in build._repr_html_()
    path.write_text("{}")
    assert "report cannot be read" in repr(memxc.load(build.folder))


def test_a_twin_is_a_model_with_the_ends_of_the_original(build):
    twin = build.twin()
    onnx.checker.check_model(twin)
    assert [value.name for value in (*twin.graph.input, *twin.graph.output)] == ["x", "y"]
    assert {prop.key for prop in twin.metadata_props} >= {"memxc", "target", "seed", "draw"}


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda b, x, y: b.verify(b.data(x), count=2), "count"),
        (lambda b, x, y: b.simulate(b.data(x), y), "labels"),
        (lambda b, x, y: b.simulate("net.npz", y), "labels"),
        (lambda b, x, y: b.predict(x, draw=None), "draw"),
        (lambda b, x, y: b.simulate(x, y, seed=None), "seed"),
        (lambda b, x, y: b.verify(tolerance="1e-3"), "tolerance"),
        (lambda b, x, y: b.predict(x, settings=5), "settings"),
        (lambda b, x, y: b.simulate(x, y, sweep=["a"]), "sweep"),
        (lambda b, x, y: b.over({"power": "2W"}), "power"),
    ],
)
def test_arguments_that_do_not_fit_are_faults(build, inputs, call, where):
    with pytest.raises(memxc.MemxcError) as caught:
        call(build, *inputs)
    assert [(fault.code, fault.where) for fault in caught.value.faults] == [("usage", where)]


def test_an_error_of_another_process_says_what_it_is():
    error = MemxcError([Fault("usage", "here", "is wrong", "do this"), Fault("usage", "b", "c")])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.faults) == (str(error), error.faults)


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("folder", lambda build, tmp: memxc.load(3)),
        ("folder", lambda build, tmp: build.save(None)),
        ("output", lambda build, tmp: build.program(None)),
        ("output", lambda build, tmp: memxc.compile(tmp / "in" / "net.onnx", output=3)),
        ("count", lambda build, tmp: memxc.samples.dataset([1.0, 2.0], count="a")),
        ("count", lambda build, tmp: memxc.samples.dataset([1.0, 2.0], count=0)),
        ("samples", lambda build, tmp: build.verify(({"x": [[1.0]], "y": [0]}, [0]))),
    ],
)
def test_arguments_of_other_types_are_faults(build, tmp_path, place, call):
    with pytest.raises(memxc.MemxcError) as caught:
        call(build, tmp_path)
    assert [(fault.code, fault.where) for fault in caught.value.faults] == [("usage", place)]
