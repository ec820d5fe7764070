"""Wires against onnxruntime, with settings as attributes and as inputs."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.ir.stages import Rename
from memxc.ops.lower import lower

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def only_wires(graph):
    return all(isinstance(stage, Rename) for stage in lower(graph).stages)


@pytest.mark.parametrize(
    ("op", "opset", "settings", "attrs"),
    [
        ("Identity", 13, {}, {}),
        ("Flatten", 13, {}, {"axis": 2}),
        ("Flatten", 13, {}, {"axis": -1}),
        ("Reshape", 13, {"shape": ints(4, 0, -1)}, {}),
        ("Transpose", 13, {}, {}),
        ("Transpose", 13, {}, {"perm": [2, 0, 3, 1]}),
        ("Squeeze", 11, {}, {"axes": [0]}),
        ("Squeeze", 13, {"axes": ints(0)}, {}),
        ("Unsqueeze", 11, {}, {"axes": [1, 4]}),
        ("Unsqueeze", 13, {"axes": ints(-1, 0)}, {}),
        ("Slice", 9, {}, {"starts": [1, -2], "ends": [3, 99], "axes": [1, 3]}),
        ("Slice", 9, {}, {"starts": [0, 1], "ends": [2, -1]}),
        (
            "Slice",
            13,
            {"starts": ints(-1), "ends": ints(-99), "axes": ints(3), "steps": ints(-2)},
            {},
        ),
        ("Slice", 13, {"starts": ints(0, 1), "ends": ints(2**62, 3), "axes": ints(-1, 1)}, {}),
        (
            "Slice",
            10,
            {"starts": ints(3, 1), "ends": ints(0, 9), "axes": ints(2, 0), "steps": ints(-1, 1)},
            {},
        ),
        ("Slice", 11, {"starts": ints(0), "ends": ints(-1)}, {}),
        ("Squeeze", 7, {}, {}),
        ("Squeeze", 13, {}, {}),
        ("Squeeze", 21, {"axes": ints(-4)}, {}),
        ("Unsqueeze", 7, {}, {"axes": [0, 2]}),
        ("Unsqueeze", 21, {"axes": ints(5, 0)}, {}),
        ("Flatten", 7, {}, {"axis": 0}),
        ("Flatten", 21, {}, {"axis": 4}),
        ("Reshape", 7, {"shape": ints(0, -1)}, {}),
        ("Reshape", 14, {"shape": ints(5, 4, 3, 2)}, {"allowzero": 1}),
        ("Transpose", 21, {}, {"perm": [3, 1, 0, 2]}),
        ("Identity", 7, {}, {}),
        ("Dropout", 7, {}, {"ratio": 0.3}),
        ("Dropout", 13, {"ratio": np.float32(0.3), "mode": np.array(False)}, {}),
    ],
)
def test_wiring_equals_onnxruntimes(check_node, op, opset, settings, attrs):
    x = X[:1] if op == "Squeeze" else X
    assert only_wires(check_node(op, {"x": x, **settings}, list(settings), opset, **attrs))


@pytest.mark.parametrize(
    ("opset", "settings", "attrs", "outputs"),
    [
        (11, {}, {"axis": 3, "split": [1, 3, 1]}, 3),
        (7, {}, {"axis": 3, "split": [2, 3]}, 2),
        (7, {}, {}, 2),
        (11, {}, {"axis": 2}, 2),
        (13, {}, {"axis": -1}, 5),
        (13, {"split": ints(3, 1)}, {"axis": -2}, 2),
        (18, {}, {"axis": 3, "num_outputs": 2}, 2),
        (18, {}, {"axis": 3, "num_outputs": 3}, 3),
    ],
)
def test_split_is_onnxruntimes(check_node, opset, settings, attrs, outputs):
    inputs = {"x": X, **settings}
    assert only_wires(check_node("Split", inputs, list(settings), opset, outputs, **attrs))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat_is_onnxruntimes(check_node, axis):
    more = np.repeat(X, 2, axis=axis)
    assert only_wires(check_node("Concat", {"a": X, "b": more, "c": X}, axis=axis))


def test_a_reshape_to_another_size_is_refused(hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("Reshape", {"x": (2, 3)}, {}, {"y": (2, 4)}))
    assert fault.code == "unsupported-shape"


@pytest.mark.parametrize("sizes", [(1, 1), (1, 2, 1), (2, -1, 2)])
def test_parts_that_are_not_the_outputs_are_refused(sizes, hand_graph, faults_of):
    weights = {"split": ints(*sizes)}
    outputs = {"a": (2, 1), "b": (2, 2)}
    (fault,) = faults_of(hand_graph("Split", {"x": (2, 3)}, weights, outputs, {"axis": 1}))
    assert fault.code == "unsupported-shape"


@pytest.mark.parametrize(("mask", "words"), [(True, "in use"), (False, "training_mode")])
def test_dropout_in_training_is_refused(mask, words, hand_graph, faults_of):
    outputs = {"y": (2, 3), **({"mask": (2, 3)} if mask else {})}
    weights = {"ratio": np.float32(0.5), "mode": np.array(True)}
    (fault,) = faults_of(hand_graph("Dropout", {"x": (2, 3)}, weights, outputs))
    assert words in fault.what
