"""Converters against onnxruntime: codes are equal; what holds integers holds them exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.ir.stages import Lanes, Linear, Rename
from memxc.ops.lower import lower

CODES = ["int8", "uint8", "int16", "uint16"]


def random(*shape, seed=0, spread=3.0):
    return (np.random.default_rng((seed, *shape)).normal(size=shape) * spread).astype(np.float32)


def integers(*shape, kind="uint8", seed=0):
    info = np.iinfo(kind)
    drawn = np.random.default_rng((seed, *shape)).integers(info.min, info.max + 1, shape)
    return drawn.astype(kind)


def made_of(graph):
    return [
        stage.circuit.name if isinstance(stage, Lanes) else type(stage).__name__
        for stage in lower(graph).stages
    ]


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("zero", [None, 0, 7, 100])
def test_quantize_is_onnxruntimes(one_node, kind, zero):
    # a scale that is no power of two, with codes at both ends
    x = random(2, 3, 40, spread=30 if kind.endswith("8") else 6000)
    inputs = {"x": x, "scale": np.float32(0.3)}
    attrs = {}
    if zero is not None:
        inputs["zero"] = np.array(zero, kind)
    else:
        attrs["output_dtype"] = {"uint8": 2, "int8": 3, "uint16": 4, "int16": 5}[kind]
    graph, found, expected = one_node("QuantizeLinear", inputs, list(inputs)[1:], 21, **attrs)
    np.testing.assert_array_equal(found[0], expected[0])
    assert len(np.unique(expected[0])) > 60
    assert made_of(graph) == ["adc"]


@pytest.mark.parametrize("opset", [10, 13, 19, 21])
@pytest.mark.parametrize("scale", [1.0, 0.25, 4.0])
def test_ties_go_to_the_even_code(one_node, opset, scale):
    x = (np.arange(-300, 300) / 2 * scale).astype(np.float32).reshape(3, 200)
    inputs = {"x": x, "scale": np.float32(scale), "zero": np.int8(-3)}
    _, found, expected = one_node("QuantizeLinear", inputs, ["scale", "zero"], opset)
    np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("opset", [13, 21])
def test_dequantize_is_onnxruntimes(one_node, kind, opset):
    opset = 21 if kind.endswith("16") else opset
    inputs = {"x": integers(2, 3, 7, kind=kind), "s": np.float32(0.07), "z": np.array(5, kind)}
    graph, found, expected = one_node("DequantizeLinear", inputs, ["s", "z"], opset)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    assert made_of(graph) == ["dac"]


def test_dequantizing_a_sum_of_32_bits_needs_no_converter(one_node):
    inputs = {"x": integers(2, 3, kind="int32"), "s": np.float32(0.07)}
    graph, found, expected = one_node("DequantizeLinear", inputs, ["s"], 13)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    (stage,) = lower(graph).stages
    assert (stage.circuit.name, stage.circuit.converters) == ("scale", 0)


@pytest.mark.parametrize("op", ["QuantizeLinear", "DequantizeLinear"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_a_step_for_each_slice(one_node, op, axis):
    shape = (2, 5, 3)
    rng = np.random.default_rng(axis % 5)
    inputs = {
        "x": random(*shape) if op[0] == "Q" else integers(*shape),
        "s": rng.uniform(0.01, 0.1, shape[axis]).astype(np.float32),
        "z": rng.integers(0, 200, shape[axis]).astype(np.uint8),
    }
    graph, found, expected = one_node(op, inputs, ["s", "z"], 13, axis=axis)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    circuit = "adc" if op[0] == "Q" else "dac"
    assert made_of(graph) == [circuit] * shape[axis] + ["Rename"]


def test_slices_with_one_step_share_a_function(one_node):
    inputs = {"x": random(2, 4, 3), "s": np.array([0.1, 0.2, 0.1, 0.2], np.float32)}
    graph, found, expected = one_node("QuantizeLinear", inputs, ["s"], 13)
    np.testing.assert_array_equal(found[0], expected[0])
    assert made_of(graph) == ["adc", "adc", "Rename"]


@pytest.mark.parametrize("op", ["QuantizeLinear", "DequantizeLinear"])
@pytest.mark.parametrize(("axis", "block"), [(1, 2), (1, 3), (2, 4), (-1, 3), (1, 10**15)])
def test_a_step_for_each_block(one_node, op, axis, block):
    shape = [2, 6, 7]
    blocks = list(shape)
    blocks[axis] = -(-shape[axis] // block)
    rng = np.random.default_rng(axis % 5)
    inputs = {
        "x": random(*shape) if op[0] == "Q" else integers(*shape),
        "s": rng.uniform(0.01, 0.1, blocks).astype(np.float32),
        "z": rng.integers(0, 200, blocks).astype(np.uint8),
    }
    _, found, expected = one_node(op, inputs, ["s", "z"], 21, axis=axis, block_size=block)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)


SCALE = {"s": np.float32(0.1), "z": np.uint8(3)}


@pytest.mark.parametrize(
    ("constants", "attrs", "words"),
    [
        ({"s": np.float32(0)}, {}, "a scale of 0 is not a positive number"),
        ({"s": np.float32(-0.1)}, {}, "a scale of -0.1 is not a positive number"),
        ({"s": np.float32(np.inf)}, {}, "a scale of inf is not a positive number"),
        ({"s": np.ones(4, np.float32)}, {}, "a scale of (4,) along axis 1"),
        ({"s": np.ones(3, np.float32)}, {"axis": 3}, "along axis 3"),
        ({"s": np.ones((1, 3), np.float32)}, {}, "a scale of (1, 3)"),
        ({"s": np.ones((2, 3), np.float32)}, {"block_size": 2}, "a scale of (2, 3)"),
        ({"s": np.ones(3, np.float32)}, {"block_size": -2}, "a scale of (3,)"),
        ({**SCALE, "z": np.ones(3, np.uint8)}, {}, "a zero point of (3,) for a scale of ()"),
    ],
)
def test_settings_that_make_no_sense(hand_graph, faults_of, constants, attrs, words):
    attrs = {"axis": 1, **attrs}
    graph = hand_graph("QuantizeLinear", {"x": (2, 3)}, constants, {"y": (2, 3)}, attrs, 21)
    (fault,) = faults_of(replace(graph, kinds={"y": "uint8"}))
    assert words in fault.what


def test_a_scale_from_the_data_is_refused(hand_graph, faults_of):
    graph = hand_graph("QuantizeLinear", {"x": (2, 3), "s": ()}, {}, {"y": (2, 3)})
    (fault,) = faults_of(replace(graph, kinds={"y": "uint8"}))
    assert "its scale is computed at run time" in fault.what


def test_a_step_for_each_of_too_many_lanes_is_refused(hand_graph, faults_of):
    steps = {"s": np.arange(1, 5001, dtype=np.float32)}
    graph = hand_graph("QuantizeLinear", {"x": (1, 5000)}, steps, {"y": (1, 5000)})
    (fault,) = faults_of(replace(graph, kinds={"y": "uint8"}))
    assert "5,000 different scales" in fault.what


@pytest.mark.parametrize("kind", ["int32", "int64", "bool", "float8e4m3fn", ""])
def test_codes_that_no_converter_has(hand_graph, faults_of, kind):
    graph = hand_graph("QuantizeLinear", {"x": (2, 3)}, SCALE, {"y": (2, 3)})
    (fault,) = faults_of(replace(graph, kinds={"y": kind} if kind else {}))
    assert "QuantizeLinear" in fault.what


@pytest.mark.parametrize(
    ("x", "to", "stage"),
    [
        (random(2, 3), 11, "Rename"),
        (random(2, 3).astype(np.float64), 1, "Rename"),
        (integers(2, 3), 1, "Rename"),
        (integers(2, 3), 5, "Rename"),
        (integers(2, 3, kind="int8"), 7, "Rename"),
        (integers(2, 3) > 100, 1, "Rename"),
        (integers(2, 3) > 100, 3, "Rename"),
        (random(2, 30, spread=40), 3, "adc"),
        (np.abs(random(2, 30, spread=40)), 2, "adc"),
        (random(2, 30, spread=4000), 5, "adc"),
    ],
)
def test_cast_is_onnxruntimes(one_node, x, to, stage):
    x = x if x.dtype.kind in "iub" else np.clip(x, -127, 127) if to in (2, 3) else x
    graph, found, expected = one_node("Cast", {"x": x}, opset=13, to=to)
    np.testing.assert_allclose(found[0], expected[0].astype(np.float64), rtol=1e-6)
    assert made_of(graph) == [stage]


def test_cast_leaves_an_integer_with_noise_what_it_is(case_run, hand_graph):
    graph = replace(hand_graph("Cast", {"x": (1, 8)}, {}, {"y": (1, 8)}), kinds={"y": "int8"})
    x = np.array([[3 - 1e-9, -3 + 1e-9, 3 + 1e-9, -3 - 1e-9, 2.9, -2.9, 500, -500]])
    found = case_run(graph, {"x": x})["y"]
    assert found.tolist() == [[3, -3, 3, -3, 2, -2, 127, -128]]


@pytest.mark.parametrize(
    ("src", "dst", "words"),
    [
        ("int32", "int8", "no circuit turns int32 into int8"),
        ("uint8", "int8", "no circuit turns uint8 into int8"),
        ("", "int64", "no circuit turns float into int64"),
        ("", "int4", "no circuit turns float into int4"),
    ],
)
def test_casts_that_would_wrap_around(hand_graph, faults_of, src, dst, words):
    graph = hand_graph("Cast", {"x": (2, 3)}, {}, {"y": (2, 3)})
    kinds = {"y": dst} | ({"x": src} if src else {})
    (fault,) = faults_of(replace(graph, kinds=kinds))
    assert words in fault.what


def test_castlike_needs_the_type_only(hand_graph):
    graph = hand_graph("CastLike", {"x": (2, 3), "like": (1,)}, {}, {"y": (2, 3)})
    (stage,) = lower(replace(graph, kinds={"x": "uint8"})).stages
    assert isinstance(stage, Rename)
    assert stage.srcs == ("x",)
    (stage,) = lower(replace(graph, kinds={"like": "int8", "y": "int8"})).stages
    assert not isinstance(stage, Linear)
