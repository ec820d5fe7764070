"""Arithmetic and batch normalisation against onnxruntime, with every kind of broadcasting."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.ir.stages import Lanes, Linear, Rename
from memxc.ops.lower import lower

SHAPES = [
    ((1, 3, 4, 5), (1, 3, 4, 5)),
    ((1, 3, 4, 5), (3, 1, 1)),
    ((1, 3, 4, 5), (1, 3, 1, 1)),
    ((1, 3, 4, 5), (5,)),
    ((1, 3, 4, 5), (1, 1, 4, 1)),
    ((1, 3, 4, 5), ()),
    ((1, 3, 4, 5), (2, 1, 1, 1)),
    ((3, 1), (4,)),
    ((1, 5), (3, 5)),
]


def random(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("constant", ["a", "b", None])
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("swapped", [False, True])
def test_broadcasting_is_onnxruntimes(check_node, op, constant, shapes, swapped):
    left, right = shapes[::-1] if swapped else shapes
    inputs = {"a": random(*left), "b": random(*right, seed=1)}
    graph = check_node(op, inputs, [constant] if constant else [])
    (stage,) = lower(graph).stages
    assert isinstance(stage, Linear if constant else Lanes)


@pytest.mark.parametrize("shapes", SHAPES)
def test_division_by_a_constant(check_node, shapes):
    inputs = {"a": random(*shapes[0]), "b": random(*shapes[1], seed=1) + 4}
    check_node("Div", inputs, ["b"])


def test_one_block_a_channel_or_one_for_all(check_node):
    shape = (1, 3, 4, 5)
    for constant, groups, places in [((3, 1, 1), 3, 20), ((), 1, 60), ((4, 1), 4, 15)]:
        graph = check_node("Mul", {"x": random(*shape), "c": random(*constant)}, ["c"])
        (stage,) = lower(graph).stages
        (kernel,) = stage.kernels
        assert stage.cell == "batchnorm"
        assert (kernel.groups, kernel.places, kernel.rows, kernel.columns) == (groups, places, 1, 1)


def test_division_by_zero_is_refused(hand_graph, faults_of):
    zero = {"b": np.array([1, 0, 2], np.float32)}
    (fault,) = faults_of(hand_graph("Div", {"a": (2, 3)}, zero, {"y": (2, 3)}))
    assert "finite" in fault.what


@pytest.mark.parametrize("constant", [None, "a"])
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("swapped", [False, True])
def test_division_by_a_signal(check_node, constant, shapes, swapped):
    left, right = shapes[::-1] if swapped else shapes
    divisors = random(*right, seed=1)
    inputs = {"a": random(*left), "b": divisors + np.sign(divisors)}
    graph = check_node("Div", inputs, [constant] if constant else [])
    stage = lower(graph).stages[-1]
    assert (stage.circuit.opamps, stage.circuit.multipliers) == (1, 1)


def test_a_divider_gives_zero_where_it_divides_by_zero(hand_graph, case_run):
    graph = hand_graph("Div", {"a": (1, 3), "b": (1, 3)}, {}, {"y": (1, 3)})
    found = case_run(graph, {"a": np.array([[6.0, -1, 0]]), "b": np.array([[-4.0, 0, 0]])})
    assert found["y"].tolist() == [[-1.5, 0, 0]]


def test_a_signal_added_to_itself(hand_graph):
    graph = hand_graph("Add", {"a": (2, 3)}, {}, {"y": (2, 3)})
    node = graph.nodes[0]
    assert lower(
        type(graph)(
            **{**vars(graph), "nodes": (type(node)(**{**vars(node), "inputs": ("a", "a")}),)}
        )
    ).stages[0].srcs == ("a", "a")


@pytest.mark.parametrize(
    ("constants", "kind"), [([], Lanes), (["b", "c"], Linear), (["a", "b"], Linear)]
)
def test_sums(check_node, constants, kind):
    inputs = {"a": random(2, 3), "b": random(3, seed=1), "c": random(1, seed=2)}
    graph = check_node("Sum", inputs, constants)
    assert isinstance(lower(graph).stages[0], kind)
    (alone,) = lower(check_node("Sum", {"a": random(2, 3)})).stages
    assert isinstance(alone, Rename)


def test_neg(check_node):
    check_node("Neg", {"a": random(2, 3)})


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 3), (2, 3, 7), (1, 3, 2, 3, 4)])
def test_batch_normalisation(check_node, shape):
    inputs = {"x": random(*shape)}
    inputs |= {name: random(3, seed=i) for i, name in enumerate(["scale", "bias", "mean"])}
    inputs["var"] = random(3, seed=9) ** 2
    graph = check_node("BatchNormalization", inputs, list(inputs)[1:], epsilon=1e-3)
    (kernel,) = lower(graph).stages[0].kernels
    assert (kernel.groups, kernel.places) == (3, np.prod(shape) // 3)


@pytest.mark.parametrize(
    ("attrs", "opset", "words"),
    [({"training_mode": 1}, 15, "training_mode"), ({"spatial": 0}, 8, "spatial")],
)
def test_other_batch_normalisations_are_refused(attrs, opset, words, hand_graph, faults_of):
    weights = {name: np.ones(3, np.float32) for name in ("scale", "bias", "mean", "var")}
    shape = {"x": (1, 3, 4)}
    graph = hand_graph("BatchNormalization", shape, weights, {"y": (1, 3, 4)}, attrs, opset)
    (fault,) = faults_of(graph)
    assert words in fault.what


def test_a_variance_below_zero_is_refused(hand_graph, faults_of):
    weights = {name: -np.ones(3, np.float32) for name in ("scale", "bias", "mean", "var")}
    graph = hand_graph("BatchNormalization", {"x": (1, 3, 4)}, weights, {"y": (1, 3, 4)})
    (fault,) = faults_of(graph)
    assert "finite" in fault.what
