"""Signals that are not real numbers, as the file declares them and as ONNX infers them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc.frontend import load

node = helper.make_node


def test_signals_that_are_not_real_numbers_are_noted(build):
    nodes = [
        node("ArgMax", ["x"], ["a"], axis=1),
        node("Cast", ["a"], ["b"], to=TensorProto.UINT8),
        node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        node("Greater", ["x", "w"], ["c"]),
        node("DequantizeLinear", ["b", "s"], ["y"]),
    ]
    weights = {"w": np.ones(5, np.float32), "s": np.float32(0.5), "n": np.ones(2, np.int8)}
    graph = load(build(nodes, weights, out=("y", "h", "c")))
    assert graph.kinds == {"a": "int64", "b": "uint8", "c": "bool"}
    assert "[1, 1, 4, 5] int64" in str(graph)


@pytest.mark.parametrize("kind", ["UINT8", "INT4", "BOOL", "FLOAT8E5M2", "COMPLEX64", "INT64"])
def test_inputs_of_other_types(tmp_path, kind):
    info = helper.make_tensor_value_info
    number = getattr(TensorProto, kind)
    graph = helper.make_graph(
        [node("Identity", ["x"], ["y"])],
        "g",
        [info("x", number, [1, 3])],
        [info("y", number, None)],
    )
    path = tmp_path / "net.onnx"
    opset = [helper.make_opsetid("", 21)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    assert load(path).kinds == {"x": kind.lower(), "y": kind.lower()}
