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
