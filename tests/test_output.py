"""The output folder: whole or not at all, the same bytes everywhere, nothing of others' lost."""

import csv
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest

from memxc import target
from memxc.build_folder import read, write
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.evaluation import reference

MODEL = Path(__file__).parent.parent / "models" / "msccnn_fashion.onnx"
PROMISED = {"netlist", "samples.npz", "design.json", "design.npz", "schedule.csv", "mapping.csv",
            "report.json", "report.md", "report.html", "manifest.json", "model.onnx"}  # fmt: skip


@pytest.fixture
def compiled(model):
    return compile_model(Options(model, target.load("paper-128")))


@pytest.fixture
def written(compiled, tmp_path):
    write.write(compiled, tmp_path / "new" / "out")
    return tmp_path / "new" / "out"


def code(caught):
    return caught.value.faults[0].code


def test_everything_promised_is_there_and_nothing_else(written, model):
    assert {p.name for p in written.iterdir()} == PROMISED
    assert [p.name for p in written.parent.iterdir()] == ["out"]
    assert (written / "model.onnx").read_bytes() == model.read_bytes()
    assert (written / "netlist" / "net.cir").is_file()


def test_the_folder_has_ordinary_rights(written, tmp_path):
    (tmp_path / "plain").mkdir()
    assert written.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_no_file_says_where_or_when_it_was_made(written, tmp_path):
    for path in written.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes()


def test_no_path_is_in_what_onnxruntime_says_of_a_model(tmp_path):
    # Its words become a warning in the report.
    model = tmp_path / "broken.onnx"
    model.write_bytes(b"hello")
    with pytest.raises(MemxcError) as caught:
        reference.run(model, {"x": np.zeros((1, 2))})
    assert str(tmp_path) not in caught.value.faults[0].what


def test_what_was_written_is_read_back(written, compiled):
    loaded = read.load(written)
    assert str(loaded.design) == str(compiled.design)
    assert loaded.target == compiled.target
    assert loaded.options["schedule"] == "parallel"
    assert loaded.model == written / "model.onnx"
    np.testing.assert_array_equal(loaded.samples["x"], compiled.samples["x"])
    np.testing.assert_array_equal(loaded.labels, compiled.labels)


def test_an_infinite_threshold_comes_back(compiled, tmp_path):
    ideal = replace(compiled, target=target.load("ideal"))
    write.write(ideal, tmp_path / "out")
    assert read.load(tmp_path / "out").target == target.load("ideal")


def test_changed_names_each_file(written):
    assert read.changed(written) == []
    (written / "report.md").write_text("better")
    (written / "mapping.csv").unlink()
    assert read.changed(written) == ["mapping.csv", "report.md"]


def test_a_manifest_does_not_lead_out_of_its_folder(written):
    path = written / "manifest.json"
    manifest = json.loads(path.read_text())
    secret = written.parent / "secret"
    secret.write_text("x")
    for name in ("../secret", str(secret), "a/../../secret"):
        manifest["files"] = {name: read.sha256(secret)}
        path.write_text(json.dumps(manifest))
        assert read.changed(written) == [name]


def test_our_own_folder_is_replaced(written, compiled):
    (written / "report.md").unlink()
    write.write(compiled, written)
    assert read.changed(written) == []


def test_a_file_changed_by_hand_is_kept_unless_forced(written, compiled):
    cell = written / "netlist" / "cells" / "periphery.cir"
    cell.write_text(f"* my own amplifier\n{cell.read_text()}")
    (written / "report.md").write_text("my notes")
    with pytest.raises(MemxcError) as caught:
        write.write(compiled, written)
    faults = caught.value.faults
    assert [fault.where for fault in faults] == [str(cell), str(written / "report.md")]
    assert {fault.code for fault in faults} == {"usage"}
    assert all("--force" in fault.hint for fault in faults)
    assert cell.read_text().startswith("* my own amplifier")
    write.write(compiled, written, force=True)
    assert read.changed(written) == []


def test_a_foreign_file_is_kept_unless_forced(written, compiled):
    (written / "notes.txt").write_text("mine")
    with pytest.raises(MemxcError, match=r"notes\.txt") as caught:
        write.write(compiled, written)
    assert code(caught) == "usage"
    assert (written / "notes.txt").read_text() == "mine"
    write.write(compiled, written, force=True)
    assert {p.name for p in written.iterdir()} == PROMISED


@pytest.mark.parametrize("force", [False, True])
def test_results_survive_a_recompilation(written, compiled, force):
    (written / "simulate" / "mine").mkdir(parents=True)
    (written / "simulate" / "results.jsonl").write_text("hours\n")
    (written / "simulate" / "mine" / "notes.txt").write_text("mine")
    write.write(compiled, written, force=force)
    assert {p.name for p in written.iterdir()} == {*PROMISED, "simulate"}
    assert (written / "simulate" / "results.jsonl").read_text() == "hours\n"
    assert (written / "simulate" / "mine" / "notes.txt").read_text() == "mine"
    assert read.changed(written) == []
    assert [p.name for p in written.parent.iterdir()] == ["out"]


def test_results_survive_a_stop_in_between(written, compiled, monkeypatch):
    """Killed before the new folder stands, the old one is whole; after it, the new one."""
    (written / "simulate").mkdir()
    (written / "simulate" / "results.jsonl").write_text("hours\n")
    swap = write._swap

    def killed(fresh, place, old):
        for whole in (fresh, place):
            assert (whole / "simulate" / "results.jsonl").read_text() == "hours\n"
        swap(fresh, place, old)
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "_swap", killed)
    with pytest.raises(KeyboardInterrupt):
        write.write(compiled, written)
    assert (written / "simulate" / "results.jsonl").read_text() == "hours\n"


def test_results_that_cannot_be_kept(written, compiled):
    """What can be no results of memxc's is somebody's own."""
    (written / "simulate").write_text("a file")
    with pytest.raises(MemxcError, match="simulate") as caught:
        write.write(compiled, written)
    assert code(caught) == "usage"
    assert (written / "simulate").read_text() == "a file"
    (written / "simulate").unlink()
    (written / "simulate").mkdir()
    os.mkfifo(written / "simulate" / "pipe")
    with pytest.raises(MemxcError) as caught:
        write.write(compiled, written)
    assert code(caught) == "cannot-write"
    assert read.changed(written) == []


def test_another_folder_is_kept_unless_forced(compiled, tmp_path):
    for thesis in (tmp_path / "out" / "thesis.tex", tmp_path / "apart" / "simulate" / "thesis.tex"):
        thesis.parent.mkdir(parents=True)
        thesis.write_text("mine")
        with pytest.raises(MemxcError, match=r"thesis\.tex"):
            write.write(compiled, tmp_path / thesis.relative_to(tmp_path).parts[0])
        assert thesis.read_text() == "mine"


def test_an_empty_folder_is_filled(compiled, tmp_path):
    (tmp_path / "out").mkdir()
    write.write(compiled, tmp_path / "out")
    assert read.changed(tmp_path / "out") == []


def test_what_holds_the_inputs_or_the_user_is_never_replaced(compiled, model, monkeypatch):
    for place in (model.parent, model.parent.parent, Path("/")):
        with pytest.raises(MemxcError) as caught:
            write.write(compiled, place, force=True)
        assert code(caught) == "usage"
    assert model.is_file()
    (model.parent.parent / "here").mkdir()
    monkeypatch.chdir(model.parent.parent / "here")
    with pytest.raises(MemxcError):
        write.write(compiled, Path(), force=True)


def test_a_link_to_a_folder_is_followed(compiled, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write.write(compiled, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert read.changed(tmp_path / "real") == []


def test_a_failure_leaves_the_old_folder_and_no_new_one(written, compiled):
    lost = replace(compiled, options=replace(compiled.options, model=written / "nowhere.onnx"))
    before = sorted(written.rglob("*"))
    with pytest.raises(MemxcError):
        write.write(lost, written, force=True)
    assert sorted(written.rglob("*")) == before
    assert read.changed(written) == []
    with pytest.raises(MemxcError) as caught:
        write.write(lost, written.parent / "not" / "yet", force=True)
    assert code(caught) == "cannot-write"
    assert [p.name for p in written.parent.iterdir()] == ["out"]


def test_the_report_is_what_its_schema_says(written):
    schema = json.loads((resources.files("memxc") / "schemas" / "memxc-report-1.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((written / "report.json").read_text()), schema)


@pytest.mark.parametrize(
    "options",
    [{}, {"schedule": "sequential"}, {"signed": "inverted-inputs"},
     {"schedule": "sequential", "signed": "inverted-inputs", "partition": "none"}],
    ids=lambda o: " ".join(o.values()) or "default",
)  # fmt: skip
def test_the_report_agrees_with_the_netlist(model, tmp_path, options):
    """Counted again from the files: instances of each cell, devices of each definition."""
    asked = Options(model, target.load("paper-128").with_tile(16, 12), **options)
    write.write(compile_model(asked), tmp_path / "out")
    total = json.loads((tmp_path / "out" / "report.json").read_text())["resources"]["total"]
    netlist = tmp_path / "out" / "netlist"
    text = (netlist / "net.cir").read_text().replace("\n+", "")
    placed = [line.split() for line in text.splitlines() if line[:1] == "x"]
    devices = {}
    for path in (netlist / "cells").glob("s*.cir"):
        for block in path.read_text().split(".subckt ")[1:]:
            devices[block.split()[0]] = block.count("\nR")
    tiles = list(csv.DictReader((tmp_path / "out" / "mapping.csv").read_text().splitlines()))
    fixed = {row["subckt"] for row in tiles if row["made_of"] == "resistor"}
    crossbars = [words[-1] for words in placed if words[-1] in devices and words[-1] not in fixed]
    pairs, singles, inverters = (
        sum(name in words for words in placed) for name in ("tia", "tia_single", "inverter")
    )
    lanes = sum(words[0].startswith("xf") for words in placed)
    assert crossbars
    assert total["crossbars"] == len(crossbars)
    assert total["memristors"] == sum(devices[name] for name in crossbars)
    assert total["memristors_defined"] == sum(n for d, n in devices.items() if d not in fixed)
    assert total["resistors"] == sum(devices[w[-1]] for w in placed if w[-1] in fixed) > 0
    assert total["inverters"] == pairs + inverters
    drawn = total["opamps"] - total["drivers"]
    assert drawn >= 2 * pairs + singles + inverters
    assert drawn <= 2 * pairs + singles + inverters + 4 * lanes
    ports = {
        row["port"]
        for row in csv.DictReader((tmp_path / "out" / "schedule.csv").read_text().splitlines())
    }
    read_in_turn = sum(port.startswith("q") for port in ports)
    assert (total["drivers"] > 0) == (options.get("schedule") == "sequential")
    assert total["drivers"] >= read_in_turn / 2
    assert total["limiters"] == sum("limiter" in words for words in placed)


class Balance(HTMLParser):
    """Fails where a tag is not closed in its turn."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in ("meta", "br", "input", "!doctype"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_html_page_is_whole_and_needs_nothing_else(written):
    text = (written / "report.html").read_text("utf-8")
    page = Balance()
    page.feed(text)
    assert page.open == []
    assert {"table", "svg", "rect", "title"} <= page.seen
    assert not page.seen & {"link", "img", "iframe"}
    assert "http" not in text
    widths = [float(w) for w in re.findall(r'style="--p:([\d.]+)%"', text)]
    assert len(widths) >= 4
    assert max(widths) == 100


def test_every_row_of_a_markdown_table_has_its_columns(written):
    bars = [
        line.replace("\\|", "").count("|") if line.startswith("|") else 0
        for line in (written / "report.md").read_text("utf-8").splitlines()
    ]
    assert sum(map(bool, bars)) > 20
    assert all(a == b for a, b in pairwise(bars) if a and b)


def test_pages_escape_what_the_model_says(compiled, tmp_path):
    trap = "<script>alert(1)</script>|`"
    stage = compiled.design.stages[0]
    design = compiled.design.with_stages([replace(stage, name=trap), *compiled.design.stages[1:]])
    write.write(replace(compiled, design=design), tmp_path / "out")
    for page, scripts in (("report.html", 1), ("report.md", 0)):
        text = (tmp_path / "out" / page).read_text("utf-8")
        assert text.count("<script") == scripts
        assert trap not in text
    assert trap in json.dumps(json.loads((tmp_path / "out" / "report.json").read_text()))


def test_external_data_is_put_into_the_copy(compiled, model, tmp_path):
    there = tmp_path / "apart" / "net.onnx"
    there.parent.mkdir()
    onnx.save(onnx.load(model), there, save_as_external_data=True, location="w", size_threshold=1)
    moved = replace(compiled, options=replace(compiled.options, model=there))
    write.write(moved, tmp_path / "out")
    copy = onnx.load(tmp_path / "out" / "model.onnx", load_external_data=False)
    same = {tensor.name: tensor.raw_data for tensor in onnx.load(model).graph.initializer}
    assert {tensor.name: tensor.raw_data for tensor in copy.graph.initializer} == same
