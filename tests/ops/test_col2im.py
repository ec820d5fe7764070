"""Col2Im against ONNX's reference, on sizes drawn at random.

onnxruntime 1.31 is right over two axes only, so it is asked there alone.
"""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from memxc.ops.lower import lower


def inputs_of(image, block, channels, count, batch=1):
    shape = (batch, channels * prod(block), count)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return {"x": x, "image": np.array(image), "block": np.array(block)}


def model_of(inputs, attrs):
    kinds = {"x": TensorProto.FLOAT, "image": TensorProto.INT64, "block": TensorProto.INT64}
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Col2Im", list(inputs), ["y"], **attrs)],
        "one",
        [info(name, kinds[name], value.shape) for name, value in inputs.items()],
        [info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@given(st.data())
def test_col2im_equals_onnx(check_node, case_graph, case_run, case_error, data):
    rank = data.draw(st.integers(1, 3))
    axis = lambda low, high: [data.draw(st.integers(low, high)) for _ in range(rank)]  # noqa: E731
    image, block = axis(1, 7), axis(1, 3)
    attrs = {"strides": axis(1, 3), "dilations": axis(1, 2), "pads": axis(0, 2) + axis(0, 2)}
    begin, end = attrs["pads"][:rank], attrs["pads"][rank:]
    whole = zip(image, block, attrs["strides"], attrs["dilations"], begin, end, strict=True)
    counts = [(n + b + e - d * (k - 1) - 1) // s + 1 for n, k, s, d, b, e in whole]
    assume(min(counts) > 0)
    inputs = inputs_of(image, block, data.draw(st.integers(1, 3)), prod(counts), 2)
    if rank == 2:
        check_node("Col2Im", inputs, ["image", "block"], 18, **attrs)
    model = model_of(inputs, attrs)
    graph = case_graph(model, {name: inputs[name] for name in ("image", "block")})
    (wanted,) = ReferenceEvaluator(model).run(None, inputs)
    found = case_run(graph, inputs)["y"]
    assert found.shape == wanted.shape
    assert case_error(found, wanted) < 1e-5


def test_blocks_overlap_in_classes(check_node):
    graph = check_node("Col2Im", inputs_of((4, 6), (2, 3), 2, 3 * 4), ["image", "block"], 18)
    (stage,) = lower(graph).stages
    assert stage.cell == "resistor"
    # rows of 1, 2, 2, 1 blocks and columns of 1, 2, 3, 3, 2, 1
    found = sorted((kernel.rows, kernel.places) for kernel in stage.kernels)
    assert found[0] == (1, 2)
    assert found[-1] == (6, 2 * 2 * 2)
    assert sum(places for _, places in found) == 2 * 4 * 6


@pytest.mark.parametrize(
    ("shape", "attrs", "words"),
    [
        ((1, 5, 12), {}, "no blocks"),
        ((1, 6, 11), {}, "no blocks"),
        ((6, 12), {}, "an input of"),
        ((1, 6, 12), {"strides": (1,)}, "has to be"),
        ((1, 6, 12), {"pads": (0, -1, 0, 0)}, "has to be"),
    ],
)
def test_what_makes_no_sense_is_refused(shape, attrs, words, hand_graph, faults_of):
    weights = {"image": np.array([4, 6]), "block": np.array([2, 3])}
    graph = hand_graph("Col2Im", {"x": shape}, weights, {"y": (1, 1, 4, 6)}, attrs, 18)
    (fault,) = faults_of(graph)
    assert words in fault.what
