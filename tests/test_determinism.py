"""The same input gives the same bytes: whatever the folder, hash seed, threads, zone, processor."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

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


@pytest.mark.slow
def test_msccnn(tmp_path):
    """Large enough for a BLAS of more than one thread to use them."""
    _same_bytes(MSCCNN, tmp_path)


def test_in_other_layouts(tmp_path, small):
    _same_bytes(small, tmp_path, "--tile", "16x12", *OTHERS)


@pytest.mark.slow
def test_msccnn_in_other_layouts(tmp_path):
    _same_bytes(MSCCNN, tmp_path, *OTHERS)


#: Says which kernels BLAS has, by the bits of a product, and compiles.
_SCRIPT = """
import sys
import numpy as np
from memxc.cli import _main
a, b = np.random.default_rng(0).normal(size=(2, 60, 60))
print((a @ b).tobytes().hex()[:8000])
sys.exit(_main._run(sys.argv[1:]))
"""


def test_another_processors_sums_give_the_same_bytes(tmp_path):
    """OpenBLAS and numpy as they are on a processor of 2008: sums in another order."""
    rng = np.random.default_rng(1)
    inits = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
        for name, shape in (("k", (6, 3, 3, 2)), ("w", (216, 30)), ("v", (30, 7)), ("c", (7,)))
    ]
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["a"], name="conv"),
        helper.make_node("Flatten", ["a"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "w"], ["g"], name="first"),
        helper.make_node("Tanh", ["g"], ["t"], name="tanh"),
        helper.make_node("Gemm", ["t", "v", "c"], ["y"], name="last"),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", (1, 3, 8, 7)), ("y", (1, 7)))
    ]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    model = tmp_path / "net.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), model)
    old = {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX2,FMA3"}
    products = []
    for name, env in (("new", {}), ("old", old)):
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, "compile", model, "-o", tmp_path / name, "--quiet"],
            check=True, env={**os.environ, **env}, capture_output=True, text=True,
        )  # fmt: skip
        products.append(done.stdout)
    if products[0] == products[1]:
        pytest.skip("this numpy multiplies in one way only")
    files = sorted(p.relative_to(tmp_path / "new") for p in (tmp_path / "new").rglob("*.*"))
    assert len(files) > 10
    ways = filecmp.cmpfiles(tmp_path / "new", tmp_path / "old", map(str, files), shallow=False)
    assert ways[1:] == ([], [])
