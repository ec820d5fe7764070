"""Comparisons against onnxruntime: ties are ties, and what is next to a tie is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.evaluation import evaluate
from memxc.ir.stages import Lanes
from memxc.ops.lower import lower

OPS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
#: Quarters, so that a third of all pairs are ties; the levels are no quarter but one is.
RNG = np.random.default_rng(2)
X = (RNG.integers(-4, 5, (2, 3, 4)) / 4).astype(np.float32)
Y = (RNG.integers(-4, 5, (3, 1)) / 4).astype(np.float32)
LEVELS = np.array([[0.1], [0.25], [-0.3]], np.float32)


def same(one_node, op, inputs, constants=(), opset=17):
    graph, (found,), (expected,) = one_node(op, inputs, constants, opset)
    assert graph.kinds["y0"] == "bool"
    assert expected.dtype == bool
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(expected)) == 2
    return [stage for stage in lower(graph).stages if isinstance(stage, Lanes)]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("constants", [(), ("a",), ("b",)])
@pytest.mark.parametrize("other", [Y, LEVELS, np.float32(0.25), np.zeros((1, 2, 1, 1), "f")])
def test_signals_and_constants_broadcast(one_node, op, constants, other):
    (lane,) = same(one_node, op, {"a": X, "b": other}, constants)
    assert (lane.circuit.opamps, lane.circuit.diodes) == ((2, 4) if op == "Equal" else (1, 2))
    same(one_node, op, {"a": other, "b": X}, constants)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_what_differs_by_noise_is_equal(one_node, op, scale):
    """Both signs, 5e-7 and 2e-6 of the number apart: the first as a tie, the second as ONNX."""
    value = scale * np.array([1.1, -1.3, 2.7], np.float64)
    for share in (2e-6, -2e-6):
        inputs = {"a": value * (1 + share), "b": value}
        (found,), (expected,) = one_node(op, inputs)[1:]
        np.testing.assert_array_equal(found, expected)
        _, (held,), _ = one_node(op, inputs, ["b"])
        np.testing.assert_array_equal(held, expected)
    for share in (5e-7, -5e-7):
        (found,) = one_node(op, {"a": value * (1 + share), "b": value})[1]
        (tie,) = one_node(op, {"a": value, "b": value})[2]
        np.testing.assert_array_equal(found, tie)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("constants", [(), ("b",)])
def test_signals_within_a_billionth_of_zero_are_equal(one_node, op, constants):
    zero = np.zeros(6)
    inputs = {"a": np.array([0.0, 9e-10, -9e-10, 1.2e-9, -1.2e-9, 1e-6]), "b": zero}
    (found,), (expected,) = one_node(op, inputs, constants)[1:]
    expected[1:3] = expected[0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("constants", [(), ("b",)])
def test_whole_numbers_are_told_apart_however_large(one_node, op, constants):
    a = 700_000_001 + np.arange(-3, 4).repeat(2).astype(np.int32).reshape(2, 7)
    inputs = {"a": a, "b": np.full((2, 1), 700_000_001, np.int32)}
    same(one_node, op, inputs, constants)


def test_bools_are_equal_or_not(one_node):
    a, b = np.array([[0, 0, 1, 1], [1, 0, 1, 0]], bool), np.array([0, 1, 0, 1], bool)
    same(one_node, "Equal", {"a": a, "b": b})


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_cast_to_bool_is_not_zero(one_node, kind):
    x = np.array([[0, 1, -1], [2, 0, -3]], kind)
    _, (found,), (expected,) = one_node("Cast", {"x": x}, to=9)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("value", [np.inf, -1e30, np.nan])
def test_a_comparison_with_infinity_is_refused(hand_graph, faults_of, value):
    levels = {"b": np.array([[0.5], [value]], np.float32)}
    graph = hand_graph("Less", {"a": (2, 3)}, levels, {"y": (2, 3)})
    (fault,) = faults_of(replace(graph, kinds={"y": "bool"}))
    assert fault.code == "unsupported-attribute"
    assert f"no circuit holds the number {np.float32(value):g}" in fault.what


@pytest.mark.parametrize("op", ["IsNaN", "IsInf"])
def test_isnan_and_isinf_are_refused(hand_graph, faults_of, op):
    graph = hand_graph(op, {"x": (2, 3)}, {}, {"y": (2, 3)})
    (fault,) = faults_of(replace(graph, kinds={"y": "bool"}))
    assert fault.code == "unsupported-op"
    assert "always a finite number" in fault.what
    assert "nan_to_num" in fault.hint


def test_a_comparison_of_two_constants_is_no_circuit(hand_graph, faults_of):
    weights = {"a": np.ones((2, 3)), "b": np.zeros(3)}
    graph = hand_graph("Greater", {}, weights, {"y": (2, 3)})
    (fault,) = faults_of(replace(graph, inputs=("x",), shapes={**graph.shapes, "x": (1,)}))
    assert "all of its inputs are constants" in fault.what


def test_an_input_compared_with_itself(hand_graph):
    node = hand_graph("GreaterOrEqual", {"x": (2, 3)}, {}, {"y": (2, 3)})
    twice = replace(node.nodes[0], inputs=("x", "x"))
    design = lower(replace(node, nodes=(twice,), kinds={"y": "bool"}))
    assert (evaluate.outputs(design, {"x": X[:, :2, :3]})["y"] == 1).all()
