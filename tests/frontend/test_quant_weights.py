"""Quantised weights are computed when a network is read: bit by bit as onnxruntime does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc.evaluation import reference
from memxc.frontend import load

SHAPE = (4, 6, 3)


def session_value(path, name, x):
    """Return the value of a constant tensor as onnxruntime computes it."""
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = reference.session(model.SerializeToString(), fused=False)
    return session.run([name], {"x": x})[0]


def tensor(name, kind, shape, values):
    return helper.make_tensor(name, kind, shape, np.asarray(values).reshape(-1).tolist())


def conv_net(tmp_path, nodes, tensors, opset):
    """Return x -> Conv with the weight `w` that `nodes` compute from `tensors`."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [*nodes, helper.make_node("Conv", ["x", "w"], ["y"])],
        "g",
        [info("x", TensorProto.FLOAT, [1, SHAPE[1], 9])],
        [info("y", TensorProto.FLOAT, [1, SHAPE[0], 7])],
        tensors,
    )
    path = tmp_path / "net.onnx"
    imports = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), path)
    return path


def check(path):
    graph = load(path)
    assert [node.op for node in graph.nodes] == ["Conv"]
    x = np.zeros((1, SHAPE[1], 9), np.float32)
    expected = session_value(path, "w", x)
    assert graph.weights["w"].dtype == np.float32
    np.testing.assert_array_equal(graph.weights["w"], expected)
    assert len(np.unique(expected)) > 10
    return graph


def codes(low, high):
    return np.random.default_rng(3).integers(low, high + 1, SHAPE)


KINDS = {
    "INT8": (-128, 127, 10),
    "UINT8": (0, 255, 10),
    "INT16": (-32768, 32767, 21),
    "UINT16": (0, 65535, 21),
    "INT4": (-8, 7, 21),
    "UINT4": (0, 15, 21),
}


@pytest.mark.parametrize(
    ("kind", "opset"),
    [
        (k, n)
        for k, (_, _, since) in KINDS.items()
        for n in (10, 11, 13, 17, 19, 21, 23)
        if n >= since
    ],
)
def test_one_step_for_all(tmp_path, kind, opset):
    low, high, _ = KINDS[kind]
    number = getattr(TensorProto, kind)
    tensors = [
        tensor("q", number, SHAPE, codes(low, high)),
        tensor("s", TensorProto.FLOAT, [], 0.0137),
        tensor("z", number, [], max(low, 3)),
    ]
    node = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"])
    check(conv_net(tmp_path, [node], tensors, opset))


@pytest.mark.parametrize("opset", [13, 19, 21])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_step_for_each_slice(tmp_path, opset, axis, zeros):
    n = SHAPE[axis]
    rng = np.random.default_rng(1)
    tensors = [
        tensor("q", TensorProto.INT8, SHAPE, codes(-128, 127)),
        tensor("s", TensorProto.FLOAT, [n], rng.uniform(0.001, 0.1, n).astype(np.float32)),
        tensor("z", TensorProto.INT8, [n], rng.integers(-9, 9, n)),
    ]
    inputs = ["q", "s", "z"][: 2 + zeros]
    node = helper.make_node("DequantizeLinear", inputs, ["w"], axis=axis)
    check(conv_net(tmp_path, [node], tensors[: 2 + zeros], opset))


@pytest.mark.parametrize(("axis", "block"), [(1, 2), (1, 4), (0, 2)])
def test_a_step_for_each_block(tmp_path, axis, block):
    shape = list(SHAPE)
    shape[axis] = -(-shape[axis] // block)
    rng = np.random.default_rng(1)
    tensors = [
        tensor("q", TensorProto.INT4, SHAPE, codes(-8, 7)),
        tensor("s", TensorProto.FLOAT, shape, rng.uniform(0.001, 0.1, shape).astype(np.float32)),
        tensor("z", TensorProto.INT4, shape, rng.integers(-8, 7, shape)),
    ]
    attrs = {"axis": axis, "block_size": block}
    node = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], **attrs)
    check(conv_net(tmp_path, [node], tensors, 21))


@pytest.mark.parametrize(
    ("opset", "per_axis"),
    [(10, False), (13, False), (13, True), (17, True), (19, True), (21, False), (21, True)],
)
def test_float_weights_that_are_quantised_in_the_graph(tmp_path, opset, per_axis):
    """PyTorch's exporter writes this after training with fake quantisation."""
    rng = np.random.default_rng(1)
    n = [SHAPE[0]] if per_axis else []
    attrs = {"axis": 0} if per_axis else {}
    tensors = [
        tensor("f", TensorProto.FLOAT, SHAPE, rng.normal(size=SHAPE).astype(np.float32)),
        tensor("s", TensorProto.FLOAT, n, rng.uniform(0.01, 0.02, n)),
        tensor("z", TensorProto.INT8, n, np.zeros(n)),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["f", "s", "z"], ["q"], **attrs),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], **attrs),
    ]
    check(conv_net(tmp_path, nodes, tensors, opset))


@pytest.mark.parametrize("kind", ["FLOAT8E4M3FN", "FLOAT8E5M2"])
def test_weights_in_8_bits_of_floating_point(tmp_path, kind):
    """Constants may have types that signals must not have."""
    number = getattr(TensorProto, kind)
    values = np.random.default_rng(1).normal(size=SHAPE)
    tensors = [tensor("q", number, SHAPE, values), tensor("s", TensorProto.FLOAT, [], 0.37)]
    node = helper.make_node("DequantizeLinear", ["q", "s"], ["w"])
    check(conv_net(tmp_path, [node], tensors, 19))


def test_a_bias_of_32_bits(tmp_path):
    """Each channel has its own step, as quantised exporters write it."""
    rng = np.random.default_rng(1)
    values = rng.integers(-(2**23), 2**23, SHAPE)
    tensors = [
        tensor("q", TensorProto.INT32, SHAPE, values),
        tensor("s", TensorProto.FLOAT, [4], rng.uniform(1e-5, 1e-4, 4)),
        tensor("z", TensorProto.INT32, [4], np.zeros(4, int)),
    ]
    node = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0)
    check(conv_net(tmp_path, [node], tensors, 13))
