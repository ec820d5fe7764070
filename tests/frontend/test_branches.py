"""An If with a constant condition, as exporters write it around Squeeze."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.evaluation import evaluate, reference
from memxc.frontend import load
from memxc.ops.lower import lower

node = helper.make_node
F = TensorProto.FLOAT
PICK = np.array([2])


def graph(nodes, out, weights=None):
    inits = [numpy_helper.from_array(np.asarray(v), n) for n, v in (weights or {}).items()]
    return helper.make_graph(
        nodes, "b", [], [helper.make_tensor_value_info(name, F, None) for name in out], inits
    )


def choice(condition, output, then, other, name="if"):
    return node("If", [condition], output, name=name, then_branch=then, else_branch=other)


def squeezed(size):
    """Return a map that is pooled over its height; the height is removed if it is `size`."""
    squeeze = graph([node("Squeeze", ["p", "two"], ["s"])], ["s"], {"two": PICK})
    same = graph([node("Identity", ["p"], ["s"])], ["s"])
    return [
        node("AveragePool", ["x"], ["p"], kernel_shape=[4, 2]),
        node("Shape", ["p"], ["n"]),
        node("Gather", ["n", "two of three"], ["height"]),
        node("Equal", ["height", "size"], ["is one"]),
        choice("is one", ["q"], squeeze, same),
        node("Relu", ["q"], ["y"]),
    ], {"two of three": np.array(2), "size": np.array(size)}


def agree(path, shape):
    x = np.random.default_rng(6).normal(size=(2, *shape)).astype(np.float32)
    expected = reference.run(path, {"x": x})
    found = evaluate.outputs(lower(load(path)), {"x": x})
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("size", "shape"), [(1, (1, 3, 4)), (7, (1, 3, 1, 4))])
def test_the_branch_that_is_taken(build, size, shape):
    """The other branch would not even fit: it has no axis of 1 to squeeze, or no axis left."""
    path = build(*squeezed(size), x=(1, 3, 4, 5))
    loaded = load(path)
    assert loaded.shapes["y"] == shape
    assert not {"If", "Equal", "Shape"} & {n.op for n in loaded.nodes}
    agree(path, (3, 4, 5))


def test_weights_and_branches_in_a_branch(build):
    """Both branches, the network and an inner branch use the same names."""
    rng = np.random.default_rng(7)
    kernel = rng.normal(size=(3, 3, 2, 1)).astype(np.float32)
    inside = choice(
        "yes", ["w"],
        graph([node("Mul", ["a", "w"], ["b"])], ["b"], {"w": np.float32(0.5)}),
        graph([node("Relu", ["a"], ["b"])], ["b"]),
    )  # fmt: skip
    then = graph(
        [node("Conv", ["x", "k"], ["a"], name="conv"), inside, node("Add", ["w", "a"], ["c"])],
        ["c", "a"],
        {"k": kernel, "yes": np.array(True)},
    )
    other = graph([node("Neg", ["x"], ["a"]), node("Abs", ["a"], ["c"])], ["c", "a"])
    nodes = [
        choice("yes", ["c", "d"], then, other, name="a"),
        node("Sub", ["c", "d"], ["y"], name="conv"),
    ]
    path = build(nodes, {"yes": np.array([True])})
    loaded = load(path)
    names = [n.name for n in loaded.nodes]
    assert len(set(names)) == len(names)
    tensors = [t for n in loaded.nodes for t in n.outputs]
    assert len(set(tensors)) == len(tensors)
    assert [n.op for n in loaded.nodes if n.op != "Identity"] == ["Conv", "Mul", "Add", "Sub"]
    assert loaded.shapes["y"] == (1, 3, 3, 5)
    a = evaluate.outputs(lower(loaded), {"x": rng.normal(size=(2, 3, 4, 5))})
    assert a["y"].shape == (2, 3, 3, 5)


def test_what_only_a_branch_reads_is_alive(build):
    then = graph([node("Add", ["a", "b"], ["c"])], ["c"])
    other = graph([node("Sub", ["a", "b"], ["c"])], ["c"])
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Neg", ["x"], ["b"]),
        choice("no", ["y"], then, other),
    ]
    path = build(nodes, {"no": np.array(False)})
    assert [n.op for n in load(path).nodes] == ["Relu", "Neg", "Sub", "Identity"]
    agree(path, (3, 4, 5))


@pytest.mark.parametrize(("keepdims", "opset"), [(0, 11), (1, 12)])
def test_a_condition_of_the_data_is_a_switch(build, keepdims, opset):
    """One sample of this seed takes each branch. Either branch has a weight and a node inside."""
    weights = {"w": np.float32([1, 2, 3, 4, 5])}
    nodes = [
        node("ReduceSum", ["x"], ["m"], keepdims=keepdims),
        node("Greater", ["m", "limit"], ["c"]),
        choice("c", ["y", "z"], graph([node("Mul", ["x", "w"], ["s"]), node("Abs", ["m"], ["a"])],
                                       ["s", "a"], weights),
               graph([node("Neg", ["x"], ["n"]), node("Neg", ["m"], ["t"])], ["n", "t"])),
    ]  # fmt: skip
    path = build(nodes, {"limit": np.float32(0)}, out=("y", "z"), opset=opset)
    x = np.random.default_rng(5).normal(size=(4, 3, 4, 5)).astype(np.float32)
    assert len({bool(total > 0) for total in x.sum((1, 2, 3))}) == 2
    loaded = load(path)
    found, expected = evaluate.outputs(lower(loaded), {"x": x}), reference.run(path, {"x": x})
    for name in ("y", "z"):
        np.testing.assert_allclose(
            found[name], expected[name].reshape(found[name].shape), atol=1e-5
        )
    assert [n.op for n in loaded.nodes if n.op in ("If", "Where")] == ["Where"] * 2


def test_branches_of_different_shapes(build, faults_of):
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Greater", ["m", "limit"], ["c"]),
        choice("c", ["y"], graph([node("Relu", ["x"], ["s"])], ["s"]),
               graph([node("Relu", ["m"], ["s"])], ["s"]), name="which"),
    ]  # fmt: skip
    (fault,) = faults_of(build(nodes, {"limit": np.float32(0)}))
    assert (fault.code, fault.where[-6:]) == ("unsupported-op", ":which")
    assert "another shape or type" in fault.what


def test_only_the_branch_that_is_taken_is_judged(build, faults_of):
    bad = graph(
        [
            node("Optional", ["x"], ["q"]),
            node("OptionalGetElement", ["q"], ["s"], name="get"),
        ],
        ["s"],
    )
    fine = graph([node("Relu", ["x"], ["s"])], ["s"])
    nodes = [choice("yes", ["y"], fine, bad)]
    assert [n.op for n in load(build(nodes, {"yes": np.array(True)})).nodes] == ["Relu", "Identity"]
    faults = faults_of(build(nodes, {"yes": np.array(False)}))
    assert {fault.code for fault in faults} == {"unsupported-op"}
    assert "Optional works on sequences" in faults[0].what


def test_an_operator_of_another_domain_in_a_branch(build, faults_of):
    foreign = graph([node("Relu", ["x"], ["s"], name="in", domain="com.example")], ["s"])
    path = build([choice("yes", ["y"], foreign, foreign)], {"yes": np.array(True)})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(model, path)
    (fault,) = faults_of(path)
    assert (fault.code, fault.where[-3:]) == ("unsupported-op", ":in")
    assert "com.example.Relu" in fault.what


@pytest.mark.parametrize(
    ("nodes", "out"),
    [
        ([node("Relu", ["nothing"], ["s"])], ["s"]),
        ([node("Relu", ["later"], ["s"]), node("Relu", ["x"], ["later"])], ["s"]),
        ([node("Relu", ["x"], ["s"])], ["never"]),
        ([node("Relu", ["x"], ["s"])], ["s", "s"]),
        ([node("Relu", ["x"], ["s"]), node("Abs", ["x"], ["s"])], ["s"]),
        ([node("Relu", ["x"], ["s"], name="n"), node("Relu", ["y"], ["t"])], ["s"]),
    ],
)
def test_branches_that_are_no_graphs(build, faults_of, nodes, out):
    path = build(
        [choice("yes", ["y"], graph(nodes, out), graph(nodes, out))], {"yes": np.array(True)}
    )
    assert {fault.code for fault in faults_of(path)} == {"broken-model"}


@pytest.mark.parametrize("condition", [np.array([True, False]), np.zeros(0, bool)])
def test_a_condition_that_is_not_one_value(build, faults_of, condition):
    same = graph([node("Relu", ["x"], ["s"])], ["s"])
    (fault,) = faults_of(build([choice("c", ["y"], same, same)], {"c": condition}))
    assert fault.code == "broken-model"


def test_external_data_in_a_branch_stays_beside_the_model(build, faults_of, tmp_path):
    path = build(
        [choice("yes", ["y"], graph([node("Mul", ["x", "w"], ["s"])], ["s"], {"w": np.ones(
            5, np.float32)}), graph([node("Relu", ["x"], ["s"])], ["s"]))],
        {"yes": np.array(True)},
    )  # fmt: skip
    model = onnx.load(path)
    (tensor,) = (t for a in model.graph.node[0].attribute for t in a.g.initializer)
    assert tensor.name == "w"
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    location = tensor.external_data.add(key="location", value="w.bin")
    path.write_bytes(model.SerializeToString())
    assert "is missing" in faults_of(path)[0].what
    (tmp_path / "w.bin").write_bytes(np.arange(5, dtype=np.float32).tobytes())
    agree(path, (3, 4, 5))
    location.value = "/etc/passwd"
    path.write_bytes(model.SerializeToString())
    assert "/etc/passwd" in faults_of(path)[0].what


def test_branches_in_branches(build):
    """protobuf stops at a depth of 100 messages, and a branch takes three."""
    inner = graph([node("Relu", ["x"], ["s"])], ["s"])
    for _ in range(30):
        other = graph([node("Abs", ["x"], ["s"])], ["s"])
        inner = graph([choice("yes", ["s"], inner, other)], ["s"])
    path = build([choice("yes", ["y"], inner, inner)], {"yes": np.array(True)})
    assert [n.op for n in load(path).nodes if n.op != "Identity"] == ["Relu"]


def test_nodes_of_a_branch_count(build, faults_of):
    path = build(
        [choice("yes", ["y"], graph([], ["x"]), graph([], ["x"]))], {"yes": np.array(True)}
    )
    model = onnx.load(path)
    branch = onnx.GraphProto()
    branch.ParseFromString(b"\x0a\x00" * 1_000_000)
    model.graph.node[0].attribute[0].g.CopyFrom(branch)
    path.write_bytes(model.SerializeToString())
    start = time.process_time()
    assert "more than 100,000 nodes" in faults_of(path)[0].what
    assert time.process_time() - start < 10
