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

from memxc.cli import _main
from memxc.evaluation import reference

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


@pytest.fixture(scope="module")
def softmax(tmp_path_factory):
    """Conv 2 -> 3 on 3 x 4, dense 18 -> 5, Reshape, Softmax: a name that no netlist may have."""
    path = tmp_path_factory.mktemp("softmax") / "net.onnx"
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"]),
        helper.make_node("Softmax", ["g"], ["s"], name="soft\n.control"),
        helper.make_node("Reshape", ["s", "as"], ["y"]),
    ]
    inits = [weights((3, 2, 2, 2), 1, "k"), weights((18, 5), 2, "w"), weights((5,), 3, "b")]
    inits.append(onnx.numpy_helper.from_array(np.array([1, 5, 1]), "as"))
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", [1, 2, 3, 4]), ("y", [1, 5, 1]))
    ]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    x = np.random.default_rng(4).uniform(-1, 1, (2, 2, 3, 4)).astype(np.float32)
    np.savez(path.with_suffix(".samples.npz"), x=x)
    return path


def bench(out):
    script = [sys.executable, str(EXAMPLES / "bench.py"), str(out)]
    return subprocess.run(script, check=False, capture_output=True, text=True)


def test_of_a_softmax_the_bench_prints_the_logits(softmax, tmp_path, capsys, ngspice):
    out = tmp_path / "out"
    assert _main._run(["compile", str(softmax), "-o", str(out), "--target", "ideal"]) == 0
    (line,) = re.findall(r"^\* output .*$", (out / "netlist" / "net.cir").read_text(), re.M)
    assert re.fullmatch(
        r"\* output 1, lanes 0 to 4: n\d+_0 to n\d+_4, \S+ V a unit, before s\d\d_soft_control",
        line,
    )
    made = bench(out)
    (tmp_path / "bench.cir").write_text(made.stdout)
    run = [ngspice, "-b", str(tmp_path / "bench.cir")]
    said = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    logits = np.array([float(text) for text in re.findall(r"^v\(\S+ = (\S+)$", said, re.M)])
    x = np.load(softmax.with_suffix(".samples.npz"))["x"][:1]
    wanted = reference.session(softmax).run(None, {"x": x})[0].ravel()
    power = np.exp(logits - logits.max())
    assert power / power.sum() == pytest.approx(wanted, rel=1e-4)


def test_the_bench_refuses_places_that_take_turns(softmax, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["-o", str(out), "--schedule", "sequential"]
    assert _main._run(["compile", str(softmax), *options]) == 0
    made = bench(out)
    assert (made.returncode, made.stdout) == (1, "")
    assert "--schedule parallel" in made.stderr
    assert "Traceback" not in made.stderr
