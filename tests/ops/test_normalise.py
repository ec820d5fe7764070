"""Normalisations by statistics of the signal, against onnxruntime or ONNX's own evaluator."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

X = np.random.default_rng(4).uniform(-2, 3, (2, 6, 3, 4)).astype(np.float32)


def random(*shape):
    return np.random.default_rng(shape).uniform(-1, 2, shape).astype(np.float32)


@pytest.mark.parametrize("axis", [-1, 2, -3, 1])
@pytest.mark.parametrize("bias", [False, True])
def test_layer_normalization(check_node, axis, bias):
    inputs = {"x": X, "scale": random(*X.shape[axis:])}
    if bias:
        inputs["b"] = random(*X.shape[axis:])
    check_node("LayerNormalization", inputs, [*inputs][1:], axis=axis, epsilon=0.01)


def test_layer_normalization_with_its_mean_and_its_root(check_node):
    inputs = {"x": X, "scale": random(4), "b": random(4)}
    check_node("LayerNormalization", inputs, ["scale", "b"], 17, 3, axis=-1)


def test_instance_normalization(check_node):
    inputs = {"x": X, "scale": random(6), "b": random(6)}
    check_node("InstanceNormalization", inputs, ["scale", "b"], epsilon=0.1)


@pytest.mark.parametrize(("axis", "p"), [(1, 2), (-1, 1)])
def test_lp_normalization(check_node, axis, p):
    check_node("LpNormalization", {"x": X}, axis=axis, p=p)


@pytest.mark.parametrize(
    ("op", "opset", "inputs", "attrs"),
    [
        ("GroupNormalization", 18, [random(3), random(3)], {"num_groups": 3}),
        ("GroupNormalization", 21, [random(6), random(6)], {"num_groups": 2}),
        ("RMSNormalization", 23, [random(3, 4)], {"axis": -2, "epsilon": 0.1}),
    ],
)
def test_against_onnx(case_graph, case_run, case_error, op, opset, inputs, attrs):
    if opset > onnx.defs.onnx_opset_version():
        pytest.skip(f"onnx {onnx.__version__} has no opset {opset}")
    names = [f"c{number}" for number in range(len(inputs))]
    values = {"x": X, **dict(zip(names, inputs, strict=True))}
    graph = helper.make_graph(
        [helper.make_node(op, [*values], ["y"], **attrs)],
        "one",
        [helper.make_tensor_value_info(n, 1, v.shape) for n, v in values.items()],
        [helper.make_tensor_value_info("y", 1, X.shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    (wanted,) = ReferenceEvaluator(model).run(None, values)
    constants = dict(zip(names, inputs, strict=True))
    found = case_run(case_graph(model, constants), values)["y"]
    assert case_error(found, wanted) < 1e-5


@pytest.mark.parametrize(
    ("op", "constants", "attrs", "words"),
    [
        ("LayerNormalization", {"s": (3,)}, {"axis": -1}, "does not fit"),
        ("LayerNormalization", {"s": (4,)}, {"axis": 5}, "axis = 5"),
        ("InstanceNormalization", {"s": (5,), "b": (5,)}, {}, "does not fit"),
        ("GroupNormalization", {"s": (4,), "b": (4,)}, {"num_groups": 4}, "4 groups of 6"),
        ("LpNormalization", {}, {"p": 3}, "p = 3"),
        ("MeanVarianceNormalization", {}, {"axes": [4]}, "axes = [4]"),
    ],
)
def test_what_does_not_fit_is_refused(hand_graph, faults_of, op, constants, attrs, words):
    arrays = {name: np.ones(shape, np.float32) for name, shape in constants.items()}
    graph = hand_graph(op, {"x": X.shape}, arrays, {"y": X.shape}, attrs, 21)
    (fault,) = faults_of(graph)
    assert words in fault.what
