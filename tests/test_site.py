"""The site is built without a warning, and every page of docs/ is in it and can be searched."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memxc.cli import _main

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    for name in ("sphinx", "furo", "myst_parser", "sphinx_click"):
        pytest.importorskip(name, reason="the extra docs is not installed: make test-docs has it")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "-d",
         tmp_path / "doctrees", ".", site],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    pages = [path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")]
    assert not [page for page in pages if not (site / page.with_suffix(".html")).is_file()]
    index = re.search(r"\{.*\}", (site / "searchindex.js").read_text("utf-8"), re.S)[0]
    assert {str(page.with_suffix("")) for page in pages} <= set(json.loads(index)["docnames"])
    # Tables that come from the code, and the page of the commands.
    parts = (site / "docs" / "reference" / "parts.html").read_text("utf-8")
    assert all(word in parts for word in ("fold-batchnorm", "hfox-128", "unsupported-op"))
    schemas = (site / "docs" / "reference" / "schemas.html").read_text("utf-8")
    assert all(path.name in schemas for path in (ROOT / "memxc" / "schemas").glob("*.json"))
    commands = (site / "docs" / "reference" / "commands.html").read_text("utf-8")
    assert "--sweep" in commands
    assert not [n for n in _main.group.list_commands(None) if f"<h3>{n}<" not in commands]
    python = (site / "docs" / "reference" / "python.html").read_text("utf-8")
    assert "memxc.Build" in python
    assert "conductances" in python
