"""Signals that are integers: wires carry them, and only what says so computes with them."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest

from memxc.errors import MemxcError
from memxc.ir.stages import Rename
from memxc.ops.lower import lower


def typed(graph, **kinds):
    return replace(graph, kinds=kinds)


@pytest.mark.parametrize("op", ["Div", "Add", "Mul", "Sub", "MatMul"])
@pytest.mark.parametrize("kind", ["int8", "int32", "bool"])
def test_arithmetic_would_wrap_around_or_truncate(hand_graph, faults_of, op, kind):
    weight = {"w": np.full((3, 3), 2, np.int8)}
    graph = hand_graph(op, {"x": (3, 3)}, weight, {"y": (3, 3)})
    faults = faults_of(typed(graph, x=kind, y=kind))
    assert [fault.code for fault in faults] == ["unsupported-op"] * 2
    assert f"'x' holds {kind}" in faults[0].what
    assert f"'y' holds {kind}" in faults[1].what
    assert lower(graph).stages


def test_wires_carry_whatever_it_is(hand_graph):
    graph = hand_graph("Transpose", {"x": (2, 3)}, {}, {"y": (3, 2)})
    (stage,) = lower(typed(graph, x="int64", y="int64")).stages
    assert isinstance(stage, Rename)


@pytest.mark.parametrize("kind", ["float8e4m3fn", "complex64", "float4e2m1"])
def test_types_that_no_circuit_carries(hand_graph, faults_of, kind):
    graph = hand_graph("Transpose", {"x": (2, 3)}, {}, {"y": (3, 2)})
    fault, *_ = faults_of(typed(graph, x=kind, y=kind))
    assert fault.code == "unsupported-model"
    assert kind in fault.what


def test_an_output_that_nothing_reads_does_not_matter(hand_graph):
    graph = hand_graph("Dropout", {"x": (2, 3)}, {}, {"y": (2, 3)})
    node = replace(graph.nodes[0], outputs=("y", "mask"))
    shapes = {**graph.shapes, "mask": (2, 3)}
    lower(replace(graph, nodes=(node,), shapes=shapes, kinds={"mask": "bool"}))


def integers(*shape, low=-128, high=128):
    drawn = np.random.default_rng(0).integers(low, high, shape)
    return drawn.astype(np.int8 if low < 0 else np.uint8)


@pytest.mark.parametrize(
    ("op", "x", "attrs", "opset"),
    [
        ("MaxPool", integers(1, 2, 5, 6), {"kernel_shape": [2, 3], "pads": [1, 0, 0, 2]}, 12),
        ("MaxPool", integers(1, 2, 5, 6, low=0, high=256), {"kernel_shape": [3, 2]}, 12),
        ("Relu", integers(2, 3).astype(np.int32), {}, 14),
        ("ArgMax", integers(2, 3), {"axis": 1, "keepdims": 0}, 13),
        ("Reshape", integers(2, 3), {}, 13),
    ],
)
def test_what_holds_on_integers_is_onnxruntimes(one_node, op, x, attrs, opset):
    inputs = {"x": x} | ({"s": np.array([3, 2])} if op == "Reshape" else {})
    graph, found, expected = one_node(op, inputs, list(inputs)[1:], opset, **attrs)
    assert graph.kinds["x"] == x.dtype.name
    assert graph.kinds["y0"] == expected[0].dtype.name
    np.testing.assert_array_equal(found[0], expected[0])


def test_clip_of_integers(one_node):
    bounds = {"low": np.int8(-3), "high": np.int8(100)}
    _, found, expected = one_node("Clip", {"x": integers(2, 9), **bounds}, ["low", "high"], 13)
    np.testing.assert_array_equal(found[0], expected[0])


REAL = (1, 10, 11, 16)


def has_integers(case):
    values = [*case.model.graph.input, *case.model.graph.output]
    return any(value.type.tensor_type.elem_type not in REAL for value in values)


def numbers(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def outcome(case, signals, values, expected, case_graph, case_run):
    """ "refused", or whether the Design of a case gives its numbers."""
    graph = case_graph(case.model, {n: v for n, v in values.items() if n not in signals})
    try:
        found = case_run(graph, values)
    except MemxcError:
        return "refused"
    pairs = zip(graph.outputs, expected, strict=True)
    # Half precision rounds its results, a circuit does not.
    near = [
        np.allclose(found[name], wanted.astype(np.float64), 1e-3, 1e-5, equal_nan=True)
        for name, wanted in pairs
    ]
    return "equal" if all(near) else "wrong"


def test_no_case_of_onnxs_with_integers_gives_wrong_numbers(node_cases, case_graph, case_run):
    """Each with its first input as a signal, and with all of them: right, or refused."""
    counts = Counter()
    for case in itertools.chain.from_iterable(node_cases.values()):
        sides = [list(map(numbers, side)) for side in case.data_sets[0]]
        plain = all(
            isinstance(v, np.ndarray) and v.dtype.kind not in "OU" for v in [*sides[0], *sides[1]]
        )
        # STFT's own case does not fit what ONNX infers of it.
        if not plain or not sides[0] or not has_integers(case) or case.name.startswith("test_stft"):
            continue
        values = dict(zip([v.name for v in case.model.graph.input], sides[0], strict=True))
        names = tuple(filter(None, case.model.graph.node[0].input))
        for signals in {names[:1], names}:
            found = outcome(case, signals, values, sides[1], case_graph, case_run)
            assert found != "wrong", (case.name, signals)
            counts[found] += 1
    print(dict(counts))
    assert counts["equal"] >= 400
    assert counts["refused"] >= 800
