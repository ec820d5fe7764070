"""Axes that a tensor has not, flags that are neither yes nor no, constants that are not one number:
a fault each, whatever the operator."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import ops

#: Of every column with a flag, and the flag.
FLAGS = sorted(
    (op, name)
    for op, column in ops.available().items()
    for name in column.attrs
    if name
    in (
        *("allowzero", "antialias", "ceil_mode", "count_include_pad", "exclude_outside"),
        *("exclusive", "keepdims", "noop_with_empty_axes", "reverse", "saturate"),
        *("select_last_index", "spatial", "storage_order", "training_mode", "transA", "transB"),
        "upper",
    )
)

INDEX = {"i": np.array([0, 1])}
ONE = np.ones((1, 1, 1), np.int64)
#: Operator, constants behind x of the shape (1, 3, 4), attributes.
AXES = [
    ("ArgMax", {}, {"axis": 3}, 13),
    ("ArgMax", {}, {"axis": -4}, 13),
    ("Softmax", {}, {"axis": 3}, 13),
    ("Softmax", {}, {"axis": -4}, 11),
    ("LogSoftmax", {}, {"axis": 8}, 13),
    ("Concat", {"c": np.ones((1, 3, 4), np.float32)}, {"axis": 3}, 13),
    ("Concat", {"c": np.ones((1, 3, 4), np.float32)}, {}, 13),
    ("Split", {}, {"axis": 3}, 13),
    ("Gather", INDEX, {"axis": 3}, 13),
    ("GatherElements", {"i": ONE}, {"axis": 8}, 13),
    ("Scatter", {"i": ONE, "u": ONE.astype(np.float32)}, {"axis": -4}, 10),
    ("ScatterElements", {"i": ONE, "u": ONE.astype(np.float32)}, {"axis": 3}, 13),
    ("Compress", {"c": np.array([True, False])}, {"axis": 3}, 13),
    ("ReverseSequence", {"n": np.array([2])}, {"time_axis": 7, "batch_axis": 0}, 13),
    ("ReverseSequence", {"n": np.array([2])}, {"time_axis": 1, "batch_axis": -4}, 13),
    ("ReverseSequence", {"n": np.array([1])}, {"time_axis": 0, "batch_axis": 0}, 13),
    ("GatherND", {"i": np.zeros((1, 1), np.int64)}, {"batch_dims": -1}, 13),
    ("CumSum", {"a": np.array(3)}, {}, 14),
    ("CumSum", {"a": np.array([], np.int64)}, {}, 14),
    ("Flatten", {}, {"axis": 4}, 13),
    ("Squeeze", {"a": np.array([3])}, {}, 13),
    ("Squeeze", {}, {"axes": (-4,)}, 11),
    ("Unsqueeze", {"a": np.array([4])}, {}, 13),
    ("Unsqueeze", {}, {"axes": (0, 0)}, 11),
    ("Transpose", {}, {"perm": (0, 1)}, 13),
    ("Transpose", {}, {"perm": (0, 1, 3)}, 13),
    ("Slice", {"s": np.array([0]), "e": np.array([1]), "a": np.array([3])}, {}, 13),
    ("Slice", {"s": np.array([0]), "e": np.array([1, 1]), "a": np.array([1])}, {}, 13),
    ("Slice", {"s": np.array([0]), "e": np.array([3]), "a": np.array([1]), "t": np.array([0])},
     {}, 13),
    ("Pad", {"p": np.array([0, 0]), "v": np.float32(0), "a": np.array([3])}, {}, 18),
    ("Pad", {"p": np.array([0, 0, 1, 1]), "v": np.float32(0), "a": np.array([1, 1])}, {}, 18),
    ("CenterCropPad", {"s": np.array([3])}, {"axes": (3,)}, 18),
    ("CenterCropPad", {"s": np.array([3, 3])}, {"axes": (2,)}, 18),
    ("Resize", {"r": np.zeros(0), "s": np.array([2.0])}, {"axes": (3,)}, 18),
    ("Resize", {"r": np.zeros(0), "s": np.array([1.0, 2.0])}, {"axes": (2,)}, 18),
    ("Resize", {"r": np.zeros(0), "s": np.array([1, 1, np.nan])}, {}, 18),
    ("Resize", {"r": np.zeros(0), "s": np.zeros(0)}, {}, 18),
    ("ReduceMax", {"a": np.array([3])}, {}, 18),
]  # fmt: skip


def refusal(hand_graph, faults_of, op, weights, attrs, opset):
    shape = (1, 3, 1, 4) if op == "Unsqueeze" else (1, 3, 4)
    graph = hand_graph(op, {"x": (1, 3, 4)}, weights, {"y": shape}, attrs, opset)
    (fault,) = faults_of(graph)
    assert fault.where == f"the_{op}"
    assert fault.code in ("unsupported-attribute", "unsupported-shape")
    return fault.what


@pytest.mark.parametrize(("op", "weights", "attrs", "opset"), AXES)
def test_axes_that_are_not_there_are_refused(op, weights, attrs, opset, hand_graph, faults_of):
    refusal(hand_graph, faults_of, op, weights, attrs, opset)


@pytest.mark.parametrize(("op", "name"), FLAGS)
def test_flags_are_yes_or_no(op, name, hand_graph, faults_of):
    for value in (2, -1):
        what = refusal(hand_graph, faults_of, op, {}, {name: value}, 25)
        assert f"{name} = {value} is neither 0 nor 1" in what


def test_columns_have_flags():
    assert len(FLAGS) > 25


@pytest.mark.parametrize("size", [0, 2])
@pytest.mark.parametrize(
    ("op", "before"),
    [("Pad", {"p": np.zeros(6, np.int64)}), ("Trilu", {}), ("CumSum", {}), ("Clip", {})],
)
def test_constants_of_one_number(op, before, size, hand_graph, faults_of):
    weights = {**before, "v": np.ones(size, np.int64)}
    assert "not one number" in refusal(hand_graph, faults_of, op, weights, {}, 18)


@pytest.mark.parametrize(
    ("condition", "axis"), [([1, 1, 1, 0], 1), ([1] * 13, None), ([[1, 1]], 1), (1, 1)]
)
def test_a_condition_longer_than_its_axis(condition, axis, hand_graph, faults_of):
    attrs = {} if axis is None else {"axis": axis}
    weights = {"c": np.array(condition, bool)}
    assert "condition" in refusal(hand_graph, faults_of, "Compress", weights, attrs, 13)
