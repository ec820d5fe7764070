"""memxc report writes the page with pictures and with the results of verify, lvs and simulate."""

from __future__ import annotations

import json
import re

import pytest

from memxc.backends.pictures import page as pictures
from memxc.build_folder import read
from memxc.build_folder.page import whole
from memxc.build_folder.page.html import Pictures

pytest.importorskip("matplotlib")


@pytest.fixture
def checked(memxc, compiled, model):
    """A folder, after lvs, verify of two samples, and a sweep of two points with two draws."""
    out, data = compiled(), model.with_name("net.samples.npz")
    sweep = ("--sweep", "device.r_on_sigma=0,0.3", "--draws", "2")
    for command in (
        ["lvs", out],
        ["verify", out, "--count", "2"],
        ["simulate", out, "--data", data],
        ["simulate", out, "--data", data, *sweep],
    ):
        assert memxc(*command).code == 0  # fmt: skip
    return out


def page(memxc, out):
    assert memxc("report", out).code == 0
    return (out / "results" / "report.html").read_text("utf-8")


def test_the_page_has_the_results_of_every_check(memxc, checked):
    written = (checked / "report.html").read_bytes()
    text = page(memxc, checked)
    assert read.changed(checked) == []
    assert read.foreign(checked) == []
    assert (checked / "report.html").read_bytes() == written
    for words in (
        "nothing differs",
        "count=2",
        "accuracy, with wires and devices",
        "device.r_on_sigma=0.3",
        "argmax agrees with onnxruntime on 2 of 2",
    ):
        assert words in text, words  # fmt: skip
        assert words not in written.decode()
    assert "not run" not in text
    assert "not simulated yet" not in text
    assert text.count("<figure") >= 5
    assert "http" not in text
    assert page(memxc, checked) == text


@pytest.fixture
def without_pictures(monkeypatch):
    """Without matplotlib, which these tests need not wait for."""
    monkeypatch.setattr(pictures, "possible", lambda: False)


def test_a_failed_check_is_shown_as_failed(memxc, compiled, without_pictures):
    out = compiled()
    (cells,) = (out / "netlist" / "cells").glob("s00*.cir")
    text = cells.read_text()
    ohms = re.search(r"(?m)^R\S+ \S+ \S+ (\S+)", text)[1]
    cells.write_text(text.replace(ohms, "4.2e+05", 1))
    assert memxc("lvs", out).code == 1
    found = page(memxc, out)
    assert "pip install &#39;memxc[plot]&#39;" in found
    assert "FAILED" in found
    assert "changed since it was compiled, perhaps after the checks: netlist/cells/s00" in found


def test_results_of_another_compilation_are_not_shown(memxc, compiled, without_pictures):
    out = compiled()
    assert memxc("lvs", out).code == 0
    (kept,) = (out / "results").glob("*.json")
    tree = json.loads(kept.read_text())
    kept.write_text(json.dumps(tree | {"manifest": "0" * 64}))
    text = page(memxc, out)
    assert "1 of the results in results/ belong to another compilation" in text
    assert "not run: memxc lvs DIR" in text


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "memxc-result/1"}', "[" * 100_000])
def test_a_spoilt_result_is_named(memxc, compiled, text):
    out = compiled()
    (out / "results").mkdir()
    (out / "results" / "lvs-00000000.json").write_text(text)
    done = memxc("report", out)
    assert done.code == 3
    assert "lvs-00000000.json" in done.err
    assert "remove this file" in done.err


@pytest.mark.parametrize("values", [("$\\frac{", "$"), ("1e308", "-1e308"), ("inf", "nan")])
def test_a_sweep_that_somebody_wrote_does_no_harm(memxc, compiled, model, values, monkeypatch):
    monkeypatch.setattr(whole, "_of_design", lambda folder, report: Pictures())
    out, data = compiled(), model.with_name("net.samples.npz")
    sweep = ("--sweep", "device.r_on_sigma=0,0.3")
    assert memxc("simulate", out, "--data", data, *sweep).code == 0
    (kept,) = (out / "results").glob("*.json")
    tree = json.loads(kept.read_text())
    rows = tree["simulated"]["rows"]
    for row, value in zip(rows, values, strict=True):
        row |= {"settings": {"<b>$_{": value}, "scores": [1e308, -1e308]}
    kept.write_text(json.dumps(tree))
    text = page(memxc, out)
    assert "<b>$_{" not in text
    assert f"&lt;b&gt;$_{{={values[0]}" in text


def test_a_folder_is_replaced_without_its_results(memxc, compiled, model):
    """They are of the circuit that was there before. The scores of simulate/ stay."""
    out = compiled()
    assert memxc("lvs", out).code == 0
    assert memxc("compile", model, "-o", out, "--quiet").code == 0
    assert not (out / "results").exists()


def test_a_file_of_the_user_among_the_results_is_not_lost(memxc, compiled, model):
    out = compiled()
    (out / "results").mkdir()
    (out / "results" / "notes.txt").write_text("mine")
    done = memxc("compile", model, "-o", out, "--quiet")
    assert done.code == 2
    assert "results/notes.txt" in done.err


def test_a_report_without_a_circuit_has_a_page_too(memxc, model, tmp_path):
    out = tmp_path / "only"
    assert memxc("compile", model, "-o", out, "--report-only", "--quiet").code == 0
    assert "it was compiled with --report-only" in page(memxc, out)
