"""Shapes that ONNX's inference gets wrong or leaves open, against what onnxruntime computes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from memxc.evaluation import evaluate, reference
from memxc.frontend import load
from memxc.ops.lower import lower

node = helper.make_node


def as_onnxruntime(path, *shape):
    """Return the shape of y after comparing the network's answer with onnxruntime's."""
    graph = load(path)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32) - 5
    wanted = reference.run(path, {"x": x})["y"]
    found = evaluate.outputs(lower(graph), {"x": x})["y"]
    assert found == pytest.approx(wanted, rel=1e-5)
    return graph.shapes["y"]


@pytest.mark.parametrize("opset", [11, 17, 22])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_a_last_window_behind_the_map_is_left_out(build, op, opset):
    attrs = {"kernel_shape": [2, 1], "strides": [2, 3], "pads": [1, 0, 1, 0], "ceil_mode": 1}
    path = build([node(op, ["x"], ["y"], **attrs)], x=(1, 2, 5, 7), opset=opset)
    # before opset 22 ONNX says 4 x 3
    assert as_onnxruntime(path, 3, 2, 5, 7) == (1, 2, 3, 3)


@pytest.mark.parametrize(
    ("attrs", "condition", "shape"),
    [({"axis": 1}, [1, 0, 1], (1, 2, 2, 5)), ({"axis": -1}, [0, 1, 1, 1], (1, 3, 2, 3))],
)
def test_a_constant_condition_is_counted(build, attrs, condition, shape):
    nodes = [node("Compress", ["x", "c"], ["y"], **attrs)]
    path = build(nodes, {"c": np.array(condition, bool)}, x=(1, 3, 2, 5))
    assert as_onnxruntime(path, 4, 3, 2, 5) == shape


def test_a_condition_on_all_elements_is_counted(build):
    nodes = [node("Compress", ["x", "c"], ["f"]), node("Unsqueeze", ["f", "a"], ["y"])]
    condition = np.arange(30) % 3 == 1
    path = build(nodes, {"c": condition, "a": np.array([0])}, x=(1, 3, 2, 5))
    assert as_onnxruntime(path, 4, 3, 2, 5) == (1, 10)


@pytest.mark.parametrize("axis", [7, -5])
def test_an_axis_that_is_not_there_is_a_fault(build, faults_of, axis):
    nodes = [node("Compress", ["x", "c"], ["y"], axis=axis)]
    path = build(nodes, {"c": np.array([True, False, True])}, x=(1, 3, 2, 5))
    (fault,) = faults_of(path)
    assert fault.code == "broken-model"
    nodes = [node("Squeeze", ["x", "a"], ["s"]), node("Compress", ["s", "c"], ["y"], axis=0)]
    path = build(nodes, {"c": np.array([True]), "a": np.array([0])}, x=(1,))
    (fault,) = faults_of(path)
