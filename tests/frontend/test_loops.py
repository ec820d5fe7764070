"""Loop and Scan with a constant number of turns, written out, against onnxruntime."""

from __future__ import annotations

import time

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.evaluation import evaluate, reference
from memxc.frontend import load
from memxc.ops.lower import lower

node = helper.make_node
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
X = (1, 3, 4)
WEIGHTS = {"w": np.random.default_rng(3).normal(size=(4, 4)).astype(np.float32)}


def body(nodes, inputs, outputs, weights=None):
    """A graph; its inputs and outputs are (name, type): whole numbers and conditions are single."""
    inits = [numpy_helper.from_array(np.asarray(v), n) for n, v in (weights or {}).items()]
    info = helper.make_tensor_value_info
    ends = [
        [info(name, kind, None if kind == FLOAT else ()) for name, kind in part]
        for part in (inputs, outputs)
    ]
    return helper.make_graph(nodes, "body", *ends, inits)


def turn(nodes, results, weights=None, condition="c", value="v"):
    """The body of a Loop with one carried value."""
    on = f"{value} on"
    return body(
        [*nodes, node("Identity", [condition], [on])],
        [("i", INT64), ("c", BOOL), (value, FLOAT)],
        [(on, BOOL), *((name, FLOAT) for name in results)],
        weights,
    )


def agree(path, shape=X, tolerance=1e-5):
    x = np.random.default_rng(8).normal(size=(2, *shape[1:])).astype(np.float32)
    loaded = load(path)
    found, expected = evaluate.outputs(lower(loaded), {"x": x}), reference.run(path, {"x": x})
    for name, values in expected.items():
        assert found[name].shape == values.shape
        np.testing.assert_allclose(found[name], values, rtol=0, atol=tolerance)
    return loaded


def test_a_loop_with_a_weight_inside_and_results_of_each_turn(build):
    step = [node("MatMul", ["v", "w"], ["m"]), node("Tanh", ["m"], ["v2"])]
    loop = node("Loop", ["n", "", "x"], ["y", "all"], body=turn(step, ["v2", "m"], WEIGHTS))
    loaded = agree(build([loop], {"n": np.array(3)}, x=X, out=("y", "all")))
    assert [n.op for n in loaded.nodes if n.op in ("MatMul", "Tanh")] == ["MatMul", "Tanh"] * 3
    assert loaded.shapes["all"] == (3, *X)
    assert len({n.inputs[1] for n in loaded.nodes if n.op == "MatMul"}) == 1  # held once


def test_a_condition_ends_a_loop(build):
    """The turn's number and a tensor from outside are read inside."""
    step = [
        node("Add", ["v", "b"], ["v2"]),
        node("Less", ["i", "last"], ["less"]),
    ]
    loop = node("Loop", ["n", "go", "x"], ["y"], body=turn(step, ["v2"], condition="less"))
    weights = {"n": np.array(9), "go": np.array(True), "b": np.float32([1, 2, 3, 4]),
               "last": np.array(2)}  # fmt: skip
    loaded = agree(build([loop], weights, x=X))
    assert sum(n.op == "Add" for n in loaded.nodes) == 3


def test_an_if_and_a_loop_in_a_loop(build):
    """An If takes one branch in the first turn, and another later."""
    info = [helper.make_tensor_value_info("s", FLOAT, None)]
    branches = {
        "then_branch": helper.make_graph([node("Neg", ["v"], ["s"])], "then", [], info),
        "else_branch": helper.make_graph([node("Relu", ["v"], ["s"])], "else", [], info),
    }
    inner = turn([node("Add", ["u", "x"], ["u2"])], ["u2"], value="u")
    step = [
        node("Equal", ["i", "zero"], ["first"]),
        node("If", ["first"], ["r"], **branches),
        node("Loop", ["two", "", "r"], ["v2"], body=inner),
    ]
    loop = node("Loop", ["two", "", "x"], ["y"], body=turn(step, ["v2"]))
    loaded = agree(build([loop], {"two": np.array(2), "zero": np.array(0)}, x=X))
    kinds = [n.op for n in loaded.nodes if n.op != "Identity"]
    assert kinds == ["Neg", "Add", "Add", "Relu", "Add", "Add"]


def test_no_turn_passes_the_value_on(build):
    loop = node("Loop", ["n", "", "r"], ["y"], body=turn([node("Neg", ["v"], ["v2"])], ["v2"]))
    agree(build([node("Relu", ["x"], ["r"]), loop], {"n": np.array(0)}, x=X))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scan_input_directions": [1], "scan_output_axes": [-1]},
        {"scan_output_directions": [1], "scan_output_axes": [1]},
    ],
)
def test_a_scan(build, settings):
    step = body(
        [node("MatMul", ["h", "w"], ["m"]), node("Add", ["m", "slice"], ["a"]),
         node("Tanh", ["a"], ["h2"]), node("Neg", ["a"], ["out"])],
        [("h", FLOAT), ("slice", FLOAT)],
        [("h2", FLOAT), ("out", FLOAT)],
    )  # fmt: skip
    scan = node("Scan", ["h0", "x"], ["y", "all"], body=step, num_scan_inputs=1,
                scan_input_axes=[1], **settings)  # fmt: skip
    weights = {**WEIGHTS, "h0": np.float32([[1, 2, 3, 4]])}
    loaded = agree(build([scan], weights, x=X, out=("y", "all")))
    assert sum(n.op == "Tanh" for n in loaded.nodes) == 3


@pytest.mark.parametrize(
    ("count", "step", "outputs", "what"),
    [
        (20_000, ["Neg"], ["y"], "more than 20,000 nodes"),
        (2**40, ["Neg"], ["y"], "more than 20,000 nodes"),
        (2, ["NonZero"], ["y"], "depends on the data"),
        (0, ["Neg"], ["y", "all"], "holds nothing"),
    ],
)
def test_loops_without_a_circuit(build, faults_of, count, step, outputs, what):
    results = ["v2"] * len(outputs)
    graph = turn([node(step[0], ["v"], ["v2"])], results)
    nodes = [node("Loop", ["n", "", "x"], outputs, body=graph, name="loop")]
    start = time.process_time()
    faults = faults_of(build(nodes, {"n": np.array(count)}, x=X, out=outputs))
    assert what in faults[0].what
    assert len(faults) == 1  # and not one for each turn
    assert time.process_time() - start < 5


def test_a_number_of_turns_that_only_the_data_tell(build, faults_of):
    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Cast", ["s"], ["n"], to=INT64),
        node("Loop", ["n", "", "x"], ["y"], body=turn([node("Neg", ["v"], ["v2"])], ["v2"]),
             name="loop"),
    ]  # fmt: skip
    (fault,) = faults_of(build(nodes, x=X))
    assert (fault.code, "at run time" in fault.what) == ("unsupported-op", True)


def test_a_loop_that_ends_itself_without_being_asked(build, faults_of):
    """onnxruntime stops; ONNX says that this condition is not read."""
    step = [node("Neg", ["v"], ["v2"]), node("Not", ["c"], ["off"])]
    loop = node("Loop", ["n", "", "x"], ["y"], body=turn(step, ["v2"], condition="off"), name="l")
    (fault,) = faults_of(build([loop], {"n": np.array(4)}, x=X))
    assert "runtimes do not agree" in fault.what
