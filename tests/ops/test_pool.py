"""Pools against onnxruntime: shapes drawn at random, borders, classes of equal weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memxc.ops.lower import lower


@st.composite
def pools(draw):
    """An input and attributes of a pool over 1 to 3 axes; pads are smaller than the kernel."""
    rank = draw(st.integers(1, 3))
    axes = [draw(st.tuples(*[st.integers(1, n) for n in (7, 3, 3, 2)])) for _ in range(rank)]
    size, kernel, stride, dilation = zip(*axes, strict=True)
    pads = [draw(st.integers(0, k - 1)) for k in (*kernel, *kernel)]
    mode = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    # onnxruntime computes a negative border for SAME where windows have gaps between them.
    assume(mode == "NOTSET" or all(s <= k for s, k in zip(stride, kernel, strict=True)))
    if mode != "NOTSET":
        pads, dilation = [0] * 2 * rank, (1,) * rank
    ends = zip(size, kernel, dilation, pads[:rank], pads[rank:], strict=True)
    assume(mode.startswith("SAME") or all(n + b + e > (k - 1) * d for n, k, d, b, e in ends))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *size)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    attrs = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "auto_pad": mode}
    if mode == "NOTSET":
        attrs |= {"pads": pads, "ceil_mode": draw(st.integers(0, 1))}
    # All negative: a border held at 0 V would win.
    return (rng.normal(size=shape) - 5).astype(np.float32), attrs


def wholly_in_border(x, attrs):
    """Whether some window has no tap inside along some axis; by counting, tap by tap.

    With ceil_mode the window that onnxruntime leaves out is among them: onnx infers its shape
    otherwise before opset 22.
    """
    rank = x.ndim - 2
    pads = attrs.get("pads", [0] * 2 * rank)
    for a in range(rank):
        size, k, s, d = (
            x.shape[2 + a],
            *(attrs[name][a] for name in ("kernel_shape", "strides", "dilations")),
        )
        room = size + pads[a] + pads[a + rank] - (k - 1) * d - 1
        for start in range(0, room + (s if attrs.get("ceil_mode") else 1), s):
            taps = [start - pads[a] + i * d for i in range(k)]
            if not any(0 <= t < size for t in taps):
                return True
    return False


@given(pools())
def test_max_pool_is_onnxruntimes(check_node, drawn):
    x, attrs = drawn
    assume(not wholly_in_border(x, attrs))
    check_node("MaxPool", {"x": x}, opset=12, **attrs)


@given(pools(), st.integers(0, 1))
def test_average_pool_is_onnxruntimes(check_node, drawn, count_include_pad):
    x, attrs = drawn
    assume(not wholly_in_border(x, attrs))
    check_node("AveragePool", {"x": x}, opset=19, count_include_pad=count_include_pad, **attrs)


def test_windows_that_count_fewer_taps_are_kernels_of_their_own(check_node):
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 8)).astype(np.float32)
    graph = check_node("AveragePool", {"x": x}, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    (stage,) = lower(graph).stages
    assert stage.cell == "resistor"
    # 4 corners, 2 x 6 and 3 x 2 edges, the inside; each with one block a channel
    assert sorted((k.places, round(1 / float(k.values[0, 0]))) for k in stage.kernels) == [
        (4, 4),
        (6, 6),
        (12, 6),
        (18, 9),
    ]
    assert {k.groups for k in stage.kernels} == {2}


def test_a_border_of_a_max_pool_repeats_taps_of_the_same_window(check_node):
    x = np.random.default_rng(0).normal(size=(1, 1, 4, 6)).astype(np.float32)
    attrs = {"kernel_shape": [2, 3], "pads": [1, 2, 1, 2], "dilations": [2, 2]}
    graph = check_node("MaxPool", {"x": x}, opset=12, **attrs)
    (stage,) = lower(graph).stages
    nets = stage.taps[0].nets()[0].reshape(*graph.shapes["y0"][2:], 6)
    assert nets.min() >= 0
    # rows -1 and 1, columns -2, 0 and 2: what is outside repeats row 1 and column 0
    assert nets[0, 0].tolist() == [6, 6, 8, 6, 6, 8]
    assert stage.keeps_scale


def test_a_max_pool_of_single_taps_is_wires(check_node):
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 6)).astype(np.float32)
    graph = check_node("MaxPool", {"x": x}, kernel_shape=[1, 1], strides=[2, 3])
    assert type(lower(graph).stages[0]).__name__ == "Rename"


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(("opset", "axes"), [(13, [2, 3]), (13, [-1]), (13, [1, -2]), (13, None)])
def test_reduce_mean_over_any_axes(check_node, opset, axes, keepdims):
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype(np.float32)
    attrs = {} if axes is None else {"axes": axes}
    graph = check_node("ReduceMean", {"x": x}, opset=opset, keepdims=keepdims, **attrs)
    assert lower(graph).stages[0].cell == "resistor"


@pytest.mark.parametrize(("axes", "noop"), [([2], 0), ([], 0), ([], 1)])
def test_reduce_mean_with_axes_as_an_input(check_node, axes, noop):
    inputs = {
        "x": np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32),
        "axes": np.array(axes, dtype=np.int64),
    }
    check_node("ReduceMean", inputs, ["axes"], opset=18, noop_with_empty_axes=noop)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(check_node, op):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    check_node(op, {"x": x - 4})


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_a_window_wholly_in_the_border_is_refused(op, hand_graph, faults_of):
    attrs = {"kernel_shape": (2, 2), "pads": (2, 0, 0, 0)}
    (fault,) = faults_of(hand_graph(op, {"x": (1, 1, 3, 4)}, {}, {"y": (1, 1, 4, 3)}, attrs))
    assert "wholly in the border" in fault.what


def test_a_last_window_behind_the_map_is_refused_where_onnx_counts_it(hand_graph, faults_of):
    attrs = {"kernel_shape": (2,), "strides": (2,), "pads": (1, 1), "ceil_mode": 1}
    (fault,) = faults_of(hand_graph("MaxPool", {"x": (1, 2, 1)}, {}, {"y": (1, 2, 2)}, attrs))
    assert fault.code == "unsupported-shape"
    assert "ceil_mode" in fault.hint


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_a_last_window_of_opset_22_starts_in_the_map(check_node, op):
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 7)).astype(np.float32) - 5
    attrs = {"kernel_shape": [2, 1], "strides": [2, 3], "pads": [1, 0, 1, 0], "ceil_mode": 1}
    assert check_node(op, {"x": x}, opset=22, **attrs).shapes["y0"] == (1, 2, 3, 3)


def test_a_storage_order_is_that_of_indices_only(check_node):
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 7)).astype(np.float32)
    check_node("MaxPool", {"x": x}, kernel_shape=[2, 3], storage_order=1)


def test_indices_in_use_are_refused(hand_graph, faults_of):
    graph = hand_graph(
        "MaxPool",
        {"x": (1, 1, 3, 4)},
        {},
        {"y": (1, 1, 2, 3), "at": (1, 1, 2, 3)},
        {"kernel_shape": (2, 2)},
    )
    (fault,) = faults_of(graph)
    assert "'at' is in use" in fault.what


def test_a_kernel_of_the_wrong_rank_is_refused(hand_graph, faults_of):
    attrs = {"kernel_shape": (2,)}
    (fault,) = faults_of(
        hand_graph("AveragePool", {"x": (1, 1, 3, 4)}, {}, {"y": (1, 1, 2, 3)}, attrs)
    )
    assert fault.code == "unsupported-shape"
