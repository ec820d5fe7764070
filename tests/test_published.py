"""benchmarks/published predicts figures of chips, and docs/published.md has what it prints."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def numbers(text):
    return [float(number.replace(",", "")) for number in re.findall(r"[+-]?\d[\d.,]*", text)]


def test_the_page_has_the_figures_of_the_script(capsys, one_process):
    runpy.run_path(str(ROOT / "benchmarks" / "published"), run_name="__main__")
    printed = [line for line in capsys.readouterr().out.splitlines() if line.endswith("%")]
    page = (ROOT / "docs" / "published.md").read_text("utf-8").partition("## What")[0]
    rows = [line.split("|")[2:5] for line in page.splitlines() if line.endswith("% |")]
    assert len(rows) == len(printed) == 13
    for line, cells in zip(printed, rows, strict=True):
        ours, theirs, error = numbers(line[58:].replace("+", " +"))
        shown = [numbers(cell)[0] for cell in cells]
        assert shown[:2] == pytest.approx([ours, theirs], rel=6e-3)
        assert error == pytest.approx(100 * (ours / theirs - 1), abs=0.2, rel=1e-2)
        assert shown[2] == pytest.approx(error, abs=0.5, rel=1e-2)


def test_the_areas_are_those_of_the_targets():
    """A unit crossbar's places times its cell: numbers that stand in the targets."""
    page = (ROOT / "docs" / "published.md").read_text("utf-8")
    assert f"| {65536 * 4.9e-13 * 1e6:.4f} | 0.139 |" in page
    assert f"| {16384 * 4 * 32e-9**2 * 1e12:.1f} | 25 |" in page
