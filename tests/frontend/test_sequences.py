"""Lists of tensors taken apart, against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from memxc.evaluation import evaluate, reference
from memxc.frontend import load
from memxc.ops.lower import lower

node = helper.make_node
WEIGHTS = {
    "two": np.array(2),
    "uneven": np.array([1, 3, 1]),
    "last": np.array(-1),
    "first": np.array(0),
    "one": np.array([1]),
}


def agree(path):
    x = np.random.default_rng(8).normal(size=(2, 3, 4, 5)).astype(np.float32)
    loaded = load(path)
    found, expected = evaluate.outputs(lower(loaded), {"x": x}), reference.run(path, {"x": x})
    np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-6, atol=1e-5)
    return loaded


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize(
    ("sizes", "settings"),
    [
        (["two"], {"axis": 3}),
        (["two"], {"axis": -2}),
        (["uneven"], {"axis": 3}),
        (["uneven"], {"axis": -1, "keepdims": 0}),
        ([], {"axis": 2}),
        ([], {"axis": 1, "keepdims": 0}),
    ],
)
def test_split_and_take(build, opset, sizes, settings):
    """The first member is reversed by the nodes behind it, so that a wrong order would show."""
    nodes = [
        node("SplitToSequence", ["x", *sizes], ["s"], name="split", **settings),
        node("SequenceAt", ["s", "first"], ["a"]),
        node("SequenceAt", ["s", "last"], ["b"]),
        node("Neg", ["b"], ["n"]),
        node("Concat", ["n", "a"], ["y"], axis=-1 if settings["axis"] in (3, -1) else 2),
    ]
    if sizes == ["two"] and settings["axis"] == -2:
        nodes[-1] = node("Sub", ["a", "n"], ["y"])
    loaded = agree(build(nodes, WEIGHTS, opset=opset))
    assert {n.op for n in loaded.nodes} <= {"Split", "Squeeze", "Identity", "Neg", "Concat", "Sub"}


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("new", [0, 1])
def test_construct_and_join(build, opset, new):
    nodes = [
        node("Relu", ["x"], ["r"]),
        node("SequenceConstruct", ["r", "x", "r"], ["s"]),
        node("ConcatFromSequence", ["s"], ["y"], axis=2, new_axis=new),
    ]
    loaded = agree(build(nodes, WEIGHTS, opset=opset))
    assert loaded.shapes["y"] == ((1, 3, 3, 4, 5) if new else (1, 3, 12, 5))


@pytest.mark.parametrize(("place", "order"), [("", "nxr"), ("first", "rnx"), ("last", "nrx")])
def test_insert_erase_and_count(build, place, order):
    """A list of -x and x gets a third member; the order shows in the concatenation."""
    nodes = [
        node("Neg", ["x"], ["n"]),
        node("Relu", ["x"], ["r"]),
        node("SequenceEmpty", [], ["e"]),
        node("SequenceInsert", ["e", "n"], ["a"]),
        node("SequenceInsert", ["a", "x"], ["b"]),
        node("SequenceInsert", ["b", "r", place], ["c"]),
        node("SequenceInsert", ["c", "x"], ["d"]),
        node("SequenceErase", ["d"], ["f"]),
        node("Identity", ["f"], ["g"]),
        node("SequenceLength", ["g"], ["count"]),
        node("Cast", ["count"], ["factor"], to=1),
        node("ConcatFromSequence", ["g"], ["joined"], axis=1),
        node("Mul", ["joined", "factor"], ["y"]),
    ]
    loaded = agree(build(nodes, WEIGHTS))
    (joined,) = (n for n in loaded.nodes if n.op == "Concat")
    assert "".join(joined.inputs) == order


def test_a_list_that_a_loop_fills(build):
    """As PyTorch's scripts write a recurrent network by hand."""
    info = helper.make_tensor_value_info
    tensors = helper.make_tensor_sequence_value_info
    body = helper.make_graph(
        [node("Gather", ["x", "i"], ["part"], axis=2), node("Add", ["h", "part"], ["h2"]),
         node("SequenceInsert", ["s", "h2"], ["s2"]), node("Identity", ["go"], ["on"])],
        "body",
        [info("i", 7, ()), info("go", 9, ()), info("h", 1, None), tensors("s", 1, None)],
        [info("on", 9, ()), info("h2", 1, None), tensors("s2", 1, None)],
    )  # fmt: skip
    nodes = [
        node("ReduceSum", ["x", "axis"], ["h0"], keepdims=0),
        node("SequenceEmpty", [], ["none"]),
        node("Loop", ["turns", "", "h0", "none"], ["h", "all"], body=body),
        node("ConcatFromSequence", ["all"], ["y"], axis=2, new_axis=1),
    ]
    loaded = agree(build(nodes, {"turns": np.array(4), "axis": np.array([2])}))
    assert loaded.shapes["y"] == (1, 3, 4, 5)


@pytest.mark.parametrize(
    ("nodes", "code", "what"),
    [
        ([node("SplitToSequence", ["x", "first"], ["s"], axis=1)], "broken-model", "make up the 3"),
        ([node("SplitToSequence", ["x", "uneven"], ["s"], axis=1)], "broken-model", "up the 3"),
        ([node("SplitToSequence", ["x", "two"], ["s"], axis=7)], "broken-model", "axis 7"),
        ([node("SplitToSequence", ["x", "two"], ["s"], axis=1),
          node("SequenceAt", ["s", "two"], ["y"])], "broken-model", "takes member 2 of 2"),
        ([node("SequenceConstruct", ["x"], ["y"])], "unsupported-model", "list of tensors"),
        ([node("SequenceConstruct", ["x"], ["s"]), node("Relu", ["s"], ["y"])],
         "unsupported-op", "Relu works on a list"),
        ([node("SequenceAt", ["x", "two"], ["y"])], "broken-model", ""),
        ([node("SequenceEmpty", [], ["e"]), node("SequenceErase", ["e"], ["s"])],
         "broken-model", "holds nothing"),
        ([node("SequenceEmpty", [], ["e"]), node("ConcatFromSequence", ["e"], ["y"], axis=0)],
         "unsupported-shape", "holds nothing"),
        ([node("SequenceConstruct", ["x"], ["e"]),
          node("SequenceInsert", ["e", "x", "two"], ["s"])],
         "broken-model", "takes member 2 of 2"),
        ([node("SequenceConstruct", ["x"], ["e"]), node("Identity", ["e"], ["y"])],
         "unsupported-model", "list of tensors"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_taken_apart(build, faults_of, nodes, code, what):
    if nodes[-1].output[0] == "s":
        nodes = [*nodes, node("SequenceAt", ["s", "first"], ["y"])]
    (fault,) = faults_of(build(nodes, WEIGHTS))
    assert fault.code == code
    assert what in fault.what


def test_a_member_that_only_the_data_tells(build, faults_of):
    nodes = [
        node("ArgMax", ["x"], ["m"], axis=1),
        node("ReduceMax", ["m"], ["i"], keepdims=0),
        node("SequenceConstruct", ["x", "x"], ["s"]),
        node("SequenceAt", ["s", "i"], ["y"]),
    ]
    (fault,) = faults_of(build(nodes))
    assert (fault.code, "at run time" in fault.what) == ("unsupported-op", True)


def test_lists_without_end(build, faults_of):
    """A list of 4,000 tensors is joined again and again."""
    nodes = [
        node("SplitToSequence", ["x"], ["s"], axis=3),
        *(node("ConcatFromSequence", ["s"], [f"c{i}"], axis=0) for i in range(20)),
        node("Sum", [f"c{i}" for i in range(20)], ["y"]),
    ]
    faults = faults_of(build(nodes, x=(1, 1, 1, 4_000)))
    assert {fault.code for fault in faults} == {"unsupported-shape"}
    assert "65,536 tensors" in faults[0].what


def test_more_members_than_inference_looks_at(build, faults_of):
    nodes = [
        node("SplitToSequence", ["x"], ["s"], name="split", axis=3),
        node("SequenceAt", ["s", "first"], ["y"]),
    ]
    (fault,) = faults_of(build(nodes, WEIGHTS, x=(1, 1, 1, 30_000)))
    assert fault.code == "unsupported-shape"


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (np.float32([np.nan, 2]), "not whole numbers"),
        (np.float32(np.inf), "not whole numbers"),
    ],
)
def test_sizes_that_are_no_numbers(build, faults_of, sizes, words):
    nodes = [
        helper.make_node("SplitToSequence", ["x", "s"], ["q"], name="cut", axis=2),
        helper.make_node("ConcatFromSequence", ["q"], ["y"], axis=2),
    ]
    (fault,) = faults_of(build(nodes, {"s": sizes}))
    assert (fault.code, words in fault.what) == ("broken-model", True)
