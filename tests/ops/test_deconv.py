"""ConvTranspose against onnxruntime, on shapes drawn at random, and laid out on crossbars."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from memxc import target
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower
from memxc.passes import parse


def _reference(weight, bias, x, attrs):
    graph = helper.make_graph(
        [helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], **attrs)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return reference.session(model.SerializeToString()).run(None, {"x": x})[0]


def _design(weight, bias, x, y, attrs):
    shapes = {"x": x.shape, "w": weight.shape, "b": bias.shape, "y": y.shape}
    node = Node("up", "ConvTranspose", ("x", "w", "b"), ("y",), attrs)
    design = lower(Graph("g", ("x",), ("y",), (node,), shapes, {"w": weight, "b": bias}, 17))
    design.verify()
    return design


@given(st.data())
def test_against_onnxruntime(data):
    rank = data.draw(st.integers(1, 3))
    axis = lambda low, high: tuple(data.draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    group, deep, filters = (data.draw(st.integers(1, 3)) for _ in range(3))
    attrs = {"strides": axis(1, 3), "dilations": axis(1, 2), "group": group}
    attrs["output_padding"] = tuple(
        data.draw(st.integers(0, max(s, d) - 1))
        for s, d in zip(attrs["strides"], attrs["dilations"], strict=True)
    )
    mode = data.draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    attrs |= {"pads": axis(0, 2) + axis(0, 2)} if mode == "NOTSET" else {"auto_pad": mode}
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.normal(size=(1, group * deep, *axis(1, 5))).astype(np.float32)
    weight = rng.normal(size=(group * deep, filters, *axis(1, 4))).astype(np.float32)
    bias = rng.normal(size=group * filters).astype(np.float32)
    try:
        wanted = _reference(weight, bias, x, attrs)
    except Exception:  # noqa: BLE001 - a shape that onnxruntime has no use for
        assume(False)
    assume(wanted.size)
    found = evaluate.outputs(_design(weight, bias, x, wanted, attrs), {"x": x})["y"]
    assert found == pytest.approx(wanted[0][None], rel=1e-4, abs=1e-4)


def test_no_multiplication_with_inserted_zeros():
    # k = 4, stride 2, 5 x 7: each of the 4 phases has 2 x 2 taps, so 4 a pixel and channel.
    weight, bias = np.ones((3, 2, 4, 4), np.float32), np.ones(2, np.float32)
    x = np.zeros((1, 3, 5, 7), np.float32)
    attrs = {"strides": (2, 2), "pads": (1, 1, 1, 1)}
    wanted = _reference(weight, bias, x, attrs)
    assert wanted.shape == (1, 2, 10, 14)
    kernels = _design(weight, bias, x, wanted, attrs).stages[0].kernels
    assert [(k.rows, k.columns, k.places) for k in kernels] == [(3 * 4, 2, 5 * 7)] * 4


def test_a_phase_without_taps_keeps_its_bias():
    weight, bias = np.full((1, 1, 1), 3, np.float32), np.full(1, 0.5, np.float32)
    x = np.array([[[1, 2]]], np.float32)
    attrs = {"strides": (3,), "output_padding": (2,)}
    wanted = _reference(weight, bias, x, attrs)
    design = _design(weight, bias, x, wanted, attrs)
    assert sorted((k.rows, k.places) for k in design.stages[0].kernels) == [(0, 4), (1, 2)]
    assert evaluate.outputs(design, {"x": x})["y"][0].tolist() == [[3.5, 0.5, 0.5, 6.5, 0.5, 0.5]]


@pytest.mark.parametrize("policy", ["packed", "paper", "none"])
@pytest.mark.parametrize("tile", [(24, 10), (128, 256)])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("strides", [(2, 3), (5, 6)])
def test_on_crossbars(policy, tile, signed, strides):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 2, 3, 4)), rng.normal(size=2)
    x = rng.normal(size=(1, 3, 5, 6)).astype(np.float32)
    attrs = {"strides": strides, "pads": (1, 0, 1, 2), "output_padding": (1, 0)}
    wanted = _reference(weight.astype(np.float32), bias.astype(np.float32), x, attrs)
    design = _design(weight, bias, x, wanted, attrs)
    ctx = Context(target.load("ideal").with_tile(*tile), {"x": x}, signed=signed)
    for change in parse(f"calibrate,partition{{policy={policy}}},tile,program,share"):
        design = change.run(design, ctx).ir
        design.verify()
    assert evaluate.outputs(design, {"x": x})["y"] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_a_large_stride_is_a_few_kernels():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(2, 3, 3)).astype(np.float32), np.float32([1, -2, 0.5])
    x = rng.normal(size=(1, 2, 4)).astype(np.float32)
    attrs = {"strides": (100_000,)}
    wanted = _reference(weight, bias, x, attrs)
    start = time.process_time()
    design = _design(weight, bias, x, wanted, attrs)
    assert time.process_time() - start < 5
    assert sorted(k.rows for k in design.stages[0].kernels) == [0, 2, 2, 2]
    np.testing.assert_allclose(evaluate.outputs(design, {"x": x})["y"], wanted, 1e-5, 1e-6)


@pytest.mark.parametrize("asked", [(2, 9), (7,), (), (1, 2, 9)])
def test_an_output_shape_of_another_rank(asked):
    weight, bias = np.ones((3, 2, 4), np.float32), np.ones(2, np.float32)
    x, y = np.zeros((1, 3, 6), np.float32), np.zeros((1, 2, 9), np.float32)
    with pytest.raises(MemxcError, match="output_shape"):
        _design(weight, bias, x, y, {"output_shape": asked})
    with pytest.raises(MemxcError, match="do not fit"):
        _design(weight, bias, x, np.zeros((1, 2, 1, 9)), {"output_shape": asked})
    assert _design(weight, bias, x, y, {"output_shape": (9,)}).stages


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"group": 2}, "do not fit"),
        ({"auto_pad": "ODD"}, "auto_pad"),
        ({"strides": (2,)}, "has to be 2 numbers"),
        ({"kernel_shape": (3, 3)}, "contradicts"),
        ({"pads": (1, 1, 1, 1)}, "should have the space"),
        ({"odd": 1}, "odd"),
    ],
)
def test_what_is_refused(attrs, words):
    weight, bias = np.ones((3, 2, 3, 4), np.float32), np.ones(2, np.float32)
    x, y = np.zeros((1, 3, 5, 6), np.float32), np.zeros((1, 2, 7, 9), np.float32)
    with pytest.raises(MemxcError, match=words):
        _design(weight, bias, x, y, attrs)
