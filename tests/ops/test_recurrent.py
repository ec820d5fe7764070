"""LSTM, GRU and RNN, unrolled: against onnxruntime, over fifty steps, and with faults."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from memxc.ir.stages import Lanes, Linear
from memxc.ops.lower import lower

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, BATCH, INPUTS, HIDDEN = 3, 2, 4, 3


def tensors(op, steps=STEPS, directions=1, *, peepholes=False, lengths=None, states=True):
    """The inputs of a recurrent node, by name in ONNX's order."""
    rng, wide = np.random.default_rng(7), GATES[op] * HIDDEN
    state = (directions, BATCH, HIDDEN)
    shapes = {
        "X": (steps, BATCH, INPUTS),
        "W": (directions, wide, INPUTS),
        "R": (directions, wide, HIDDEN),
        "B": (directions, 2 * wide),
        "lengths": (BATCH,),
        "initial_h": state,
        **({"initial_c": state} if op == "LSTM" else {}),
        **({"P": (directions, 3 * HIDDEN)} if peepholes else {}),
    }
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    made["lengths"] = np.array(lengths or [steps] * BATCH, np.int32)
    for name in ("initial_h", "initial_c"):
        if name in made and not states:
            made[name][:] = 0
    return made


def constants(inputs):
    return [name for name in inputs if name != "X"]


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
def test_directions(check_node, op, direction):
    inputs = tensors(op, directions=2 if direction == "bidirectional" else 1)
    settings = {"outputs": 3 if op == "LSTM" else 2, "direction": direction}
    check_node(op, inputs, constants(inputs), hidden_size=HIDDEN, **settings)


@pytest.mark.parametrize("op", GATES)
def test_a_state_that_is_a_signal(check_node, op):
    inputs = tensors(op)
    fixed = [name for name in constants(inputs) if "initial" not in name]
    check_node(op, inputs, fixed, outputs=3 if op == "LSTM" else 2, hidden_size=HIDDEN)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
def test_sequences_of_different_lengths(check_node, op, direction):
    inputs = tensors(op, directions=2 if direction == "bidirectional" else 1, lengths=[1, 3])
    settings = {"outputs": 3 if op == "LSTM" else 2, "direction": direction}
    check_node(op, inputs, constants(inputs), hidden_size=HIDDEN, **settings)


@pytest.mark.parametrize(
    ("op", "peepholes", "attrs"),
    [
        ("LSTM", True, {}),
        ("LSTM", False, {"clip": 0.3}),
        ("LSTM", True, {"clip": 0.3}),
        ("LSTM", True, {"input_forget": 1}),
        ("LSTM", False, {"input_forget": 1}),
        ("GRU", False, {"clip": 0.3}),
        ("GRU", False, {"linear_before_reset": 1}),
        ("GRU", False, {"linear_before_reset": 1, "clip": 0.3}),
        ("RNN", False, {"clip": 0.3}),
    ],
)
def test_settings(check_node, op, peepholes, attrs):
    inputs = tensors(op, peepholes=peepholes)
    outputs = 3 if op == "LSTM" else 2
    check_node(op, inputs, constants(inputs), outputs=outputs, hidden_size=HIDDEN, **attrs)


@pytest.mark.parametrize(
    ("names", "alpha", "beta"),
    [
        (["HardSigmoid", "Softsign", "Affine"], [0.3, 0.6], [0.4, 0.1]),
        (["Sigmoid", "LeakyRelu", "ScaledTanh"], [0.3, 0.6], [0.4]),
        (["HardSigmoid", "Elu", "ThresholdedRelu"], [0.3, 0.6, 0.1], [0.4]),
        (["HardSigmoid", "LeakyRelu", "Elu"], None, None),
        (["sigmoid", "relu", "SOFTPLUS"], None, None),
    ],
)
def test_activations(check_node, names, alpha, beta):
    """Each activation takes its own numbers from the lists, which no two of these read alike."""
    inputs = tensors("LSTM")
    numbers = {"activation_alpha": alpha, "activation_beta": beta}
    given = {name: value for name, value in numbers.items() if value}
    check_node("LSTM", inputs, constants(inputs), hidden_size=HIDDEN, activations=names, **given)


def test_each_direction_has_activations_of_its_own(check_node):
    inputs = tensors("RNN", directions=2)
    names = {"activations": ["Tanh", "Relu"], "direction": "bidirectional"}
    check_node("RNN", inputs, constants(inputs), hidden_size=HIDDEN, **names)


@pytest.mark.parametrize("op", GATES)
def test_fifty_steps_of_two_sequences_in_double(case_graph, case_run, case_error, op):
    """The design computes in double precision, as ONNX's reference does with these inputs."""
    inputs = {
        name: value if name == "lengths" else value.astype(np.float64)
        for name, value in tensors(op, steps=50).items()
    }
    inputs = {name: value for name, value in inputs.items() if name != "lengths"}
    names = [name if name in inputs else "" for name in tensors(op)]
    after = {"linear_before_reset": 1} if op == "GRU" else {}
    node = helper.make_node(op, names, ["y", "last"], name="n", hidden_size=HIDDEN, **after)
    model = helper.make_model(
        helper.make_graph(
            [node],
            "one",
            [helper.make_tensor_value_info(n, 11, v.shape) for n, v in inputs.items()],
            [helper.make_tensor_value_info(n, 11, None) for n in ("y", "last")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    expected = dict(zip(("y", "last"), ReferenceEvaluator(model).run(None, inputs), strict=True))
    graph = case_graph(model, {name: inputs[name] for name in inputs if name != "X"})
    found = case_run(graph, inputs)
    for name in ("y", "last"):
        assert found[name].shape == expected[name].shape
        assert case_error(found[name], expected[name]) < 1e-9


def test_batches_first(hand_graph, case_run):
    """onnxruntime has no layout = 1; the same node with axes in the other order is the oracle."""
    inputs = tensors("GRU")
    weights = {name: inputs[name] for name in ("W", "R", "B")}
    found = {}
    for layout, x in enumerate((inputs["X"], inputs["X"].transpose(1, 0, 2))):
        shapes = [(STEPS, 1, BATCH, HIDDEN), (1, BATCH, HIDDEN)]
        if layout:
            shapes = [(BATCH, STEPS, 1, HIDDEN), (BATCH, 1, HIDDEN)]
        outputs = dict(zip(("y", "last"), shapes, strict=True))
        graph = hand_graph("GRU", {"X": x.shape}, weights, outputs, {"layout": layout})
        found[layout] = case_run(graph, {"X": x})
    np.testing.assert_array_equal(found[0]["y"].transpose(2, 0, 1, 3), found[1]["y"])
    np.testing.assert_array_equal(found[0]["last"].transpose(1, 0, 2), found[1]["last"])


@pytest.mark.parametrize(
    ("op", "attrs", "crossbars", "devices", "lanes"),
    [
        ("LSTM", {}, ["7+1x12"], 84, 5),
        ("GRU", {}, ["7+1x6", "7+1x3"], 42, 4),
        # The columns of W x and of R h have devices at the lines of x and of h alone.
        ("GRU", {"linear_before_reset": 1}, ["7+1x12"], 42 + 12 + 9, 4),
        ("RNN", {}, ["7+1x3"], 21, 1),
    ],
)
def test_what_a_step_is_built_of(hand_graph, op, attrs, crossbars, devices, lanes):
    inputs = tensors(op)
    weights = {name: inputs[name] for name in ("W", "R", "B")}
    shapes = {"y": (STEPS, 1, BATCH, HIDDEN)}
    design = lower(hand_graph(op, {"X": inputs["X"].shape}, weights, shapes, attrs))
    linear = [stage for stage in design.stages if isinstance(stage, Linear)]
    built = [str(stage.kernels[0]) for stage in linear]
    assert built == [f"{crossbar}@{BATCH}" for crossbar in crossbars] * STEPS
    assert sum(isinstance(stage, Lanes) for stage in design.stages) == lanes * STEPS
    assert linear[0].kernels[0].devices == devices


def faulty(hand_graph, *, attrs=None, steps=STEPS, **changed):
    inputs = {**tensors("LSTM"), **changed}
    weights = {name: inputs[name] for name in ("W", "R", "B", "lengths", "initial_h")}
    outputs = {"y": (steps, 1, BATCH, HIDDEN)}
    return hand_graph("LSTM", {"X": (steps, BATCH, INPUTS)}, weights, outputs, attrs)


@pytest.mark.parametrize(
    ("attrs", "what"),
    [
        ({"activations": ("Tanh",)}, "1 activations, where it has 3"),
        ({"activations": ("Tanh", "Tanh", "Cosh")}, "'Cosh' is unknown"),
        ({"activations": ("Tanh", "Tanh", "Affine")}, "Affine without its numbers"),
        ({"activation_alpha": (0.5,)}, "more numbers than its activations read"),
        ({"direction": "sideways"}, "'sideways' is not one of"),
        ({"clip": 0.0}, "has to be positive"),
        ({"hidden_size": HIDDEN + 1}, "its R is for 3"),
    ],
)
def test_attributes_that_make_no_sense(hand_graph, faults_of, attrs, what):
    (fault,) = faults_of(faulty(hand_graph, attrs=attrs))
    assert what in fault.what


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"R": np.ones((), np.float32)}, "its W has the shape (1, 12, 4)"),
        ({"initial_h": np.ones((2, 3), np.float32)}, "initial state of (2, 3)"),
        ({"W": np.ones((1, 12, 5), np.float32)}, "its W has the shape (1, 12, 5)"),
        ({"B": np.ones((1, 12), np.float32)}, "its biases B have the shape (1, 12)"),
        ({"lengths": np.array([0, 3], np.int32)}, "reach from 0 to 3 in 3 steps"),
        ({"lengths": np.array([2, 4], np.int32)}, "reach from 2 to 4 in 3 steps"),
        ({"steps": 2049, "lengths": np.array([9, 9], np.int32)}, "more than the 2,048"),
    ],
)
def test_shapes_that_do_not_fit(hand_graph, faults_of, changed, what):
    (fault,) = faults_of(faulty(hand_graph, **changed))
    assert (fault.code, what in fault.what) == ("unsupported-shape", True)


def test_weights_that_are_signals(one_node):
    inputs = tensors("RNN")
    with pytest.raises(Exception, match="its weights W is computed at run time"):
        one_node("RNN", inputs, constants(inputs)[1:], hidden_size=HIDDEN)
