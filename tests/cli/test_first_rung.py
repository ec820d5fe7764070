"""The first rung decides the exit code of compile; its reference may be onnx.reference."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.errors import MemxcError, fail
from memxc.evaluation import reference
from memxc.frontend import evaluator


def save(path, kind, nodes, **weights):
    """A network of x (1, 2, 5, 4) -> y of one type."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    ends = [
        [helper.make_tensor_value_info(name, kind, shape)]
        for name, shape in (("x", ["n", 2, 5, 4]), ("y", ["n", 3, 4, 2]))
    ]
    inits = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def convolution(path, kind):
    weight = np.random.default_rng(1).normal(size=(3, 2, 2, 3)).astype(kind)
    return save(path, kind, [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")], w=weight)


@pytest.fixture
def double(tmp_path):
    """onnxruntime has no Conv in double precision."""
    return convolution(tmp_path / "net.onnx", np.float64)


def fidelity(folder):
    return json.loads((folder / "report.json").read_text())["fidelity"]


def test_onnxruntime_is_asked_first(memxc, tmp_path):
    model = convolution(tmp_path / "net.onnx", np.float32)
    done = memxc("compile", model, "-o", tmp_path / "out")
    assert (done.code, fidelity(tmp_path / "out")["passed"]) == (0, True)
    assert fidelity(tmp_path / "out")["reference"] == "onnxruntime"


def test_where_onnxruntime_refuses_onnx_reference_answers(memxc, double, tmp_path):
    done = memxc("compile", double, "-o", tmp_path / "out")
    assert done.code == 0
    refused, instead = done.err.splitlines()[1:]  # behind the warning of no samples
    assert refused.startswith("warning: onnxruntime refuses it: ")
    assert instead.endswith("compared with onnx.reference instead")
    found = fidelity(tmp_path / "out")
    assert (found["reference"], found["passed"]) == ("onnx.reference", True)
    assert found["rungs"][0]["from"] == "onnx.reference"
    assert float(found["rungs"][0]["max_rel_error"]) < 1e-9
    assert "onnx\\.reference" in (tmp_path / "out" / "report.md").read_text()


def test_where_nothing_answers_the_check_has_failed(memxc, double, tmp_path, monkeypatch):
    def refuse(path, inputs):
        raise fail("unsupported-model", str(path), "onnx.reference refuses it: so it does")

    monkeypatch.setattr(evaluator, "run", refuse)
    done = memxc("compile", double, "-o", tmp_path / "out")
    assert done.code == 1
    assert "onnx.reference refuses it: so it does" in done.err
    found = fidelity(tmp_path / "out")
    assert (found["reference"], found["passed"]) == (None, False)
    assert (tmp_path / "out" / "netlist" / "net.cir").exists()
    done = memxc("compile", double, "-o", tmp_path / "only", "--report-only")
    assert (done.code, fidelity(tmp_path / "only")["passed"]) == (0, None)


@pytest.mark.parametrize(("away", "code"), [(0.9e-3, 0), (1.1e-3, 1), (np.nan, 1)])
def test_a_long_first_rung_is_a_failed_check(memxc, tmp_path, monkeypatch, away, code):
    model = convolution(tmp_path / "net.onnx", np.float32)
    right = reference.run

    def far(path, inputs):
        answer = right(path, inputs)["y"]
        most = np.unravel_index(np.abs(answer).argmin(), answer.shape)
        answer[most] += away * np.abs(answer).max()
        return {"y": answer}

    monkeypatch.setattr(reference, "run", far)
    done = memxc("compile", model, "-o", tmp_path / "out")
    assert done.code == code
    assert ("failed check" in done.err) == bool(code)
    assert fidelity(tmp_path / "out")["passed"] is not bool(code)


def test_onnx_reference_answers_sample_by_sample(double):
    x = np.random.default_rng(2).normal(size=(3, 2, 5, 4))
    found = evaluator.run(double, {"x": x})["y"]
    weight = numpy_helper.to_array(onnx.load(double).graph.initializer[0])
    by_hand = np.zeros((3, 3, 4, 2))
    for row in range(4):
        for column in range(2):
            window = x[:, :, row : row + 2, column : column + 3]
            by_hand[:, :, row, column] = np.einsum("sijk,oijk->so", window, weight)
    assert found == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.slow
def test_onnx_reference_has_its_time(tmp_path, monkeypatch):
    """It computes a maximum window by window, for six million windows."""
    monkeypatch.setattr(evaluator, "SECONDS", 0.2)
    pool = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 3], dilations=[2, 1])
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", (1, 6, 1002, 1002)), ("y", (1, 6, 1000, 1000)))
    ]
    graph = helper.make_graph([pool], "net", *ends)
    opsets = [helper.make_opsetid("", 17)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    with pytest.raises(MemxcError, match=r"onnx\.reference takes more than 1 s"):
        evaluator.run(path, {"x": np.zeros((1, 6, 1002, 1002))})


def test_float_weights_between_quantised_signals_stay_floats(tmp_path):
    """onnxruntime would quantise them, and differ from the model by one code."""
    weight = np.random.default_rng(4).normal(size=(40, 3)).astype(np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["d"]),
        helper.make_node("Gemm", ["d", "w"], ["g"]),
        helper.make_node("QuantizeLinear", ["g", "t", "z"], ["y"]),
    ]
    inits = {"s": np.float32(0.02), "t": np.float32(0.05), "z": np.uint8(128), "w": weight}
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", width])]
        for name, width in (("x", 40), ("y", 3))
    ]
    inits = [numpy_helper.from_array(np.asarray(v), name) for name, v in inits.items()]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.random.default_rng(5).integers(0, 255, (50, 40)).astype(np.uint8)
    by_hand = ((x.astype(float) - 128) * 0.02) @ weight / 0.05 + 128
    (found,) = reference.session(model.SerializeToString()).run(None, {"x": x})
    assert np.abs(found - by_hand.clip(0, 255)).max() < 0.51
