"""The same input gives the same bytes, whatever the folder, hash seed, threads or time zone."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
from pathlib import Path

import pytest

MSCCNN = Path(__file__).parent.parent / "models" / "msccnn_fashion.onnx"


def _compile(folder: Path, seed: str, threads: str, zone: str, *options: str) -> Path:
    folder.mkdir(parents=True)
    model = folder / "model.onnx"
    model.write_bytes(MSCCNN.read_bytes())
    model.with_suffix(".samples.npz").write_bytes(MSCCNN.with_suffix(".samples.npz").read_bytes())
    env = os.environ | {
        "PYTHONHASHSEED": seed,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "TZ": zone,
        "LC_ALL": "C",
    }
    command = [sys.executable, "-m", "memxc", "compile", str(model), "-o", str(folder / "out")]
    subprocess.run([*command, *options], check=True, env=env, cwd=folder, capture_output=True)
    return folder / "out"


@pytest.mark.parametrize(
    "options",
    [(), ("--schedule", "sequential", "--signed", "inverted-inputs", "--partition", "paper")],
)
def test_two_compiles_are_the_same_bytes(tmp_path, options):
    one = _compile(tmp_path / "a", "1", "1", "UTC", *options)
    two = _compile(tmp_path / "b" / "deeper", "2", "2", "Asia/Tokyo", *options)
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert len(files) > 15
    _, different, unread = filecmp.cmpfiles(one, two, map(str, files), shallow=False)
    assert (different, unread) == ([], [])
