"""The seeds of the fuzzer through its targets: what `make fuzz` starts from is sound."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SEEDS = sorted((HERE / "corpus").glob("*/*"))
TARGETS = runpy.run_path(str(HERE / "targets.py"))


def test_every_target_has_seeds():
    assert {path.parent.name for path in SEEDS} == set(TARGETS["TARGETS"])


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_seed_is_read_or_refused(path):
    TARGETS["run"](path.parent.name, path.read_bytes())
