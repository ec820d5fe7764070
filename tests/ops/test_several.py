"""Sum, Mean, Max, Min and powers against onnxruntime, with constants and broadcasting."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.ir.stages import Lanes, Linear, Rename
from memxc.ops.lower import lower


def random(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


INPUTS = {
    "a": random(1, 3, 4, 5),
    "b": random(3, 1, 5),
    "c": random(2, 1, 4, 1),
    "d": np.full((4, 5), 0.25, np.float32),
}


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
@pytest.mark.parametrize(
    "constants", [[], ["d"], ["c"], ["a"], ["b", "c"], ["b", "d"], ["b", "c", "d"], ["a", "c", "d"]]
)
def test_signals_and_constants(check_node, op, constants):
    stages = lower(check_node(op, INPUTS, constants)).stages
    lanes = [stage for stage in stages if isinstance(stage, Lanes)]
    if op == "Sum" and len(constants) == 3:
        assert [type(stage) for stage in stages] == [Linear]
    else:
        assert len(lanes) == 1
        held = [stage for stage in stages if isinstance(stage, Linear)]
        # One number for all lanes stands in the circuit, others are held voltages.
        assert len(held) == (constants not in ([], ["d"]))
        assert all(stage.cell == "resistor" for stage in held)


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
def test_a_single_signal_is_wires(check_node, op):
    (stage,) = lower(check_node(op, {"a": random(2, 3)})).stages
    assert isinstance(stage, Rename)


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_min_and_max_of_signals_keep_the_scale_and_with_a_constant_do_not(check_node, op):
    """A largest or smallest signal is in the volts of its inputs; a number is in units."""
    inputs = {"a": random(2, 3), "b": random(2, 3, seed=1), "c": np.float32(0.5)}
    assert lower(check_node(op, {n: inputs[n] for n in "ab"})).stages[0].keeps_scale
    assert not lower(check_node(op, inputs, ["c"])).stages[0].keeps_scale


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
@pytest.mark.parametrize("value", [[np.nan, 1, 1], [np.inf, 1, -np.inf], "wins"])
def test_constants_that_are_no_numbers_are_refused(op, value, hand_graph, faults_of):
    value = [-np.inf if op == "Min" else np.inf] * 3 if value == "wins" else value
    weights = {"c": np.array(value, np.float32)}
    (fault,) = faults_of(hand_graph(op, {"a": (2, 3), "b": (2, 3)}, weights, {"y": (2, 3)}))
    assert fault.code == "unsupported-model"
    assert "finite" in fault.what


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("shape", [(), (4, 2, 3)])
def test_a_constant_that_is_never_chosen_needs_no_circuit(check_node, op, shape):
    """What exporters begin a largest or smallest number with: -inf, or the lowest float32."""
    for largest in (np.inf, np.finfo(np.float32).max):
        never = np.full(shape, largest if op == "Min" else -largest, np.float32)
        (stage,) = lower(check_node(op, {"a": random(2, 3), "c": never}, ["c"])).stages
        assert isinstance(stage, Rename)


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min", "Div", "Pow", "PRelu"])
def test_constants_only_are_refused(op, hand_graph, faults_of):
    weights = {"a": random(2, 3), "b": random(2, 3, seed=1)}
    (fault,) = faults_of(hand_graph(op, {}, weights, {"y": (2, 3)}))
    assert fault.code in ("unsupported-model", "unsupported-op")


@pytest.mark.parametrize("exponent", [1, 2, 3, 16, -1, -2, -5])
def test_whole_powers_take_either_sign(check_node, exponent):
    x = np.sign(random(2, 3)) * (np.float32(0.5) + np.abs(random(2, 3, seed=1)))
    for dtype in (np.float32, np.int64):
        check_node("Pow", {"x": x, "e": np.array([exponent], dtype)}, ["e"])


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.7, 17, -17, 1e-3])
def test_other_powers_of_what_is_positive(check_node, exponent):
    x = np.float32(0.5) + np.abs(random(2, 3))
    check_node("Pow", {"x": x, "e": np.full((4, 1, 1), exponent, np.float32)}, ["e"])


@pytest.mark.parametrize("exponent", [0.5, 0.1, 2.5])
def test_a_power_of_zero_is_zero(check_node, exponent):
    check_node("Pow", {"x": np.zeros((2, 3), np.float32), "e": np.float32(exponent)}, ["e"])


@pytest.mark.parametrize(
    ("exponent", "words"),
    [
        (np.array([1, 2, 3], np.float32), "exponents that differ, from 1 to 3"),
        (np.float32(0), "an exponent of 0"),
        (np.float32(np.nan), "finite"),
        (np.float32(np.inf), "finite"),
    ],
)
def test_exponents_without_a_circuit(exponent, words, hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("Pow", {"x": (2, 3)}, {"e": exponent}, {"y": (2, 3)}))
    assert words in fault.what


def test_an_exponent_that_is_a_signal_is_refused(hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("Pow", {"x": (2, 3), "e": (2, 3)}, {}, {"y": (2, 3)}))
    assert fault.code == "unsupported-op"
    assert "its exponent is a signal" in fault.what


@pytest.mark.parametrize(
    ("op", "shapes", "words"),
    [
        ("Sum", [(3,), (4, 1, 2)], "do not fit each other"),
        ("Mean", [(0,)], "is empty"),
        ("Sum", [(7,)], "a constant of (1, 1, 7) does not fit an output of (2, 3, 5)"),
    ],
)
def test_constants_that_do_not_fit_are_faults(hand_graph, faults_of, op, shapes, words):
    """A Graph may hold them: before opset 8 nothing infers their shapes."""
    weights = {f"w{i}": np.ones(shape, np.float32) for i, shape in enumerate(shapes)}
    (fault,) = faults_of(hand_graph(op, {"x": (2, 3, 5)}, weights, {"y": (2, 3, 5)}, opset=8))
    assert fault.code == "unsupported-shape"
    assert words in fault.what
