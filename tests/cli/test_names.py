"""Printed names of a model are no formulas or escape sequences, and differ from each other."""

from __future__ import annotations

import csv
import io
import re

import onnx
import pytest

HOSTILE = ["=cmd|' /C calc'!A0", "\x1b]0;owned\x07\u202e@SUM(1)\n-2"]


@pytest.fixture
def named(model):
    """named(conv, dense, ...) -> the model whose nodes have these names."""

    def rename(**names):
        loaded = onnx.load(model)
        for node in loaded.graph.node:
            node.name = names.get(node.name, node.name)
        onnx.save(loaded, model)
        return model

    return rename


def test_a_report_of_hostile_names(memxc, named, tmp_path):
    out = tmp_path / "out"
    model = named(conv=HOSTILE[0], dense=HOSTILE[1], softmax="soft\nwarning: max")
    assert memxc("compile", model, "-o", out, "--quiet").code == 0
    rows = [*csv.DictReader(io.StringIO(memxc("report", out, "--format", "csv").out))]
    shown = [row["stage"] for row in rows]
    assert {"'=cmd|' /C calc'!A0", "\\x1b]0;owned\\x07\\u202e@SUM(1)\\n-2"} < set(shown)
    assert all(float(row["total_w"]) >= 0 for row in rows)
    for table in ("mapping.csv", "schedule.csv"):
        for line in (out / table).read_text().splitlines():
            assert re.fullmatch(r"[a-z0-9_,/.]+", line)
    assert "stays digital: soft\\nwarning: max (softmax)" in memxc("report", out).out
    for command in (["report", out], ["report", out, "--format", "md"], ["lvs", out], ["show", out],
                    ["verify", out, "--count", "1"], ["check", model], ["diff", out, out],
                    ["report", out, "--format", "html"], ["report", out, "--json"]):  # fmt: skip
        assert memxc(*command).out.replace("\n", "").isprintable()


def test_pages_changed_by_hand_give_a_terminal_no_orders(memxc, model, tmp_path):
    out = tmp_path / "out"
    assert memxc("compile", model, "-o", out, "--quiet", "--report-only").code == 0
    page = (out / "report.md").read_text()
    (out / "report.md").write_text(f"\x1b[2J{page}\u2066")
    assert memxc("report", out, "--format", "md").out == f"\\x1b[2J{page}\\u2066"
    report = (out / "report.json").read_text()
    assert memxc("report", out, "--json").out == report
    (out / "report.json").write_text(report.replace('"conv"', '"\u202econv"'))
    assert "\\u202econv" in memxc("report", out, "--json").out
    (out / "report.json").write_text("\x1b[2J")
    assert memxc("report", out, "--json").code == 3


def test_check_tells_nodes_of_long_paths_apart(memxc, named):
    path = "/backbone/features/features.0/conv/conv.0/block/"
    done = memxc("check", named(conv=f"{path}Conv", relu=f"{path}Relu", dense=f"{path}1/Gemm"))
    shown = [line.split()[0] for line in done.out.splitlines()[1:7]]
    assert len(set(shown)) == 6
    assert [name[-11:] for name in shown[:2]] == ["/block/Conv", "/block/Relu"]


def test_a_usage_error_gives_no_orders(memxc):
    done = memxc("report", "\x1b[2Jnowhere")
    assert done.code == 2
    assert done.err.replace("\n", "").isprintable()
