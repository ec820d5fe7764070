"""If shapes are unknown, the user still learns of every operator that is refused anyway."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import frontend
from memxc.errors import MemxcError
from memxc.ops.lower import load_graph

node = helper.make_node


@pytest.fixture
def faults(tmp_path):
    """faults(nodes, shape) -> (code, place) of each fault, without the file's name."""

    def found(nodes, shape, opset=20):
        info = helper.make_tensor_value_info
        weights = {
            "four": np.ones(4, np.float32),
            "w": np.ones((4, 3, 1, 1), np.float32),
            "two": np.array([2]),
            "zero": np.array([0]),
        }
        graph = helper.make_graph(
            nodes, "net", [info("x", TensorProto.FLOAT, shape)],
            [info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in weights.items()],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", opset)]
        path = tmp_path / "m.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        with pytest.raises(MemxcError) as caught:
            load_graph(path)
        return [(f.code, f.where.removeprefix(f"{path}:")) for f in caught.value.faults]

    return found


#: The weight has 3 channels and the signal 4, so the nodes behind it have no shape.
MISFIT = node("Add", ["x", "w"], ["a"], name="sum")
WAVE = node("Sin", ["a"], ["b"], name="wave")
BEHIND = [WAVE, node("Gelu", ["b"], ["c"], name="gelu", approximate="tanh"),
          node("TopK", ["c", "two"], ["y", "i"], name="top")]  # fmt: skip


def test_operators_behind_a_shape_that_does_not_fit(faults):
    assert faults([MISFIT, *BEHIND], [1, 4, 5, 6]) == [
        ("broken-model", "sum"), ("unsupported-op", "wave"), ("unsupported-op", "top"),
    ]  # fmt: skip


def test_operators_behind_an_input_of_open_size(faults):
    assert faults([MISFIT, *BEHIND], ["N", 3, "H", 6]) == [
        ("unsupported-shape", "x"), ("unsupported-op", "wave"), ("unsupported-op", "top"),
    ]  # fmt: skip


def test_attributes_behind_a_shape_that_does_not_fit(faults):
    odd = node("LeakyRelu", ["a"], ["y"], name="act", alpha=float("inf"))
    assert faults([MISFIT, odd], [1, 4, 5, 6]) == [
        ("broken-model", "sum"), ("unsupported-attribute", "act"),
    ]  # fmt: skip


def test_an_open_size_beside_an_operator_of_another_domain(faults):
    odd = node("Odd", ["x"], ["y"], name="odd", domain="com.example")
    assert faults([odd], ["N", 3, "H", 6]) == [
        ("unsupported-shape", "x"), ("unsupported-op", "odd"),
    ]  # fmt: skip


def test_what_folding_may_take_away_is_not_judged(faults):
    """Sizes of a tensor become constants, nothing needs `dead`, and an If has one branch."""
    nodes = [
        MISFIT,
        node("Shape", ["a"], ["s"], name="shape"),
        node("NonZero", ["s"], ["n"], name="sizes"),
        node("Squeeze", ["n", "zero"], ["i"], name="indices"),
        node("Gather", ["a", "i"], ["y"], name="gather", axis=1),
        node("NonZero", ["a"], ["dead"], name="dead"),
    ]
    assert faults(nodes, [1, 4, 5, 6]) == [("broken-model", "sum")]


def test_opset_6_is_judged_by_its_operators_alone(faults):
    nodes = [
        MISFIT,
        node("Add", ["a", "four"], ["b"], name="add", broadcast=1, axis=1),
        node("RandomUniformLike", ["b"], ["y"], name="wave"),
    ]
    assert faults(nodes, [1, 4, 5, 6], 6) == [("broken-model", "sum"), ("unsupported-op", "wave")]


def test_a_file_that_is_missing_has_no_nodes(tmp_path):
    assert frontend.nodes(tmp_path / "no.onnx")[0] == []
    with pytest.raises(MemxcError, match="no such file"):
        load_graph(tmp_path / "no.onnx")
