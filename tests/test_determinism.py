"""The same input gives the same bytes, whatever the folder, hash seed, threads, locale or zone."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
from pathlib import Path

import pytest

MSCCNN = Path(__file__).parent.parent / "models" / "msccnn_fashion.onnx"
OTHERS = ("--schedule", "sequential", "--signed", "inverted-inputs", "--partition", "paper")


def _compile(original: Path, folder: Path, world: dict[str, str], *options: str) -> Path:
    folder.mkdir(parents=True)
    model = folder / "model.onnx"
    model.write_bytes(original.read_bytes())
    samples = original.with_suffix(".samples.npz")
    model.with_suffix(".samples.npz").write_bytes(samples.read_bytes())
    command = [sys.executable, "-m", "memxc", "compile", str(model), "-o", str(folder / "out")]
    env = os.environ | world
    subprocess.run([*command, *options], check=True, env=env, cwd=folder, capture_output=True)
    return folder / "out"


def _world(seed: str, threads: str, locale: str, zone: str) -> dict[str, str]:
    blas = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    return {"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone, **blas}


def _same_bytes(original: Path, tmp_path: Path, *options: str) -> None:
    here, there = _world("1", "1", "C", "UTC"), _world("2", "2", "C.UTF-8", "Asia/Tokyo")
    one = _compile(original, tmp_path / "a", here, *options)
    two = _compile(original, tmp_path / "b" / "deeper", there, *options)
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert len(files) > 15
    _, different, unread = filecmp.cmpfiles(one, two, map(str, files), shallow=False)
    assert (different, unread) == ([], [])


def test_msccnn(tmp_path):
    """Large enough for a BLAS of more than one thread to use them."""
    _same_bytes(MSCCNN, tmp_path)


def test_in_other_layouts(tmp_path, small):
    _same_bytes(small, tmp_path, "--tile", "16x12", *OTHERS)


@pytest.mark.slow
def test_msccnn_in_other_layouts(tmp_path):
    _same_bytes(MSCCNN, tmp_path, *OTHERS)
