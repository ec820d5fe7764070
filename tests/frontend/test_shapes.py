"""Inputs: the batch is 1, and the user fixes other open axes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc.frontend import load

RELU = [helper.make_node("Relu", ["x"], ["y"])]


@pytest.mark.parametrize("batch", ["N", None, 1, -1])
def test_an_open_batch_is_one(build, batch):
    assert load(build(RELU, x=(batch, 3, 4, 5))).shapes["y"] == (1, 3, 4, 5)


def test_open_axes_are_named_with_the_option(build, faults_of):
    path = build(RELU, x=("N", 3, "height", None))
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("unsupported-shape", f"{path}:x")
    assert "axes 2, 3" in fault.what
    assert "--shape x=1x3xSIZExSIZE" in fault.hint


def test_open_axes_given(build):
    path = build(RELU, x=("N", 3, "height", None))
    assert load(path, {"x": (1, 3, 4, 6)}).shapes["y"] == (1, 3, 4, 6)


def test_whole_shape_open(build, faults_of):
    path = build(RELU, x=None)
    assert "--shape x=" in faults_of(path)[0].hint
    assert load(path, {"x": (1, 7, 2)}).shapes == {"x": (1, 7, 2), "y": (1, 7, 2)}


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"x": (1, 4, 2, 6)}, "1x4x2x6 does not fit the model's ?x3x?x?"),
        ({"x": (1, 3, 2)}, "1x3x2 does not fit"),
        ({"x": (1, 3, 2, 6), "q": (1,)}, "no such input"),
    ],
)
def test_a_given_shape_that_does_not_fit(build, faults_of, given, what):
    (fault,) = faults_of(build(RELU, x=("N", 3, "h", "w")), given)
    assert fault.code == "usage"
    assert what in fault.what


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ((4, 3, 5), "fixed batch of 4"),
        ((6,), "fixed batch of 6"),
        ((), "no batch axis"),
        ((1, 0, 5), "holds nothing"),
        ((1, -7, 5), "holds nothing"),
        ((1, 2**40), "more than the 67,108,864 nets"),
        ((1, 2**20, 2**20), "more than the 67,108,864 nets"),
    ],
)
def test_shapes_that_no_circuit_has(build, faults_of, shape, what):
    path = build(RELU, x=shape)
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("unsupported-shape", f"{path}:x")
    assert what in fault.what


def test_a_first_axis_that_is_no_batch_is_said(build, faults_of):
    """An open one is the batch, whatever is said."""
    path = build(RELU, x=(4, 3, 5))
    (fault,) = faults_of(path)
    assert "--shape x=4x3x5" in fault.hint
    assert load(path, {"x": (4, 3, 5)}).shapes["x"] == (4, 3, 5)
    (fault,) = faults_of(build(RELU, x=("N", 3, 5)), {"x": (4, 3, 5)})
    assert fault.code == "unsupported-shape"


def test_a_single_number_can_be_made_a_constant(build, faults_of):
    (fault,) = faults_of(build([helper.make_node("Add", ["x", "z"], ["y"])], x=(1, 3), z=()))
    assert "--fix z=VALUE" in fault.hint
    assert "batch axis" in fault.hint


def test_every_input_is_reported(build, faults_of):
    path = build([helper.make_node("Add", ["x", "z"], ["y"])], x=(2, 3), z=("N", "K"))
    assert [fault.where for fault in faults_of(path)] == [f"{path}:x", f"{path}:z"]


def test_no_inputs_but_weights(build, faults_of):
    path = build(RELU, {"x": np.ones((1, 3), np.float32)}, x=(1, 3))
    (fault,) = faults_of(path)
    assert "no inputs" in fault.what


@pytest.mark.parametrize("kind", ["text", "sequence"])
def test_inputs_that_are_no_numbers(build, faults_of, kind):
    path = build(RELU)
    model = onnx.load(path)
    text = helper.make_tensor_value_info("x", TensorProto.STRING, [1, 3])
    sequence = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    model.graph.input[0].CopyFrom(text if kind == "text" else sequence)
    onnx.save(model, path)
    (fault,) = faults_of(path)
    assert fault.code == "unsupported-model"
