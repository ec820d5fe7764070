"""Models on which ONNX's C++ loops, aborts or takes all the memory are ordinary faults."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from memxc import worker
from memxc.frontend import load, native
from memxc.frontend.read import read

node = helper.make_node

#: A term with a single dot: inference never ends, and holds Python's interpreter lock.
SPIN = [node("Einsum", ["x"], ["y"], equation="a.bcd->abcd", name="spin")]
#: More outputs than parts: an index beyond the end of a vector. The frontend refuses it beforehand.
ABORT = [node("Split", ["x"], ["y", "z", "u"], num_outputs=1, axis=1, name="abort")]
#: A vector of 2^29 sizes, 4 GiB. The frontend refuses it beforehand.
MEMORY = [node("Split", ["x"], ["y", "z", "u"], num_outputs=2**29, axis=1, name="memory")]


def test_what_onnx_dies_of_is_a_fault_of_the_model(build, faults_of, monkeypatch):
    monkeypatch.setattr(native, "_SECONDS", 0.5)
    path = build(SPIN, opset=18)
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("broken-model", f"{path}:spin")
    assert fault.what == "ONNX's shape inference of Einsum takes more than 1 s of processor time"
    good = build([node("Relu", ["x"], ["y"])])
    assert load(good).shapes["y"] == (1, 3, 4, 5)


@pytest.mark.parametrize(
    ("nodes", "what"),
    [(ABORT, r"crashes \(SIGABRT\)"), (MEMORY, "needs more than 0.5 GiB of memory")],
    ids=["abort", "memory"],
)
def test_a_death_is_told_and_the_next_question_is_answered(build, nodes, what):
    model = read(build(nodes, opset=18, out=["y", "z", "u"]))
    with pytest.raises(worker.Died, match=what):
        native.ask("inferred", model, native.allowance())
    good = read(build([node("Relu", ["x"], ["y"])]))
    assert native.ask("inferred", good, native.allowance()).graph.output[0].name == "y"


def test_no_node_is_asked_after_one_that_onnx_died_of(build, faults_of, monkeypatch):
    """Each further node might take as long again."""
    monkeypatch.setattr(native, "_SECONDS", 0.5)
    asked, ask = [], worker.ask

    def counted(work, *more):
        asked.append(work)
        return ask(work, *more)

    monkeypatch.setattr(worker, "ask", counted)
    bad = node("Flatten", ["x"], ["f"], axis=9, name="bad")
    others = [node("Einsum", ["x"], [f"y{i}"], equation="a.bcd->abcd") for i in range(3)]
    path = build([bad, *others], opset=18, out=["f", "y0", "y1", "y2"])
    assert [fault.what.split()[0] for fault in faults_of(path)] == ["Flatten", "ONNX's"]
    # The checker and the two nodes.
    assert len(asked) == 3


def test_the_seconds_are_those_of_the_whole_network(build, monkeypatch):
    given, ask = [], worker.ask

    def noted(work, parts, allowance, *more):
        given.append(allowance)
        return ask(work, parts, allowance, *more)

    monkeypatch.setattr(worker, "ask", noted)
    load(build([node("Relu", ["x"], ["a"]), node("Abs", ["a"], ["b"]), node("Neg", ["b"], ["y"])]))
    assert len(given) == 4
    assert given[1] is given[2] is given[3]


def test_the_worker_says_what_this_process_would(build):
    model = read(build([node("Transpose", ["x"], ["y"], perm=[0, 3, 1, 2])]))
    data = model.SerializeToString()
    answer = native.ask("inferred", model, native.allowance())
    assert [answer.SerializeToString()] == native.inferred(data)
    dims = answer.graph.output[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [1, 5, 3, 4]
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8
    words = []
    for refuse in (native.inferred, lambda data: native.ask("inferred", model, native.allowance())):
        with pytest.raises((worker.Refused, onnx.shape_inference.InferenceError)) as caught:
            refuse(model.SerializeToString())
        words.append(str(caught.value))
    assert words[0] == words[1]
