"""What picks, repeats, scatters and rearranges lanes, against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.ir.stages import Linear, Rename
from memxc.ops.lower import lower

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
MASK = RNG.normal(size=X.shape) > 0


def ints(*values):
    return np.array(values, dtype=np.int64)


def indices(*shape, below=3):
    return RNG.integers(-below, below, size=shape)


ONLY_WIRES = [
    ("Gather", 13, {"i": indices(2, 4)}, {"axis": 1}),
    ("Gather", 13, {"i": ints(-1)}, {"axis": -1}),
    ("Gather", 13, {"i": np.int64(1)}, {"axis": 2}),
    ("GatherElements", 13, {"i": indices(2, 3, 3, 5)}, {"axis": 2}),
    ("GatherElements", 13, {"i": indices(1, 2, 4, 7)}, {"axis": -1}),
    ("GatherND", 13, {"i": indices(3, 2, below=2)}, {}),
    ("GatherND", 13, {"i": indices(2, 3, 2)}, {"batch_dims": 1}),
    ("GatherND", 13, {"i": indices(2, 3, 1)}, {"batch_dims": 2}),
    ("ReverseSequence", 10, {"n": ints(2, 0, 1)}, {"time_axis": 0, "batch_axis": 1}),
    ("ReverseSequence", 10, {"n": ints(1, 3)}, {"time_axis": 1, "batch_axis": 0}),
    ("Expand", 13, {"s": ints(2, 1, 1, 1, 5)}, {}),
    ("Expand", 13, {"s": ints(6, 1, 3, 4, 5)}, {}),
    ("Tile", 13, {"r": ints(1, 2, 1, 3)}, {}),
    ("Trilu", 14, {"k": np.int64(-1)}, {"upper": 0}),
    ("Trilu", 14, {"k": np.int64(2**62)}, {"upper": 0}),
    ("Trilu", 14, {}, {}),
    ("CenterCropPad", 18, {"s": ints(3, 8)}, {"axes": [2, -1]}),
    ("CenterCropPad", 18, {"s": ints(2, 4, 1, 5)}, {}),
]


@pytest.mark.parametrize(("op", "opset", "settings", "attrs"), ONLY_WIRES)
def test_constant_places_are_wires(check_node, op, opset, settings, attrs):
    graph = check_node(op, {"x": X, **settings}, list(settings), opset, **attrs)
    assert all(isinstance(stage, Rename) for stage in lower(graph).stages)


@pytest.mark.parametrize(
    ("condition", "axis", "shape"),
    [([1, 0, 1], 1, (2, 2, 4, 5)), ([0, 1], -1, (2, 3, 4, 1)), ([0, 1, 1] * 20, None, (40,))],
)
def test_compress(case_run, hand_graph, condition, axis, shape):
    attrs = {} if axis is None else {"axis": axis}
    weights = {"c": np.array(condition, dtype=bool)}
    graph = hand_graph("Compress", {"x": X.shape}, weights, {"y": shape}, attrs)
    wanted = np.compress(condition, X, axis=axis)
    assert np.array_equal(case_run(graph, {"x": X})["y"], wanted)


@pytest.mark.parametrize("mode", [{}, {"mode": "DCR"}, {"mode": "CRD"}])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_depth_and_space(check_node, mode, block):
    x = RNG.normal(size=(2, 2 * block**2, 3, 5)).astype(np.float32)
    check_node("DepthToSpace", {"x": x}, opset=13, blocksize=block, **mode)
    x = RNG.normal(size=(2, 3, 2 * block, 5 * block)).astype(np.float32)
    check_node("SpaceToDepth", {"x": x}, opset=13, blocksize=block)


def held(graph):
    """How many voltages are held for the constants among the signals."""
    found = [stage for stage in lower(graph).stages if isinstance(stage, Linear)]
    assert all(stage.cell == "resistor" for stage in found)
    return sum(kernel.columns for stage in found for kernel in stage.kernels)


@pytest.mark.parametrize(
    ("constant", "count"),
    [(np.float32(0.5), 1), (np.float32(0), 0), (np.round(X[:1]), 5), (-X, X.size)],
)
def test_where_holds_a_voltage_a_value(check_node, constant, count):
    mask = MASK if constant.size < X.size else np.ones_like(MASK)
    if count == 5:
        count = len(np.unique(constant[constant != 0]))
    check_node("Where", {"m": mask, "x": X, "y": constant}, ["m", "y"], 9)
    graph = check_node("Where", {"m": mask, "y": constant, "x": X}, ["m", "y"], 9)
    assert held(graph) == count


def test_where_holds_nothing_that_is_not_chosen(check_node):
    """A mask of -inf that hides nothing, as exporters of attention and of padding write it."""
    mask, lowest = np.zeros_like(MASK), np.float32(-np.inf)
    assert held(check_node("Where", {"m": mask, "y": lowest, "x": X}, ["m", "y"], 9)) == 0
    some = np.where(MASK, np.float32(2), lowest)
    assert held(check_node("Where", {"m": MASK, "y": some, "x": X}, ["m", "y"], 9)) == 1


def test_where_of_two_signals(check_node):
    graph = check_node("Where", {"m": MASK[:1], "x": X, "y": 2 * X[:, :1]}, ["m"], 16)
    assert held(graph) == 0


@pytest.mark.parametrize("signals", [("x",), ("u",), ("x", "u")])
@pytest.mark.parametrize(
    ("op", "opset", "index", "shape", "attrs"),
    [
        ("ScatterElements", 13, ints(2, 0)[:, None, None, None], (2, 1, 1, 1), {"axis": 1}),
        ("ScatterElements", 16, ints(-1, 2, 1).reshape(1, 1, 1, 3), (1, 1, 1, 3), {"axis": -1}),
        ("ScatterElements", 18, indices(2, 2, 4, 3, below=2)[:, :1], (2, 1, 4, 3), {}),
        ("ScatterND", 13, ints(1, -1)[:, None], (2, 3, 4, 5), {}),
        ("ScatterND", 18, ints(1, 2, 0, 0, 1, 1).reshape(2, 3), (2, 5), {}),
        ("Scatter", 10, ints(1, 0).reshape(1, 2, 1, 1), (1, 2, 1, 1), {"axis": 2}),
    ],
)
def test_scatter(check_node, signals, op, opset, index, shape, attrs):
    inputs = {"x": X, "i": index, "u": RNG.normal(size=shape).astype(np.float32)}
    check_node(op, inputs, [name for name in inputs if name not in signals], opset, **attrs)


@pytest.mark.parametrize("axis", [1, -2])
@pytest.mark.parametrize("constants", [["c"], ["a", "c"], ["a", "b"]])
def test_concat_with_constants(check_node, axis, constants):
    inputs = {"a": np.round(X), "b": X, "c": np.round(2 * X)}
    graph = check_node("Concat", inputs, constants, axis=axis)
    values = np.concatenate([inputs[name].reshape(-1) for name in constants])
    assert held(graph) == len(np.unique(values[values != 0]))


def test_integers_are_moved_and_held(check_node):
    x = RNG.integers(-9, 9, size=(2, 3))
    check_node("Concat", {"x": x, "c": x + 1}, ["c"], axis=1)


@pytest.mark.parametrize(
    ("op", "weights", "attrs", "words"),
    [
        ("Gather", {"i": ints(3)}, {"axis": 1}, "its axis has 3"),
        ("GatherElements", {"i": ints(0, -3).reshape(1, 2)}, {}, "its axis has 2"),
        ("GatherND", {"i": ints(0, 3).reshape(1, 2)}, {}, "its axis has 3"),
        ("GatherND", {"i": ints(0, 1, 0).reshape(1, 3)}, {}, "do not fit"),
        ("ScatterND", {"i": ints(0, 1, 0).reshape(1, 3), "u": X[0, 0, 0, :1]}, {}, "do not fit"),
        ("ScatterElements", {"i": ints(1, 2), "u": X[0, 0, 0, :2]}, {}, "its axis has 2"),
        ("ScatterElements", {"i": ints(1, 1), "u": X[0, 0, 0, :2]}, {}, "do not fit"),
        ("ReverseSequence", {"n": ints(1, 3)}, {"batch_axis": 1}, "does not fit"),
        ("Expand", {"s": ints(3, 2)}, {}, "cannot be broadcast"),
        ("Tile", {"r": ints(2)}, {}, "has to be 2 numbers"),
        ("DepthToSpace", {}, {"blocksize": 2}, "blocksize = 2"),
        ("Concat", {"c": np.array([[1e30]])}, {"axis": 1}, "holds the number 1e+30"),
        ("Concat", {"c": np.array([[-np.inf]])}, {"axis": 1}, "holds the number -inf"),
    ],
)
def test_what_is_refused(op, weights, attrs, words, hand_graph, faults_of):
    (fault,) = faults_of(hand_graph(op, {"x": (2, 3)}, weights, {"y": (2, 4)}, attrs))
    assert words in fault.what


@pytest.mark.parametrize("op", ["Gather", "GatherElements", "GatherND", "Tile", "Expand"])
def test_places_known_at_run_time_only_are_refused(op, hand_graph, faults_of):
    (fault,) = faults_of(hand_graph(op, {"x": (2, 3), "i": (2,)}, {}, {"y": (2, 4)}))
    assert "computed at run time" in fault.what


@pytest.mark.parametrize(
    ("op", "shape", "attrs", "words"),
    [
        ("DepthToSpace", (1, 6, 2, 3), {"blocksize": 2}, "6 channels are no blocks"),
        ("SpaceToDepth", (1, 6, 2, 3), {"blocksize": 2}, "2 x 3 pixels are no blocks"),
        ("SpaceToDepth", (1, 6, 2, 4), {"blocksize": 2, "mode": "odd"}, "odd"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(op, shape, attrs, words, hand_graph, faults_of):
    (fault,) = faults_of(hand_graph(op, {"x": shape}, {}, {"y": shape}, attrs))
    assert words in fault.what
