"""Layers of integers against onnxruntime: sums and codes are equal, and so are the weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.ir.stages import Lanes, Linear
from memxc.ops.lower import lower


def integers(*shape, kind="uint8", seed=0):
    info = np.iinfo(kind)
    drawn = np.random.default_rng((seed, *shape)).integers(info.min, info.max + 1, shape)
    return drawn.astype(kind)


def crossbars(graph):
    (stage,) = (stage for stage in lower(graph).stages if isinstance(stage, Linear))
    return stage.kernels


CONVS = [
    {},
    {"pads": [1, 2, 0, 1]},
    {"strides": [2, 1], "pads": [1, 1, 1, 1]},
    {"auto_pad": "SAME_UPPER", "dilations": [1, 1]},
    {"dilations": [1, 2], "pads": [0, 2, 1, 0]},
]


@pytest.mark.parametrize("attrs", CONVS)
@pytest.mark.parametrize("zeros", [(0, 0), (131, 0), (7, -5)])
def test_conv_integer_is_onnxruntimes(one_node, attrs, zeros):
    """Also with a zero point and a border: the border holds the zero point, not the code 0."""
    inputs = {
        "x": integers(1, 3, 6, 7),
        "w": integers(4, 3, 2, 3, kind="int8"),
        "xz": np.uint8(zeros[0]),
        "wz": np.int8(zeros[1]),
    }
    graph, found, expected = one_node("ConvInteger", inputs, ["w", "xz", "wz"], 10, **attrs)
    np.testing.assert_array_equal(found[0], expected[0])
    (kernel,) = crossbars(graph)
    wanted = inputs["w"].astype(int).reshape(4, 18).T - zeros[1]
    np.testing.assert_array_equal(kernel.weight()[0], wanted)


def test_conv_integer_without_zero_points(one_node):
    inputs = {"x": integers(1, 2, 5, 4), "w": integers(3, 2, 2, 3)}
    _, found, expected = one_node("ConvInteger", inputs, ["w"], 10)
    np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize("signal", ["a", "b"])
@pytest.mark.parametrize("shapes", [((4, 5), (5, 3)), ((2, 4, 5), (2, 5, 3)), ((2, 4, 5), (5, 3))])
@pytest.mark.parametrize("kinds", [("uint8", "int8"), ("int8", "int8"), ("uint8", "uint8")])
def test_matmul_integer_is_onnxruntimes(one_node, signal, shapes, kinds):
    inputs = {
        "a": integers(*shapes[0], kind=kinds[0]),
        "b": integers(*shapes[1], kind=kinds[1]),
        "az": np.array(11, kinds[0]),
        "bz": np.array(9, kinds[1]),
    }
    constants = [name for name in inputs if name != signal]
    _, found, expected = one_node("MatMulInteger", inputs, constants, 10)
    np.testing.assert_array_equal(found[0], expected[0])


def test_a_zero_point_for_each_output_column(one_node):
    inputs = {
        "a": integers(4, 5),
        "b": integers(5, 3, kind="int8"),
        "az": np.uint8(3),
        "bz": np.array([-4, 0, 100], np.int8),
    }
    graph, found, expected = one_node("MatMulInteger", inputs, ["b", "az", "bz"], 10)
    np.testing.assert_array_equal(found[0], expected[0])
    (kernel,) = crossbars(graph)
    wanted = inputs["b"].astype(int) - inputs["bz"].astype(int)
    np.testing.assert_array_equal(kernel.weight()[0], wanted)


def conv_inputs(kind, per_channel, bias, weight_kind="int8", groups=1):
    rng = np.random.default_rng(7)
    channels = 4
    inputs = {
        "x": integers(1, 2 * groups, 6, 7, kind=kind),
        "xs": np.float32(0.021),
        "xz": np.array(5, kind),
        "w": integers(channels, 2, 2, 3, kind=weight_kind),
        "ws": rng.uniform(0.001, 0.02, channels).astype(np.float32)
        if per_channel
        else np.float32(0.013),
        "wz": np.zeros(channels if per_channel else (), weight_kind)
        + np.array(3 if weight_kind == "uint8" else 0, weight_kind),
        "ys": np.float32(0.19),
        "yz": np.array(17, kind),
    }
    return inputs | ({"b": rng.integers(-9000, 9000, channels, np.int32)} if bias else {})


@pytest.mark.parametrize(
    ("kind", "weight_kind"), [("int8", "int8"), ("uint8", "int8"), ("uint8", "uint8")]
)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("attrs", [{}, {"pads": [1, 2, 0, 1], "strides": [2, 1]}])
def test_qlinear_conv_is_onnxruntimes(
    one_node, kind, weight_kind, per_channel, bias, groups, attrs
):
    inputs = conv_inputs(kind, per_channel, bias, weight_kind, groups)
    names = [name for name in inputs if name != "x"]
    graph, found, expected = one_node("QLinearConv", inputs, names, 10, group=groups, **attrs)
    np.testing.assert_array_equal(found[0], expected[0])
    assert len(np.unique(expected[0])) > 10, "the codes are all at the ends"
    dac, layer, adc = lower(graph).stages
    assert [dac.circuit.name, adc.circuit.name] == ["dac", "adc"]
    assert isinstance(layer, Linear)


def test_weights_are_the_integers_of_the_file(one_node):
    inputs = conv_inputs("uint8", False, True, "uint8")
    graph, _, _ = one_node("QLinearConv", inputs, [n for n in inputs if n != "x"], 10)
    (kernel,) = crossbars(graph)
    wanted = inputs["w"].astype(int).reshape(4, 12).T - 3
    np.testing.assert_array_equal(kernel.weight()[0], wanted)
    np.testing.assert_array_equal(kernel.bias[0], inputs["b"])


def test_weights_of_a_scale_each_are_the_integers_up_to_r_f(one_node):
    inputs = conv_inputs("uint8", True, True)
    graph, _, _ = one_node("QLinearConv", inputs, [n for n in inputs if n != "x"], 10)
    (kernel,) = crossbars(graph)
    columns = kernel.weight()[0]
    wanted = inputs["w"].astype(float).reshape(4, 12).T
    # what program makes of a column: its own largest weight is the full conductance
    np.testing.assert_allclose(
        columns / np.abs(columns).max(axis=0), wanted / np.abs(wanted).max(axis=0), rtol=1e-15
    )


@pytest.mark.parametrize("signal", ["a", "b"])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("shapes", [((4, 5), (5, 3)), ((2, 4, 5), (2, 5, 3))])
def test_qlinear_matmul_is_onnxruntimes(one_node, signal, kind, shapes):
    inputs = {
        "a": integers(*shapes[0], kind=kind),
        "as": np.float32(0.03),
        "az": np.array(11, kind),
        "b": integers(*shapes[1], kind="int8", seed=1),
        "bs": np.float32(0.011),
        "bz": np.array(-2, "int8"),
        "ys": np.float32(0.17),
        "yz": np.array(3, kind),
    }
    constants = [name for name in inputs if name != signal]
    _, found, expected = one_node("QLinearMatMul", inputs, constants, 10)
    np.testing.assert_array_equal(found[0], expected[0])


def test_qlinear_matmul_with_a_scale_for_each_column(one_node):
    inputs = {
        "a": integers(4, 5),
        "as": np.float32(0.03),
        "az": np.uint8(11),
        "b": integers(5, 3, kind="int8", seed=1),
        "bs": np.array([0.01, 0.002, 0.03], np.float32),
        "bz": np.array([0, 0, 0], "int8"),
        "ys": np.float32(0.17),
        "yz": np.uint8(3),
    }
    _, found, expected = one_node("QLinearMatMul", inputs, [n for n in inputs if n != "a"], 10)
    np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_a_scale_and_a_zero_point_for_each_row_of_a_constant_on_the_left(
    case_run, hand_graph, shape
):
    """onnxruntime has no such kernel; the codes are computed here from the definition."""
    a, b = integers(4, 5, kind="int8"), integers(5, 3, seed=1)
    scale = np.array([0.01, 0.002, 0.03, 0.005], np.float32)
    zero = np.array([0, 1, -2, 3], np.int8)
    constants = {
        "a": a,
        "as": scale.reshape(shape),
        "az": zero.reshape(shape),
        "bs": np.float32(0.03),
        "bz": np.uint8(100),
        "ys": np.float32(0.17),
        "yz": np.uint8(30),
    }
    graph = hand_graph("QLinearMatMul", {"b": (5, 3)}, constants, {"y": (4, 3)})
    order = ("a", "as", "az", "b", "bs", "bz", "ys", "yz")
    graph = replace(
        graph,
        nodes=(replace(graph.nodes[0], inputs=order),),
        kinds={"b": "uint8", "y": "uint8"},
    )
    found = case_run(graph, {"b": b})["y"]
    left = (a.astype(float) - zero[:, None]) * scale[:, None].astype(float)
    real = left @ ((b.astype(float) - 100) * float(np.float32(0.03)))
    wanted = np.clip(np.round(real / float(np.float32(0.17))) + 30, 0, 255)
    np.testing.assert_array_equal(found, wanted)


def refused(hand_graph, faults_of, changed, kind="uint8", absent=()):
    """The only fault of a QLinearConv with some constants changed, or made run-time inputs."""
    inputs = conv_inputs("uint8", False, False) | changed
    constants = {n: v for n, v in inputs.items() if n != "x" and n not in absent}
    shapes = {"x": (1, 2, 6, 7)} | {n: np.shape(inputs[n]) for n in absent}
    attrs = {"group": 1}
    graph = hand_graph("QLinearConv", shapes, constants, {"y": (1, 4, 5, 5)}, attrs)
    order = tuple(name for name in inputs)
    node = replace(graph.nodes[0], inputs=order)
    kinds = {"x": "uint8", "y": kind} | {name: inputs[name].dtype.name for name in absent}
    kinds = {name: text for name, text in kinds.items() if text != "float32"}
    (fault,) = faults_of(replace(graph, nodes=(node,), kinds=kinds))
    return fault.what


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"xs": np.full(2, 0.1, np.float32)}, "a scale of the shape (2,)"),
        ({"xz": np.zeros(2, np.uint8)}, "a zero point of the shape (2,)"),
        ({"ws": np.full(3, 0.1, np.float32)}, "a scale of (3,) for a weight of (4, 2, 2, 3)"),
        ({"ws": np.array([1, 1, 0, 1], np.float32)}, "a scale of 0 is not a positive number"),
        ({"ys": np.float32(-1)}, "a scale of -1 is not a positive number"),
        ({"w": np.full((4, 2, 2, 3), 200, np.int64) * 2**16}, "can leave 32 bits"),
    ],
)
def test_settings_that_make_no_sense(hand_graph, faults_of, changed, words):
    assert words in refused(hand_graph, faults_of, changed)


@pytest.mark.parametrize("name", ["w", "ws", "xz", "ys"])
def test_what_the_data_decides_is_refused(hand_graph, faults_of, name):
    assert "computed at run time" in refused(hand_graph, faults_of, {}, absent=(name,))


@pytest.mark.parametrize("signal", ["a", "b"])
def test_a_vector_has_one_zero_point(one_node, hand_graph, faults_of, signal):
    inputs = {"a": integers(5), "b": integers(5, 3), "az": np.uint8(3), "bz": np.uint8(7)}
    if signal == "a":
        inputs |= {"a": integers(2, 5), "b": integers(5)}
    constants = [name for name in inputs if name != signal]
    _, found, expected = one_node("MatMulInteger", inputs, constants, 10)
    np.testing.assert_array_equal(found[0], expected[0])
    weights = {name: inputs[name] for name in constants}
    other = "bz" if signal == "a" else "az"
    weights[other] = np.zeros(5, np.uint8)
    graph = hand_graph(
        "MatMulInteger", {signal: inputs[signal].shape}, weights, {"y": expected[0].shape}
    )
    node = replace(graph.nodes[0], inputs=("a", "b", "az", "bz"))
    (fault,) = faults_of(replace(graph, nodes=(node,), kinds={signal: "uint8", "y": "int32"}))
    assert "a zero point of (5,) for a weight of (5,)" in fault.what


def test_two_signals_are_refused(hand_graph, faults_of):
    graph = hand_graph("MatMulInteger", {"a": (2, 3), "b": (3, 4)}, {}, {"y": (2, 4)})
    (fault,) = faults_of(replace(graph, kinds={"a": "int8", "b": "int8", "y": "int32"}))
    assert "computed at run time" in fault.what


def test_converters_are_counted_once_a_lane(one_node):
    inputs = conv_inputs("uint8", True, True)
    graph, _, _ = one_node("QLinearConv", inputs, [n for n in inputs if n != "x"], 10)
    design = lower(graph)
    count = sum(
        stage.circuit.converters * design.buses[stage.dst].width
        for stage in design.stages
        if isinstance(stage, Lanes)
    )
    assert count == 2 * 6 * 7 + 4 * 5 * 5
