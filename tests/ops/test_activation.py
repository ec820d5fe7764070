"""Functions of one signal against onnxruntime, in the ways that opsets and exporters write them."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.lower import lower

X = np.linspace(-9, 9, 42, dtype=np.float32).reshape(2, 3, 7)
LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    ("op", "opset", "attrs"),
    [
        ("Relu", 14, {}),
        ("LeakyRelu", 16, {}),
        ("LeakyRelu", 16, {"alpha": 1.5}),
        ("LeakyRelu", 16, {"alpha": -0.25}),
        ("Sigmoid", 13, {}),
        ("Tanh", 13, {}),
        ("HardSigmoid", 6, {}),
        ("HardSigmoid", 6, {"alpha": 0.125, "beta": 0.75}),
        ("HardSwish", 14, {}),
        ("Clip", 7, {}),
        ("Clip", 7, {"min": -1.5}),
        ("Clip", 7, {"max": 2.5}),
        ("Clip", 10, {"min": -1.5, "max": 2.5}),
        ("Clip", 10, {"min": -LARGEST, "max": LARGEST}),
    ],
)
def test_is_onnxruntimes(check_node, op, opset, attrs):
    check_node(op, {"x": X}, opset=max(opset, 7), **attrs)


@pytest.mark.parametrize("signal", [1000.0, -1000.0])
def test_far_signals_do_not_overflow(check_node, signal):
    for op in ("Sigmoid", "Tanh"):
        check_node(op, {"x": np.full((2, 3), signal, np.float32)})


@pytest.mark.parametrize(
    ("low", "high", "circuit", "opamps"),
    [
        (0.0, LARGEST, "relu", 1),
        (0.0, 6.0, "clip", 2),
        (-2.0, 3.0, "clip", 2),
        (1.0, 3.0, "clip", 2),
        (3.0, -2.0, "clip", 2),
        (0.0, np.inf, "relu", 1),
        (-np.inf, 0.5, "clip", 1),
        (-LARGEST, 0.5, "clip", 1),
    ],
)
def test_clip_with_bounds_as_inputs(check_node, low, high, circuit, opamps):
    bounds = {"low": np.float32(low), "high": np.float32(high)}
    graph = check_node("Clip", {"x": X, **bounds}, ["low", "high"], opset=13)
    (stage,) = lower(graph).stages
    assert (stage.circuit.name, stage.circuit.opamps) == (circuit, opamps)
    # The range behind a clip is smaller, so that a scale of its own makes better use of the volts.
    assert stage.keeps_scale == (circuit == "relu")


def test_a_clip_without_bounds_is_wires(hand_graph):
    (stage,) = lower(hand_graph("Clip", {"x": (2, 3)}, {}, {"y": (2, 3)})).stages
    assert type(stage).__name__ == "Wires"


@pytest.mark.parametrize(
    ("attrs", "words"),
    [({"min": np.inf}, "leaves nothing"), ({"max": np.nan}, "max = nan is no finite number")],
)
def test_bounds_that_make_no_sense_are_refused(attrs, words, hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("Clip", {"x": (2, 3)}, {}, {"y": (2, 3)}, attrs, 10))
    assert words in fault.what


def test_bounds_computed_at_run_time_are_refused(hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("Clip", {"x": (2, 3), "low": ()}, {}, {"y": (2, 3)}))
    assert "min is computed at run time" in fault.what
