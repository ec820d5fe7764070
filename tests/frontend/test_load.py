"""Good models: the content of their Graph, against onnxruntime for numbers."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc.frontend import load

node = helper.make_node
LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("light_*.onnx"))


@pytest.mark.parametrize(("opset", "ir"), [(7, 3), (9, 3), (9, 4), (11, 6), (13, 7), (20, 9)])
def test_old_and_new_files(build, opset, ir):
    kernel = np.random.default_rng(1).normal(size=(4, 3, 2, 3)).astype(np.float32)
    nodes = [node("Conv", ["x", "w"], ["a"], name="first"), node("Relu", ["a"], ["y"])]
    graph = load(build(nodes, {"w": kernel}, x=("N", 3, 5, 7), opset=opset, ir=ir))
    assert (graph.name, graph.inputs, graph.outputs, graph.opset) == ("net", ("x",), ("y",), opset)
    assert [(n.name, n.op) for n in graph.nodes] == [("first", "Conv"), ("Relu_1", "Relu")]
    assert graph.shapes == {
        "x": (1, 3, 5, 7),
        "w": (4, 3, 2, 3),
        "a": (1, 4, 4, 5),
        "y": (1, 4, 4, 5),
    }
    np.testing.assert_array_equal(graph.weights["w"], kernel)
    assert not graph.weights["w"].flags.writeable


def test_attributes_are_plain(build):
    fill = helper.make_tensor("v", TensorProto.FLOAT, [1], [2.5])
    nodes = [
        node("Conv", ["x", "w"], ["a"], strides=[2, 1], auto_pad="SAME_UPPER", group=1),
        node("LeakyRelu", ["a"], ["b"], alpha=0.25),
        node("Shape", ["b"], ["s"]),
        node("ConstantOfShape", ["s"], ["c"], value=fill),
        node("Add", ["b", "c"], ["y"]),
    ]
    graph = load(build(nodes, {"w": np.ones((2, 3, 3, 2), np.float32)}))
    assert graph.nodes[0].attrs == {"strides": (2, 1), "auto_pad": "SAME_UPPER", "group": 1}
    assert graph.nodes[1].attrs == {"alpha": 0.25}
    assert [n.op for n in graph.nodes] == ["Conv", "LeakyRelu", "Add"]
    assert graph.weights["c"].shape == (1, 2, 2, 5)
    assert (graph.weights["c"] == 2.5).all()


def test_names_are_the_models_own_and_unique(build):
    kinds = ["Relu", "Relu", "Abs", "Neg", "Exp"]
    names = ["a", "a", "", "Abs_2", "a_1"]
    nodes = [
        node(kind, ["x" if i == 0 else f"t{i}"], ["y" if i == 4 else f"t{i + 1}"], name=name)
        for i, (kind, name) in enumerate(zip(kinds, names, strict=True))
    ]
    assert [n.name for n in load(build(nodes)).nodes] == ["a", "a_1_1", "Abs_2_2", "Abs_2", "a_1"]


def test_dead_nodes_and_unread_outputs_are_gone(build):
    nodes = [
        node("Dropout", ["x"], ["d", "mask"]),
        node("Exp", ["x"], ["unused"]),
        node("Relu", ["d"], ["y"]),
    ]
    graph = load(build(nodes))
    assert [n.op for n in graph.nodes] == ["Dropout", "Relu"]
    assert graph.nodes[0].outputs == ("d", "")
    assert set(graph.shapes) == {"x", "d", "y"}


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8, np.int64])
def test_types_of_weights(build, kind):
    to = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes = [
        node("Cast", ["x"], ["a"], to=to),
        node("Add", ["a", "w"], ["b"]),
        node("Cast", ["b"], ["y"], to=TensorProto.FLOAT),
    ]
    weights = np.array([1, 2, 3, 4, 5], kind)
    loaded = load(build(nodes, {"w": weights})).weights["w"]
    assert loaded.dtype == (np.float32 if kind == np.float16 else kind)
    np.testing.assert_array_equal(loaded, weights)


def test_bfloat16_is_widened(build):
    nodes = [
        node("Cast", ["x"], ["a"], to=TensorProto.BFLOAT16),
        node("Add", ["a", "w"], ["b"]),
        node("Cast", ["b"], ["y"], to=TensorProto.FLOAT),
    ]
    path = build(nodes)
    model = onnx.load(path)
    model.graph.initializer.append(
        helper.make_tensor("w", TensorProto.BFLOAT16, [5], [1, -2, 3.5, 0, 8])
    )
    onnx.save(model, path)
    loaded = load(path).weights["w"]
    assert loaded.dtype == np.float32
    assert loaded.tolist() == [1, -2, 3.5, 0, 8]


def test_domain_by_its_long_name(build):
    path = build([node("Relu", ["x"], ["y"], domain="ai.onnx")])
    model = onnx.load(path)
    model.opset_import[0].domain = "ai.onnx"
    onnx.save(model, path)
    graph = load(path)
    assert (graph.nodes[0].op, graph.opset) == ("Relu", 17)


def test_local_functions_are_inlined(tmp_path):
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    inner = helper.make_function(
        "mine", "scale", ["a"], ["b"], [node("Mul", ["a", "a"], ["b"])], opsets[:1]
    )
    body = [node("scale", ["a"], ["t"], domain="mine"), node("Relu", ["t"], ["b"])]
    outer = helper.make_function("mine", "block", ["a"], ["b"], body, opsets)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node("block", ["x"], ["h"], domain="mine"),
         node("block", ["h"], ["y"], domain="mine")], "g",
        [info("x", TensorProto.FLOAT, [1, 3, 2])], [info("y", TensorProto.FLOAT, [1, 3, 2])],
    )  # fmt: skip
    model = helper.make_model(graph, functions=[outer, inner], opset_imports=opsets, ir_version=9)
    onnx.save(model, tmp_path / "f.onnx")
    loaded = load(tmp_path / "f.onnx")
    assert [n.op for n in loaded.nodes] == ["Mul", "Relu", "Mul", "Relu"]
    assert len({n.name for n in loaded.nodes}) == 4


@pytest.mark.slow
def test_the_nine_light_graphs_stay_small():
    assert len(LIGHT) == 9
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in LIGHT:
        graph = load(path)
        assert graph.inputs
        assert all(shape[:1] == (1,) for n in graph.nodes for shape in [graph.shapes[n.outputs[0]]])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17  # KiB: 128 MiB
