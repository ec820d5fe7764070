"""benchmarks/simulate.py reads the output of memxc simulate for each of its circuits."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(monkeypatch, memxc):
    """The script, with its commands run in this process."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = importlib.import_module("simulate")
    monkeypatch.setattr(module, "ROUNDS", 1)
    monkeypatch.setattr(module, "run", lambda words: memxc(*words).out)
    yield module
    sys.modules.pop("simulate")


def test_every_circuit_has_its_score(bench, memxc, model, tmp_path):
    out, data = tmp_path / "out", tmp_path / "data.npz"
    x = np.random.default_rng(3).uniform(-1, 1, (9, 2, 6, 5)).astype(np.float32)
    np.savez(data, x=x, y=np.arange(9) % 4)
    assert memxc("compile", model, "-o", out, "--quiet").code == 0
    for more in bench.CIRCUITS.values():
        seconds, mean = bench.timed(out, data, more)
        row = memxc("simulate", out, "--data", data, *more).out.splitlines()[3]
        assert f" {100 * mean:.2f} % " in row
        assert seconds > 0
