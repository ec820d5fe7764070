"""docs/papers.md: its table is what `make papers` prints."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from memxc.cli import _main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "papers.md").read_text("utf-8")


def memxc(*words):
    """A command that prints nothing; 1 is a check that failed, and the row says by how much."""
    assert _main._run(list(words)) in (0, 1)


@pytest.fixture
def papers(monkeypatch, tmp_path):
    """The modules of benchmarks/papers, compiling into a folder of this test, in this process."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "papers")
    names = (
        "accuracy", "ckf", "curve", "runs", "shufflenet", "sparse", "spice", "subimages", "table"
    )  # fmt: skip
    modules = {name: importlib.import_module(name) for name in names}
    monkeypatch.setattr(modules["runs"], "WORK", tmp_path)
    monkeypatch.setattr(modules["runs"], "memxc", memxc)
    yield modules
    for name in names:
        sys.modules.pop(name)


def test_the_figure_shows_the_numbers_of_the_table(papers):
    """docs/pictures/separated.json is what the rows of the separated network were made of."""
    found = json.loads((ROOT / "docs" / "pictures" / "separated.json").read_text("utf-8"))
    rows = list(papers["curve"].rows(found["points"]))
    assert len(rows) == 3
    for row in rows:
        assert f"| {row.quantity} | {row.theirs} | {row.tag} | {row.ours} | `{row.how}` |" in PAGE


@pytest.mark.parametrize(
    "name",
    [
        "shufflenet",
        pytest.param("subimages", marks=pytest.mark.slow),
        pytest.param("sparse", marks=pytest.mark.slow),
        pytest.param("ckf", marks=pytest.mark.slow),
    ],
)
def test_the_table_of_the_page_is_what_the_script_prints(papers, name):
    """Rows that want a data set have their quantity and their command in the page."""
    nothing = papers["accuracy"].Data(None, None, None, None)
    rows = list(papers[name].rows(nothing))
    assert len(rows) > 4
    for row in rows:
        start = f"| {row.quantity} | {row.theirs} | {row.tag} | "
        if row.data:
            lines = [line for line in PAGE.splitlines() if line.startswith(start)]
            assert [line for line in lines if row.how in line], row
        else:
            assert f"{start}{row.ours} | `{row.how}` |" in PAGE, row
