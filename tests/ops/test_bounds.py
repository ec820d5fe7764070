"""What a few bytes of a model claim is reckoned before it is allocated, and lists are lists."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from memxc.ir.bounds import MOST

MAP = {"x": (1, 1, 3, 4)}
ONE = {"w": np.ones((1, 1, 1, 2), np.float32)}


def ints(*numbers):
    return np.array(numbers, np.int64)


@pytest.fixture
def small_faults(faults_of):
    """The faults of a graph that is refused before it has taken 64 MB."""

    def faults(graph):
        tracemalloc.start()
        try:
            found = faults_of(graph)
            assert tracemalloc.get_traced_memory()[1] < 2**26
        finally:
            tracemalloc.stop()
        return found

    return faults


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool", "LpPool", "Conv"])
@pytest.mark.parametrize(
    ("attrs", "out"),
    [
        ({"pads": (0, 2**27, 0, 0), "strides": (1, 2**26)}, (1, 1, 3, 3)),
        ({"dilations": (1, 2**27), "pads": (0, 0, 0, 2**27), "strides": (1, 2**26)}, (1, 1, 3, 1)),
    ],
)
def test_a_border_that_exceeds_the_limit_is_refused(op, attrs, out, hand_graph, small_faults):
    weights = ONE if op == "Conv" else {}
    attrs = attrs if op == "Conv" else {**attrs, "kernel_shape": (1, 2)}
    (fault,) = small_faults(hand_graph(op, MAP, weights, {"y": out}, attrs))
    assert fault.code == "unsupported-shape"
    assert f"{MOST:,}" in fault.what


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool", "Conv", "ConvTranspose", "Col2Im"])
@pytest.mark.parametrize("name", ["pads", "strides", "dilations"])
@pytest.mark.parametrize("value", [2**31, 2**40, 2**63 - 1])
def test_numbers_of_nets_that_need_more_than_31_bits(op, name, value, hand_graph, small_faults):
    """They wrapped around in silence: a pad of 2**32 was one of 0."""
    weights = {"image": ints(3, 4), "block": ints(1, 2)} if op == "Col2Im" else {}
    weights = ONE if op.startswith("Conv") else weights
    attrs = {"kernel_shape": (1, 2)} if op.endswith("Pool") else {}
    count = 4 if name == "pads" else 2
    inputs = {"x": (1, 2, 9)} if op == "Col2Im" else MAP
    graph = hand_graph(
        op, inputs, weights, {"y": (1, 1, 3, 3)}, {**attrs, name: (1,) * (count - 1) + (value,)}, 18
    )
    (fault,) = small_faults(graph)
    assert fault.code == "unsupported-attribute"
    assert name in fault.what


@pytest.mark.parametrize(
    ("op", "shape", "weights", "attrs", "out"),
    [
        ("AveragePool", (1, 1, 3, 4), {},
         {"auto_pad": "SAME_UPPER", "kernel_shape": (2, 2**31 - 1)}, (1, 1, 3, 4)),
        ("CumSum", (1, 2**27), {"axis": np.int64(1)}, {}, (1, 2**27)),
        ("ReduceMax", (1, 200000), {"axes": ints(1)}, {}, (1, 1)),
        ("GlobalMaxPool", (1, 1, 2, 200000), {}, {}, (1, 1, 1, 1)),
        ("Tile", (1, 3), {"repeats": ints(1, 2**40)}, {}, (1, 3 * 2**40)),
        ("Pad", (1, 3), {"pads": ints(0, 2**27, 0, 0)}, {}, (1, 3 + 2**27)),
        ("Pad", (1, 3), {"pads": ints(0, 2**27, 0, 0)}, {"mode": "edge"}, (1, 3 + 2**27)),
        ("CenterCropPad", (1, 3), {"shape": ints(1, 2**40)}, {}, (1, 2**40)),
        ("ConvTranspose", (1, 1, 3, 3), {"w": np.ones((1, 1, 100, 100), np.float32)},
         {"strides": (100, 100)}, (1, 1, 300, 300)),
        ("Gemm", (9000, 4), {"w": np.ones((4, 2), np.float32),
                             "b": np.arange(18000.0).reshape(-1, 2)}, {}, (9000, 2)),
        ("Resize", (1, 1, 4, 4), {"roi": np.array([0, 0, 0, -1e9, 1, 1, 1, 1e9]),
                                  "scales": np.array([1, 1, 1, 2.0])},
         {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}, (1, 1, 4, 8)),
        ("Einsum", (1, 3000), {"w": np.ones((3000,), np.float32)},
         {"equation": "ab,c->abc"}, (1, 3000, 30000)),
    ],
)  # fmt: skip
def test_what_an_operator_cannot_take(op, shape, weights, attrs, out, hand_graph, small_faults):
    (fault,) = small_faults(hand_graph(op, {"x": shape}, weights, {"y": out}, attrs, 18))
    assert (fault.code, fault.where) in [
        ("unsupported-shape", f"the_{op}"),
        ("unsupported-attribute", f"the_{op}"),
    ]


@pytest.mark.parametrize(
    ("op", "weights", "attrs"),
    [
        ("Slice", {"starts": np.int64(1), "ends": np.int64(2)}, {}),
        ("Slice", {"starts": ints(1), "ends": ints(2), "axes": np.int64(1)}, {}),
        ("Slice", {"starts": ints(1), "ends": ints(2), "axes": ints(1), "s": np.int64(1)}, {}),
        ("Slice", {"starts": ints(1).reshape(1, 1), "ends": ints(2)}, {}),
        ("Pad", {"pads": np.int64(1)}, {}),
        ("Tile", {"repeats": np.int64(2)}, {}),
        ("Expand", {"shape": np.int64(2)}, {}),
        ("ReduceSum", {"axes": np.int64(1)}, {}),
        ("CenterCropPad", {"shape": np.int64(1)}, {}),
        ("Split", {"split": np.int64(2)}, {}),
        ("GatherElements", {"i": np.zeros((3, 2), np.int64)}, {"axis": 1}),
        ("GatherElements", {"i": np.zeros(2, np.int64)}, {"axis": 0}),
        ("GatherElements", {"i": np.int64(0)}, {"axis": 1}),
    ],
)
def test_what_is_no_list_or_does_not_fit(op, weights, attrs, hand_graph, faults_of):
    """Each ended with a traceback of numpy's."""
    (fault,) = faults_of(hand_graph(op, {"x": (2, 3)}, weights, {"y": (2, 3)}, attrs, 18))
    assert fault.where == f"the_{op}"
    assert fault.code.startswith("unsupported")


@pytest.mark.parametrize("op", ["PRelu", "Abs", "Clip", "Not", "CumSum", "LRN", "Transpose"])
def test_a_constant_where_a_signal_is_expected(op, hand_graph, faults_of):
    graph = hand_graph(op, {}, {"c": np.float32(1)}, {"y": (2, 3)})
    (fault,) = faults_of(graph)
    assert fault.where == f"the_{op}"
