"""Models that are not networks: circles, names used twice, operators that do not exist."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.frontend import load

node = helper.make_node


def test_a_circle_is_named(build, faults_of):
    nodes = [
        node("Relu", ["x"], ["a"], name="before"),
        node("Add", ["a", "d"], ["b"], name="one"),
        node("Relu", ["b"], ["c"], name="two"),
        node("Exp", ["c"], ["d"], name="three"),
        node("Relu", ["c"], ["y"], name="after"),
    ]
    (fault,) = faults_of(build(nodes))
    assert fault.code == "broken-model"
    assert all(name in fault.what for name in ("circle", "one", "two", "three"))
    assert "before" not in fault.what
    assert "after" not in fault.what


def test_a_node_that_reads_itself(build, faults_of):
    (fault,) = faults_of(build([node("Add", ["x", "y"], ["y"], name="self")]))
    assert "circle: self" in fault.what


def test_nodes_out_of_order(build, faults_of):
    nodes = [
        node("Abs", ["x"], ["b"], name="fine"),
        node("Add", ["a", "b"], ["y"], name="late"),
        node("Exp", ["x"], ["a"], name="early"),
    ]
    path = build(nodes)
    (fault,) = faults_of(path)
    assert fault.where == f"{path}:late"
    assert "early makes only later" in fault.what


@pytest.mark.parametrize(
    ("nodes", "weights", "out", "where"),
    [
        (["x>a", "x>a", "a>y"], {}, ("y",), "Relu_1"),
        (["x>w", "w>y"], {"w": np.ones(3, np.float32)}, ("y",), "Relu_0"),
        (["x>x", "x>y"], {}, ("y",), "Relu_0"),
        (["x>y"], {}, ("y", "y"), "y"),
        (["x>y"], {}, ("y", "never"), "never"),
        (["nothing>y"], {}, ("y",), "Relu_0"),
    ],
)
def test_names_twice_or_never(build, faults_of, nodes, weights, out, where):
    made = [node("Relu", *[[name] for name in text.split(">")]) for text in nodes]
    path = build(made, weights, out=out)
    assert f"{path}:{where}" in [fault.where for fault in faults_of(path)]
    assert {fault.code for fault in faults_of(path)} == {"broken-model"}


def test_all_unknown_operators_at_once(build, faults_of):
    nodes = [
        node("Frobnicate", ["x"], ["a"], name="first"),
        node("Relu", ["a"], ["b"], domain="com.example"),
        node("Upsample", ["b", "s"], ["c"], mode="nearest"),
        node("Mish", ["c"], ["d"]),
        node("Relu", ["d"], ["y"]),
    ]
    path = build(nodes, {"s": np.ones(4, np.float32)}, opset=11)
    faults = faults_of(path)
    assert {fault.code for fault in faults} == {"unsupported-op"}
    names = ["first", "Relu_1", "Upsample_2", "Mish_3"]
    assert [fault.where for fault in faults] == [f"{path}:{name}" for name in names]
    assert "com.example.Relu" in faults[1].what


def test_sparse_constants(build, faults_of):
    values = numpy_helper.from_array(np.ones(1, np.float32))
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([2])), [5])
    nodes = [
        node("Constant", [], ["c"], name="sparse", sparse_value=sparse),
        node("Add", ["x", "c"], ["y"]),
    ]
    path = build(nodes)
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("unsupported-op", f"{path}:sparse")


def test_sequences_and_text(build, faults_of):
    nodes = [
        node("SequenceConstruct", ["x"], ["e"], name="fine"),
        node("Optional", ["e"], ["s"], name="seq"),
        node("Cast", ["x"], ["t"], name="text", to=TensorProto.STRING),
        node("Constant", [], ["u"], name="word", value_string="hello"),
        node("Relu", ["x"], ["y"]),
    ]
    path = build(nodes, {"q": np.array(True)})
    faults = faults_of(path)
    assert [f.where.rsplit(":")[-1] for f in faults] == ["seq", "text", "word"]
    assert {f.code for f in faults} == {"unsupported-op"}


def test_an_attribute_that_the_operator_has_not(build, faults_of):
    (fault,) = faults_of(build([node("Relu", ["x"], ["y"], name="n", slope=1.0)]))
    assert fault.code == "broken-model"
    assert "slope" in fault.what


def test_a_long_chain_takes_seconds(build):
    names = ["x", *(f"t{i}" for i in range(6000)), "y"]
    path = build([node("Relu", [a], [b]) for a, b in pairwise(names)])
    start = time.process_time()
    assert len(load(path).nodes) == 6001
    assert time.process_time() - start < 30


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("QLinearAdd", "QuantFormat.QDQ"),
        ("QGemm", "QuantFormat.QDQ"),
        ("DynamicQuantizeLSTM", "float model"),
        ("QuantizeLinear", "opset 21"),
        ("DequantizeLinear", "opset 21"),
        ("NGramRepeatBlock", "memxc ops"),
    ],
)
def test_onnxruntimes_own_operators(build, faults_of, kind, words):
    path = build([node(kind, ["x"], ["y"], domain="com.microsoft")])
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    (fault,) = faults_of(path)
    assert f"com.microsoft.{kind} is not an operator of ai.onnx" in fault.what
    assert words in fault.hint


def test_a_split_into_more_parts_than_it_has_outputs(build, faults_of):
    """onnx's inference takes 8 GB for the first, and crashes on the second."""
    for count in (10**9, 1):
        split = node("Split", ["x"], ["y", "b"], name="cut", axis=1, num_outputs=count)
        (fault,) = faults_of(build([split], opset=18))
        assert (fault.code, fault.where.rpartition(":")[2]) == ("broken-model", "cut")
        assert f"num_outputs = {count}" in fault.what
