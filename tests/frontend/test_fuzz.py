"""Bytes removed, changed or inserted give a Graph or a MemxcError, and nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from memxc.errors import CODES, MemxcError
from memxc.frontend import load
from memxc.ir.graph import Graph

node = helper.make_node


def branch(kind: str) -> onnx.GraphProto:
    nodes = [node(kind, ["q", "half"], ["same"]), node("Relu", ["same"], ["done"], name="act")]
    done = helper.make_tensor_value_info("done", TensorProto.FLOAT, None)
    half = numpy_helper.from_array(np.full((1, 3, 1, 1), 0.5, np.float32), "half")
    return helper.make_graph(nodes, kind, [], [done], [half])


def good() -> bytes:
    """Return a convolution, a branch that is always taken, a computed reshape and a dense layer."""
    rng = np.random.default_rng(1)
    weights = {
        "w": rng.normal(size=(3, 2, 3, 2)).astype(np.float32),
        "v": rng.normal(size=(36, 4)).astype(np.float16),
        "zero": np.array([0]),
        "minus": np.array([-1]),
    }
    nodes = [
        node("Conv", ["x", "w"], ["a"], name="conv", pads=[0, 1, 0, 0], strides=[1, 1]),
        node("LeakyRelu", ["a"], ["q"], name="act", alpha=0.1),
        node("Shape", ["q"], ["sizes"]),
        node("Gather", ["sizes", "zero"], ["one"], axis=0),
        node("Cast", ["one"], ["is one"], to=TensorProto.BOOL),
        node(
            "If", ["is one"], ["r"], name="if", then_branch=branch("Mul"), else_branch=branch("Add")
        ),
        node("Shape", ["r"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Concat", ["n", "minus"], ["to"], axis=0),
        node("Reshape", ["r", "to"], ["f"]),
        node("Cast", ["v"], ["v32"], to=TensorProto.FLOAT),
        node("MatMul", ["f", "v32"], ["y"]),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "net", [info("x", TensorProto.FLOAT, ["N", 2, 5, 4])],
        [info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


GOOD = good()
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def outcome(tmp_path):
    """outcome(bytes) -> the Graph or the MemxcError; any other exception is raised."""

    def call(data: bytes) -> Graph | MemxcError:
        path = tmp_path / "m.onnx"
        path.write_bytes(data)
        try:
            graph = load(path)
        except MemxcError as error:
            refused = error
        else:
            graph.verify()
            return graph
        assert refused.faults
        assert all(CODES[fault.code][0] == 3 for fault in refused.faults)
        return refused

    return call


def test_the_model_itself_is_good(outcome):
    assert isinstance(outcome(GOOD), Graph)


@FUZZ
@given(end=st.integers(0, len(GOOD) - 1))
def test_truncated(outcome, end):
    outcome(GOOD[:end])


@FUZZ
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8
    )
)
def test_bytes_changed(outcome, edits):
    data = bytearray(GOOD)
    for place, value in edits:
        data[place] = value
    outcome(bytes(data))


#: The weights are a block in the middle of the file; the structure is around it.
STRUCTURE = [i for i in range(len(GOOD)) if GOOD[i : i + 1].isalnum() or GOOD[i] < 32]


@FUZZ
@given(place=st.sampled_from(STRUCTURE), value=st.integers(0, 255))
def test_one_byte_of_the_structure(outcome, place, value):
    outcome(GOOD[:place] + bytes([value]) + GOOD[place + 1 :])


@FUZZ
@given(start=st.integers(0, len(GOOD)), length=st.integers(0, 40), put=st.binary(max_size=20))
def test_bytes_replaced(outcome, start, length, put):
    outcome(GOOD[:start] + put + GOOD[start + length :])


FIELDS = st.sampled_from(["op_type", "inputs", "outputs", "dims", "data_type", "axis", "ints", "x"])


@FUZZ
@given(field=FIELDS, pick=st.integers(0, 99), number=st.integers(-(2**63), 2**63 - 1))
def test_a_field_that_says_something_else(outcome, field, pick, number):
    model = onnx.ModelProto.FromString(GOOD)
    nodes, tensors = model.graph.node, model.graph.initializer
    chosen, tensor = nodes[pick % len(nodes)], tensors[pick % len(tensors)]
    schemas = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
    names = ["", "x", "w", "a", "r", "s", "n", "to", "f", "v32", "y", "v", "zero", "minus", "new"]
    if field == "op_type":
        chosen.op_type = schemas[number % len(schemas)]
    elif field == "inputs":
        chosen.input[pick % len(chosen.input)] = names[number % len(names)]
    elif field == "outputs":
        chosen.output[0] = names[number % len(names)]
    elif field == "dims":
        tensor.dims[0] = number
    elif field == "data_type":
        tensor.data_type = number % 30
    elif field == "axis":
        nodes[3].attribute[0].i = number
    elif field == "ints":
        nodes[0].attribute[pick % 2].ints[pick % 2] = number
    else:
        model.graph.input[0].type.tensor_type.shape.dim[pick % 4].dim_value = number
    outcome(model.SerializeToString())
