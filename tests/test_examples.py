"""The scripts of examples/, run as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc import reference
from memxc.cli import _main

EXAMPLES = Path(__file__).parents[1] / "examples"


def weights(shape, seed, name):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return onnx.numpy_helper.from_array(values, name)


def two_inputs(path):
    """5 and 3 numbers to 4 and, through a Slice of what the first output is made of, to 2."""
    nodes = [
        helper.make_node("Gemm", ["a", "wa", "ba"], ["left"]),
        helper.make_node("Gemm", ["b", "wb"], ["right"]),
        helper.make_node("Add", ["left", "right"], ["sum"]),
        helper.make_node("Gather", ["sum", "which"], ["some"], axis=1),
    ]
    inits = [weights((5, 4), 1, "wa"), weights((4,), 2, "ba"), weights((3, 4), 3, "wb")]
    inits.append(onnx.numpy_helper.from_array(np.array([3, 1]), "which"))
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
        for name, width in (("a", 5), ("b", 3), ("sum", 4), ("some", 2))
    ]
    graph = helper.make_graph(nodes, "two", values[:2], values[2:], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_the_bench_gives_what_onnxruntime_gives(tmp_path, capsys, ngspice):
    model = two_inputs(tmp_path / "two.onnx")
    rng = np.random.default_rng(0)
    samples = {"a": rng.normal(size=(2, 5)), "b": rng.normal(size=(2, 3))}
    samples = {name: values.astype(np.float32) for name, values in samples.items()}
    np.savez(tmp_path / "in.npz", **samples)
    out = str(tmp_path / "out")
    options = ["--target", "ideal", "--samples", str(tmp_path / "in.npz")]
    assert _main._run(["compile", str(model), "-o", out, *options]) == 0
    capsys.readouterr()
    script = [sys.executable, str(EXAMPLES / "bench.py"), out]
    bench = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    (tmp_path / "bench.cir").write_text(bench)
    # From elsewhere: the bench knows where its netlist is.
    run = [ngspice, "-b", str(tmp_path / "bench.cir")]
    said = subprocess.run(run, check=True, capture_output=True, text=True, cwd="/").stdout
    found = [float(text) for text in re.findall(r"^v\(\S+ = (\S+)$", said, re.M)]
    session = reference.session(model)
    first = {name: values[:1] for name, values in samples.items()}
    wanted = np.concatenate([each.ravel() for each in session.run(None, first)])
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    assert len(set(np.round(wanted[:4], 3))) == 4
