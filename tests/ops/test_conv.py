"""Conv against onnxruntime: shapes drawn at random, and what the windows cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memxc.ops.lower import lower

MODES = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@st.composite
def convolutions(draw):
    """Inputs and attributes of a convolution over 1 to 3 axes, no two sizes equal by rule."""
    rank = draw(st.integers(1, 3))
    group = draw(st.integers(1, 3))
    channels, filters = group * draw(st.integers(1, 3)), group * draw(st.integers(1, 3))
    axes = [draw(st.tuples(*[st.integers(1, n) for n in (7, 3, 3, 2)])) for _ in range(rank)]
    size, kernel, stride, dilation = zip(*axes, strict=True)
    mode = draw(st.sampled_from(MODES))
    pads = draw(st.lists(st.integers(0, 2), min_size=2 * rank, max_size=2 * rank))
    # onnxruntime refuses dilations with SAME.
    dilation = (1,) * rank if mode.startswith("SAME") else dilation
    room = [
        n + (pads[a] + pads[a + rank] if mode == "NOTSET" else 0) - (k - 1) * d
        for a, (n, k, d) in enumerate(zip(size, kernel, dilation, strict=True))
    ]
    assume(mode.startswith("SAME") or min(room) >= 1)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    inputs = {
        "x": rng.normal(size=(draw(st.integers(1, 2)), channels, *size)),
        "w": rng.normal(size=(filters, channels // group, *kernel)),
    }
    if draw(st.booleans()):
        inputs["b"] = rng.normal(size=filters)
    attrs = {"group": group, "strides": stride, "dilations": dilation, "auto_pad": mode}
    if mode == "NOTSET":
        attrs["pads"] = pads
    return {n: v.astype(np.float32) for n, v in inputs.items()}, attrs


@given(convolutions())
def test_conv_is_onnxruntimes(check_node, drawn):
    inputs, attrs = drawn
    check_node("Conv", inputs, [n for n in inputs if n != "x"], **attrs)


def test_the_border_is_ground_and_sides_are_not_swapped(check_node):
    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=(1, 2, 5, 8)), "w": rng.normal(size=(3, 2, 2, 4))}
    inputs = {n: v.astype(np.float32) for n, v in inputs.items()}
    graph = check_node("Conv", inputs, ["w"], pads=[0, 3, 1, 2], strides=[2, 1])
    (kernel,) = lower(graph).stages[0].kernels
    assert kernel.taps.frame.shape == (2, 5 + 1, 8 + 3 + 2)
    assert (kernel.taps.frame[:, 0, 3:11] >= 0).all()
    assert (kernel.taps.frame[:, -1] == -1).all()
    assert kernel.grid == (3, 10)


def test_a_depthwise_layer_is_one_stack(check_node):
    rng = np.random.default_rng(1)
    inputs = {"x": rng.normal(size=(1, 6, 4, 5)), "w": rng.normal(size=(12, 1, 3, 3))}
    inputs = {n: v.astype(np.float32) for n, v in inputs.items()}
    graph = check_node("Conv", inputs, ["w"], pads=[1, 1, 1, 1], group=6)
    (kernel,) = lower(graph).stages[0].kernels
    assert (kernel.groups, kernel.rows, kernel.columns, kernel.places) == (6, 9, 2, 20)
    assert kernel.values.dtype == np.float32


def test_a_large_layer_costs_its_bus_places_and_weights(check_node):
    inputs = {"x": np.ones((1, 24, 40, 56)), "w": np.ones((16, 24, 5, 5))}
    inputs = {n: v.astype(np.float32) for n, v in inputs.items()}
    graph = check_node("Conv", inputs, ["w"], strides=[2, 2])
    (kernel,) = lower(graph).stages[0].kernels
    held = [
        part
        for windows in (kernel.taps, kernel.sinks)
        for part in (windows.frame, windows.origin, windows.group, windows.offset)
    ]
    assert {part.dtype for part in held} == {np.dtype(np.int32)}
    buses = 24 * 40 * 56 + 16 * 18 * 26
    assert sum(part.size for part in held) < buses + 3 * (kernel.places + kernel.rows) + 99


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"auto_pad": "SOMEHOW"}, "auto_pad = 'SOMEHOW'"),
        ({"strides": (0, 1)}, "strides"),
        ({"dilations": (1,)}, "dilations"),
        ({"pads": (0, -1, 0, 0)}, "pads"),
        ({"group": 3}, "group = 3"),
        ({"kernel_shape": (3, 2)}, "kernel_shape"),
        ({"strides": (2, 1)}, "should have the space"),
    ],
)
def test_what_makes_no_sense_is_refused(attrs, words, hand_graph, faults_of):
    graph = hand_graph(
        "Conv",
        {"x": (1, 2, 6, 7)},
        {"w": np.ones((4, 2, 2, 3), np.float32)},
        {"y": (1, 4, 5, 5)},
        attrs,
    )
    (fault,) = faults_of(graph)
    assert words in fault.what
    assert fault.where == "the_Conv"


def test_a_weight_computed_at_run_time_is_refused(hand_graph, faults_of):
    shapes = {"x": (1, 2, 6, 7), "w": (4, 2, 2, 3)}
    (fault,) = faults_of(hand_graph("Conv", shapes, {}, {"y": (1, 4, 5, 5)}))
    assert fault.code == "unsupported-model"
    assert "weight" in fault.what
