"""Functions of one signal against onnxruntime, in the ways that opsets and exporters write them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.ops.lower import lower

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
        ("Elu", 6, {}),
        ("Elu", 22, {"alpha": -0.5}),
        ("Celu", 12, {"alpha": 2.5}),
        ("Selu", 6, {"alpha": 0.5, "gamma": -2.0}),
        ("Softplus", 22, {}),
        ("Softsign", 7, {}),
        ("ThresholdedRelu", 10, {}),
        ("ThresholdedRelu", 22, {"alpha": -1.25}),
        ("Shrink", 9, {"bias": 1.5, "lambd": 1.5}),
        ("Shrink", 9, {"bias": -0.5, "lambd": 2.0}),
        ("Shrink", 9, {"lambd": 0.0}),
        ("Mish", 18, {}),
        ("Gelu", 20, {}),
        ("Gelu", 20, {"approximate": "tanh"}),
        ("Erf", 9, {}),
        ("Exp", 7, {}),
        ("Abs", 7, {}),
        ("Sign", 9, {}),
        ("Floor", 7, {}),
        ("Ceil", 13, {}),
        ("Round", 11, {}),
        ("Clip", 7, {}),
        ("Clip", 7, {"min": -1.5}),
        ("Clip", 7, {"max": 2.5}),
        ("Clip", 10, {"min": -1.5, "max": 2.5}),
        ("Clip", 10, {"min": -LARGEST, "max": LARGEST}),
    ],
)
def test_activations_equal_onnxruntimes(check_node, op, opset, attrs):
    check_node(op, {"x": X}, opset=max(opset, 7), **attrs)


@pytest.mark.parametrize("signal", [1e30, 1000.0, 0.0, -1000.0, -1e30])
@pytest.mark.parametrize(
    ("op", "opset"),
    [
        ("Sigmoid", 13), ("Tanh", 13), ("Elu", 13), ("Celu", 13), ("Selu", 13), ("Softplus", 13),
        ("Softsign", 13), ("Mish", 18), ("Erf", 13), ("ThresholdedRelu", 13),
    ],
)  # fmt: skip
def test_far_signals_do_not_overflow(check_node, op, opset, signal):
    check_node(op, {"x": np.full((2, 3), signal, np.float32)}, opset=opset)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("signal", [1e9, -1e9])
def test_a_far_gelu(check_node, approximate, signal):
    x = np.full((2, 3), signal, np.float32)
    check_node("Gelu", {"x": x}, opset=20, approximate=approximate)


@pytest.mark.parametrize(
    ("op", "signal", "ends_at"),
    [
        ("Exp", 1e6, np.exp(88.7)),
        ("Exp", -1e6, 0),
        ("Log", 0, np.log(1e-38)),
        ("Log", -3, np.log(1e-38)),
        ("Sqrt", -4, 0),
        ("Reciprocal", 0, 0),
    ],
)
def test_a_function_without_a_number_there_ends_at_its_largest(
    op, signal, ends_at, hand_graph, case_run
):
    graph = hand_graph(op, {"x": (1, 3)}, {}, {"y": (1, 3)})
    found = case_run(graph, {"x": np.array([[signal, 1, signal]])})["y"]
    assert found[0, [0, 2]] == pytest.approx(ends_at)
    assert found[0, 1] == {"Exp": np.e, "Log": 0}.get(op, 1)


def test_whole_numbers_with_noise_in_the_last_bits_stay(hand_graph, case_run):
    whole = np.arange(-6.0, 6.0).reshape(3, 4)
    for op in ("Floor", "Ceil", "Round"):
        graph = hand_graph(op, {"x": (3, 4)}, {}, {"y": (3, 4)})
        for noise in (-1e-9, 0, 1e-9):
            assert (case_run(graph, {"x": whole + noise})["y"] == whole).all()


@pytest.mark.parametrize(
    ("op", "attrs", "words"),
    [
        ("Celu", {"alpha": 0.0}, "alpha = 0 has to be positive"),
        ("Gelu", {"approximate": "fast"}, "'fast' is not one of none, tanh"),
        ("Shrink", {"lambd": -0.5}, "lambd = -0.5, so that both sides overlap"),
    ],
)
def test_attributes_that_make_no_sense_are_refused(op, attrs, words, hand_graph, faults_of):
    (fault,) = faults_of(hand_graph(op, {"x": (2, 3)}, {}, {"y": (2, 3)}, attrs, 20))
    assert fault.code == "unsupported-attribute"
    assert words in fault.what


@pytest.mark.parametrize(
    ("op", "before"),
    [("Celu", 11), ("Erf", 8), ("Gelu", 19), ("Mish", 17), ("Round", 10), ("Swish", 23)],
)
def test_an_operator_before_its_first_opset(op, before, hand_graph, faults_of):
    graph = hand_graph(op, {"x": (2, 3)}, {}, {"y": (2, 3)}, {}, before)
    (fault,) = faults_of(graph)
    assert f"covered from opset {before + 1}" in fault.what
    assert lower(replace(graph, opset=before + 1)).stages


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
    assert type(stage).__name__ == "Rename"


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
