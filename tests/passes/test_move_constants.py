"""move-constants: constants cross wires to a layer, and the outputs stay."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from memxc.evaluation import evaluate, reference
from memxc.ops.lower import load_graph, lower
from memxc.passes.fold_batchnorm import fold_normalisations
from memxc.passes.move_constants import MoveConstants

SHAPE = (1, 3, 4, 5)
RNG = np.random.default_rng(11)
CONSTANTS = {
    "k1": RNG.normal(size=(6, 3, 1, 1)), "k3": RNG.normal(size=(6, 3, 3, 3)),
    "d20": RNG.normal(size=(20, 7)), "d6": RNG.normal(size=(6, 7)),
    "half": 0.5, "shift": 0.25, "per6": RNG.normal(size=(6, 1, 1)), "last6": RNG.normal(size=6),
    "per12": RNG.normal(size=(12, 1, 1)), "per20": RNG.normal(size=20), "last5": RNG.normal(size=5),
    "per3": RNG.normal(size=(3, 1, 1)),
}  # fmt: skip
SHAPES = {"flat": (1, 6, 20), "rows": (20, 6), "map": (1, 3, 20), "same": (1, 3, 4, 5)}


def build(folder, lines, outputs=("y",)):
    """Save a network of lines "output = Op input input ... key=[numbers]"."""
    nodes, read = [], set()
    for line in lines:
        output, call = line.split(" = ")
        op, *words = call.split()
        inputs = [word for word in words if "=" not in word]
        attrs = {
            k: [int(n) for n in v.split(",")] for k, v in (w.split("=") for w in words if "=" in w)
        }
        attrs = {k: v[0] if k == "axis" else v for k, v in attrs.items()}
        nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{output}", **attrs))
        read |= set(inputs)
    constants = {n: np.array(v, np.float32) for n, v in CONSTANTS.items() if n in read}
    constants |= {n: np.array(v, np.int64) for n, v in SHAPES.items() if n in read}
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    path = folder / "net.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


A, B = "a = Conv x k1", "b = Conv x k1"
LAST, FIRST = "t = Transpose a perm=0,2,3,1", "u = Transpose t perm=0,3,1,2"


@pytest.mark.parametrize(
    ("lines", "gains"),
    [
        # Behind a layer and wires.
        ([A, "f = Reshape a flat", "y = Mul f half"], 0),
        ([A, LAST, "y = Mul t last6"], 0),
        ([A, LAST, "r = Reshape t rows", "y = Add r last6"], 0),
        ([A, "f = Reshape a flat", "m = Mul f half", "y = Add m shift"], 0),
        # In front of wires and a layer.
        (["m = Mul x half", "a = Add m shift", LAST, FIRST, "y = Conv u k1"], 0),
        (["m = Mul x half", "r = Reshape m map", "y = MatMul r d20"], 0),
        # Behind a Concat of layers, one part each.
        ([A, B, "c = Concat a b axis=1", "y = Mul c per12"], 0),
        ([A, B, "c = Concat b a axis=1", "y = Add c shift"], 0),
        # A shift cannot pass the border of a Conv, and a constant of other axes no layer.
        (["s = Add x shift", "r = Reshape s same", "y = Conv r k3 pads=1,1,1,1"], 1),
        ([A, LAST, FIRST, "y = Mul u last5"], 1),
        # An input is no layer.
        ([A, "c = Concat a x axis=1", "y = Mul c half"], 1),
    ],
)  # fmt: skip
def test_a_constant_crosses_wires_to_a_layer(tmp_path, lines, gains):
    path = build(tmp_path, lines)
    graph = load_graph(path)
    moved = MoveConstants().run(graph, None).ir
    moved.verify()
    before, after = lower(graph), lower(fold_normalisations(moved))
    found = [stage for stage in after.stages if getattr(stage, "cell", "") == "batchnorm"]
    assert len(found) == gains
    x = np.random.default_rng(4).normal(size=SHAPE)
    want = evaluate.outputs(before, {"x": x})["y"]
    theirs = reference.run(path, {"x": x.astype(np.float32)})["y"]
    np.testing.assert_allclose(evaluate.outputs(after, {"x": x})["y"], want, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(want, theirs, rtol=1e-4, atol=1e-4)
    assert sum(getattr(s, "cell", "") == "batchnorm" for s in before.stages) >= 1


def test_a_signal_that_is_read_twice_keeps_its_constant(tmp_path):
    lines = [A, "f = Reshape a flat", "y = Mul f half", "z = Relu f"]
    graph = load_graph(build(tmp_path, lines, ("y", "z")))
    assert MoveConstants().run(graph, None).ir is graph
