"""Reductions and norms against onnxruntime, in the ways that opsets write them."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.ir.stages import Rename
from memxc.ops.lower import lower

SUMS = ["ReduceSum", "ReduceMean"]
PICKS = ["ReduceMax", "ReduceMin"]
NORMS = ["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"]
ALL = [*SUMS, *PICKS, *NORMS, "ReduceProd"]
X = np.random.default_rng(0).uniform(0.25, 2, (2, 3, 1, 2)).astype(np.float32)


@pytest.mark.parametrize("op", ALL)
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [None, [1], [-1, 0], [2], [0, 1, 2, 3]])
@pytest.mark.parametrize("newest", [False, True])
def test_axes_as_an_attribute_and_as_an_input(check_node, op, keepdims, axes, newest):
    inputs, attrs, constants = {"x": X}, {"keepdims": keepdims}, []
    # ReduceSum was the first to take its axes as an input.
    opset = 20 if newest else 11 if op == "ReduceSum" else 13
    if axes and newest:
        inputs["axes"], constants = np.array(axes, np.int64), ["axes"]
    elif axes:
        attrs["axes"] = axes
    check_node(op, inputs, constants, opset=opset, **attrs)


@pytest.mark.parametrize("op", ALL)
def test_no_axes_on_request(check_node, op):
    axes = np.array([], np.int64)
    check_node(op, {"x": X, "axes": axes}, ["axes"], opset=18, noop_with_empty_axes=1)


@pytest.mark.parametrize("op", [*SUMS, *PICKS, "ReduceProd"])
def test_one_number_along_the_axes_is_wires(check_node, op):
    graph = check_node(op, {"x": X, "axes": np.array([2])}, ["axes"], opset=18)
    (stage,) = lower(graph).stages
    assert isinstance(stage, Rename)


@pytest.mark.parametrize("op", ALL)
@pytest.mark.parametrize("axis", [4, -5])
def test_an_axis_that_is_none_is_refused(op, axis, hand_graph, faults_of):
    axes = {"axes": np.array([axis])}
    (fault,) = faults_of(hand_graph(op, {"x": (2, 3, 1, 2)}, axes, {"y": (2, 3, 1, 1)}))
    assert "of a tensor of 4 axes" in fault.what


def test_the_log_of_a_sum_of_exponentials_does_not_overflow(check_node):
    for far in (1e4, -1e4):
        x = np.float32(far) + X.reshape(4, 3)
        check_node("ReduceLogSumExp", {"x": x, "axes": np.array([1])}, ["axes"], opset=18)


def test_a_product_of_too_many_signals_is_refused(hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("ReduceProd", {"x": (2, 17)}, {}, {"y": (1, 1)}))
    assert "a product of 34 signals" in fault.what
    graph = hand_graph("ReduceProd", {"x": (2, 8)}, {}, {"y": (1, 1)})
    assert lower(graph).stages[0].circuit.multipliers == 15


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "attrs",
    [
        {"kernel_shape": [2, 3]},
        {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1], "strides": [2, 1]},
        {"kernel_shape": [2, 2], "dilations": [2, 1]},
        {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER", "strides": [1, 2]},
    ],
)
def test_norms_of_windows(check_node, p, attrs):
    x = np.random.default_rng(1).normal(size=(2, 3, 5, 6)).astype(np.float32)
    check_node("LpPool", {"x": x}, opset=18, p=p, **attrs)


@pytest.mark.parametrize("p", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 3, 7)])
def test_norms_of_channels(check_node, p, shape):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    check_node("GlobalLpPool", {"x": x}, p=p)


@pytest.mark.parametrize("p", [0, -1, 17])
def test_norms_without_a_circuit(p, hand_graph, faults_of):
    shapes = {"x": (1, 3, 4, 5)}, {}, {"y": (1, 3, 1, 1)}
    (fault,) = faults_of(hand_graph("GlobalLpPool", *shapes, {"p": p}))
    assert fault.code == "unsupported-attribute"
    assert f"p = {p}" in fault.what
