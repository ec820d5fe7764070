"""memxc explore: a table of compilations, each of which can be made again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

VARY = ("--vary", "prune=,ckf:0.5", "--vary", "schedule=parallel,sequential")


@pytest.fixture
def explored(memxc, model, tmp_path):
    done = memxc("explore", model, "-o", tmp_path / "all", *VARY, "--json")
    assert (done.code, done.err) == (0, "")
    return tmp_path / "all", done.json


def test_each_point_has_the_figures_of_the_compilation_that_its_command_makes(
    memxc, explored, tmp_path
):
    folder, found = explored
    assert found == json.loads((folder / "explore.json").read_text())
    assert len({point["folder"] for point in found["points"]}) == 4
    for point in found["points"]:
        words = shlex.split(point["command"])
        words[words.index("-o") + 1] = str(tmp_path / "again")
        assert memxc(*words[1:]).code == 0
        report = json.loads((tmp_path / "again" / "report.json").read_text())
        assert report == json.loads((folder / point["folder"] / "report.json").read_text())
        assert point["figures"]["power"] == report["power"]["total_w"]
        assert point["figures"]["clocked"] == report["latency"]["clocked_s"]
    whole, pruned = found["points"][0]["figures"], found["points"][2]["figures"]
    assert whole["loss"] == 0 < pruned["loss"]
    assert pruned["memristors"] < whole["memristors"]


def test_points_that_are_there_are_not_compiled_again(memxc, model, explored):
    folder, found = explored
    reports = [folder / point["folder"] / "report.json" for point in found["points"]]
    times = [path.stat().st_mtime_ns for path in reports]
    more = memxc(
        "explore", model, "-o", folder, *VARY[:3], "schedule=parallel,sequential", "--json"
    )
    assert more.json == found
    assert [path.stat().st_mtime_ns for path in reports] == times
    # A point that somebody changed is not taken for a result, and not overwritten either.
    reports[1].write_text(reports[1].read_text().replace("1", "2", 1))
    done = memxc("explore", model, "-o", folder, *VARY, "--json")
    assert "was changed since it was compiled" in done.json["points"][1]["refused"][0]
    assert done.json["points"][0] == found["points"][0]


def test_a_way_that_cannot_be_built_is_a_row_and_budgets_take_points_out(memxc, model, tmp_path):
    done = memxc("explore", model, "-o", tmp_path / "b", "--vary", "tile=3x2,128",
                 "--vary", "schedule=parallel,sequential", "--for", "crossbars",
                 "--budget", "latency=1ns", "--report-only")  # fmt: skip
    assert "over budget: latency" in done.err
    lines = done.out.splitlines()
    # The parallel circuits take five periods of the target's assumed time, so nothing is left.
    assert (done.code, sum(line.startswith("*  ") for line in lines)) == (1, 0)


def test_a_score_decides_in_place_of_the_loss(memxc, model, tmp_path):
    data = Path(model).with_suffix(".samples.npz")
    done = memxc("explore", model, "-o", tmp_path / "c", "--vary", "tile=16", "--data", data,
                 "--count", "5", "--json")  # fmt: skip
    (point,) = done.json["points"]
    assert done.json["objectives"][0] == "score"
    assert (done.json["metric"], point["best"]) == ("top1", True)
    assert 5 * point["figures"]["score"] == pytest.approx(round(5 * point["figures"]["score"]))


def test_a_picture_has_the_same_bytes_twice(memxc, model, explored):
    pytest.importorskip("matplotlib")
    folder, _ = explored
    pictures = []
    for _ in range(2):
        assert memxc("explore", model, "-o", folder, *VARY, "--plot").code == 0
        pictures.append((folder / "explore.svg").read_bytes())
    assert pictures[0] == pictures[1]
    assert b"power (W)" in pictures[0]


def test_a_model_that_nothing_can_compile_is_a_fault(memxc, tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model")
    done = memxc("explore", tmp_path / "no.onnx", "-o", tmp_path / "e", "--vary", "tile=16,32")
    assert (done.code, done.err.count("error[broken-model]")) == (3, 1)
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--vary", "tile"], "give OPTION=A,B,C"),
        (["--vary", "tile=64", "--vary", "tile=32"], "--vary tile=32"),
        (["--for", "watts"], "--for watts"),
        (["--for", "score"], "--for score"),
        (["--budget", "crossbars=3", "--vary", "target=nosuch"], "nosuch"),
    ],
)
def test_wrong_words_are_faults_and_nothing_is_written(memxc, model, tmp_path, words, text):
    done = memxc("explore", model, "-o", tmp_path / "d", *words)
    assert done.code in (2, 3)
    assert text in done.err
    assert not (tmp_path / "d").exists()
