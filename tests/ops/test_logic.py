"""Logic on bools and Where with a signal for its condition, against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.evaluation import evaluate
from memxc.ir.stages import Lanes, Rename
from memxc.ops.lower import lower

A = np.array([[[False, True, True], [True, False, True]]])
B = np.array([[[False], [True]], [[True], [False]]])
SHAPE = (2, 3, 4)
MASK = np.random.default_rng(3).uniform(size=SHAPE) > 0.5
X = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)
Y = np.random.default_rng(5).normal(size=(3, 1)).astype(np.float32)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
@pytest.mark.parametrize("constants", [(), ("a",), ("b",)])
@pytest.mark.parametrize("other", [B, np.array(True), np.array([False])])
def test_two_bools(one_node, op, constants, other):
    _, (found,), (expected,) = one_node(op, {"a": A, "b": other}, constants)
    np.testing.assert_array_equal(found, expected)


def test_not(one_node):
    graph, (found,), (expected,) = one_node("Not", {"a": A})
    np.testing.assert_array_equal(found, expected)
    assert graph.kinds == {"a": "bool", "y0": "bool"}


@pytest.mark.parametrize(
    "constants", [(), ("m",), ("x",), ("y",), ("x", "y"), ("m", "x"), ("m", "y")]
)
@pytest.mark.parametrize(("x", "y"), [(X, Y), (Y, X), (X, np.float32(0.75)), (np.float32(0), Y)])
def test_where_is_exact(one_node, constants, x, y):
    for mask in (MASK, MASK[:, :1]):
        _, (found,), (expected,) = one_node("Where", {"m": mask, "x": x, "y": y}, constants)
        np.testing.assert_array_equal(found, expected.astype(np.float64))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.int32])
def test_where_carries_integers(one_node, kind):
    x = np.arange(24).reshape(2, 3, 4).astype(kind)
    graph, (found,), (expected,) = one_node("Where", {"m": MASK, "x": x, "y": x[:1, :, :1]})
    np.testing.assert_array_equal(found, expected)
    assert graph.kinds["y0"] == np.dtype(kind).name


def test_where_by_a_constant_is_wires(one_node):
    graph, *_ = one_node("Where", {"m": MASK, "x": X, "y": 2 * X[:, :1]}, ["m"])
    assert [type(stage) for stage in lower(graph).stages] == [Rename]
    graph, *_ = one_node("Where", {"m": MASK, "x": X, "y": 2 * X[:, :1]})
    (lane,) = lower(graph).stages
    assert isinstance(lane, Lanes)
    assert (lane.circuit.opamps, lane.circuit.diodes, lane.circuit.multipliers) == (3, 2, 2)


def design_of(case_graph, nodes, types, constants=None):
    """Nodes (operator, inputs, output), the last of which is the network's, lowered."""
    made = [helper.make_node(op, names, [to], name=to) for op, names, to in nodes]
    values = [
        helper.make_tensor_value_info(name, kind, (1, *SHAPE)) for name, kind in types.items()
    ]
    last = helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(
            made, "net", values, [last],
            [numpy_helper.from_array(np.float32(v), n) for n, v in (constants or {}).items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
    )  # fmt: skip
    return lower(case_graph(model, {}))


@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_a_switch_that_is_off_lets_nothing_through(case_graph, noise):
    """Neither of 3e38, nor of the noise of the condition."""
    types = {"m": TensorProto.BOOL, "x": TensorProto.FLOAT, "y": TensorProto.FLOAT}
    design = design_of(case_graph, [("Where", ["m", "x", "y"], "z")], types)
    inputs = {"m": np.abs(MASK - noise), "x": X, "y": np.full(X.shape, 3e38)}
    found = evaluate.outputs(design, {name: v[None] for name, v in inputs.items()})["z"]
    np.testing.assert_array_equal(found[0], np.where(MASK, X.astype(np.float64), 3e38))


def test_softplus_written_out_does_not_overflow(case_graph):
    """Where(2 x > 20, x, log(1 + exp(2 x)) / 2): the side that is not taken saturates."""
    nodes = [
        ("Mul", ["x", "two"], "b"), ("Exp", ["b"], "e"), ("Add", ["e", "one"], "s"),
        ("Log", ["s"], "l"), ("Div", ["l", "two"], "y"), ("Greater", ["b", "limit"], "m"),
        ("Where", ["m", "x", "y"], "z"),
    ]  # fmt: skip
    constants = {"two": 2, "one": 1, "limit": 20}
    design = design_of(case_graph, nodes, {"x": TensorProto.FLOAT}, constants)
    x = np.linspace(-12, 11, X.size).reshape(1, *SHAPE)
    x.flat[[0, -1]] = -400, 400
    found = evaluate.outputs(design, {"x": x})["z"]
    np.testing.assert_allclose(found, np.logaddexp(0, 2 * x) / 2, 1e-8, 1e-9)
