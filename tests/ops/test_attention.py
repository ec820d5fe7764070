"""Attention and what is around it: one circuit, however the model writes it, checked in SPICE."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from memxc import target, verify
from memxc.backends import netlist
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.stages import Lanes, Rename
from memxc.ops.lower import load_graph, lower
from memxc.passes import parse
from memxc.passes.fold_batchnorm import fold_normalisations

pytestmark = pytest.mark.skipif(onnx.defs.onnx_opset_version() < 23, reason="needs opset 23")

POSITIONS, SIZE, HEADS = 5, 6, 2
EPSILON = 1e-3


def random(*shape):
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


CONSTANTS = {
    "wq": random(SIZE, SIZE + 2)[:, :SIZE], "wk": random(SIZE, SIZE + 3)[:, :SIZE],
    "wv": random(SIZE, SIZE + 4)[:, :SIZE], "bv": random(SIZE), "scale": random(SIZE),
    "bias": random(SIZE + 1)[:SIZE], "last": np.array([-1]), "eps": np.float32(EPSILON),
    "two": np.float32(2), "heads": np.array([0, 0, HEADS, -1]), "flat": np.array([0, 0, -1]),
}  # fmt: skip
PROJECTED = [
    ("MatMul", "n wq", "q", {}), ("MatMul", "n wk", "k", {}), ("MatMul", "n wv", "v0", {}),
    ("Add", "v0 bv", "v", {}),
]  # fmt: skip
BY_NAME = [
    ("LayerNormalization", "x scale bias", "n", {"epsilon": EPSILON}),
    *PROJECTED,
    ("Attention", "q k v", "y", {"q_num_heads": HEADS, "kv_num_heads": HEADS, "scale": 1.0}),
]
BY_HAND = [
    ("ReduceMean", "x last", "m", {}), ("Sub", "x m", "d", {}), ("Pow", "d two", "s", {}),
    ("ReduceMean", "s last", "v1", {}), ("Add", "v1 eps", "v2", {}), ("Sqrt", "v2", "r", {}),
    ("Div", "d r", "z", {}), ("Mul", "z scale", "g", {}), ("Add", "g bias", "n", {}),
    *PROJECTED,
    *(("Reshape", f"{t} heads", f"{t}4", {}) for t in "qkv"),
    *(("Transpose", f"{t}4", f"{t}t", {"perm": p})
      for t, p in zip("qkv", ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)),
    ("MatMul", "qt kt", "scores", {}), ("Softmax", "scores", "p", {"axis": -1}),
    ("MatMul", "p vt", "o", {}), ("Transpose", "o", "ot", {"perm": [0, 2, 1, 3]}),
    ("Reshape", "ot flat", "y", {}),
]  # fmt: skip


def model_of(nodes):
    read = {name for _, inputs, _, _ in nodes for name in inputs.split()}
    graph = helper.make_graph(
        [helper.make_node(op, i.split(), o.split(), name=f"the_{o}", **a) for op, i, o, a in nodes],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, POSITIONS, SIZE))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, POSITIONS, SIZE))],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in CONSTANTS.items() if n in read],
    )
    opsets = [helper.make_opsetid("", 23)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def lowered(nodes, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model_of(nodes).SerializeToString())
    return lower(fold_normalisations(load_graph(path)))


def parts(design):
    """What a design is built of, without its wires: kinds, circuits and numbers of lanes."""
    return Counter(
        (
            type(stage).__name__,
            stage.circuit if isinstance(stage, Lanes) else stage.cell,
            design.buses[stage.dst].width,
        )
        for stage in design.stages
        if not isinstance(stage, Rename)
    )


@pytest.mark.parametrize("nodes", [BY_NAME, BY_HAND])
def test_it_answers_as_onnx_does(nodes, tmp_path):
    x = random(1, POSITIONS, SIZE)
    (wanted,) = ReferenceEvaluator(model_of(nodes)).run(None, {"x": x})
    found = evaluate.outputs(lowered(nodes, tmp_path), {"x": x[None]})["y"]
    assert np.abs(found.reshape(wanted.shape) - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_the_form_written_out_is_the_same_circuit(tmp_path):
    by_name, by_hand = (parts(lowered(nodes, tmp_path)) for nodes in (BY_NAME, BY_HAND))
    assert by_name == by_hand
    products = [(c, width) for (_, c, width) in by_name if getattr(c, "name", "") == "mul"]
    # Scores have POSITIONS^2 products of SIZE / HEADS numbers a head; so has the mean of values.
    assert [width for _, width in products] == [POSITIONS**2 * SIZE]


@pytest.mark.spice
def test_every_stage_in_spice(ngspice, tmp_path):
    x = random(2, 1, POSITIONS, SIZE)
    chosen = target.load("ideal").with_tile(24, 16)
    design, ctx = lowered(BY_NAME, tmp_path), Context(chosen, {"x": x})
    for change in parse("calibrate,schedule,partition,tile,program,share"):
        design = change.run(design, ctx).ir
    top = netlist.write(design, tmp_path / "netlist", "net")[0]
    found = verify.verify(design, chosen, top.parent, {"x": x}, None, verify.Plan(engine="ngspice"))
    assert found.ok, found.stages
    assert len(found.stages) > 15


@pytest.mark.parametrize(
    ("attrs", "extra", "words"),
    [
        ({"q_num_heads": 4, "kv_num_heads": 4}, "", "for 4 heads"),
        ({"q_num_heads": 2, "kv_num_heads": 2, "is_causal": 1, "scale": "x"}, "", "scale"),
    ],
)
def test_what_does_not_fit_is_refused(hand_graph, faults_of, attrs, extra, words):
    shapes = dict.fromkeys("qkv", (1, POSITIONS, SIZE))
    if attrs.get("scale") == "x":
        attrs = {**attrs, "scale": float("nan")}
    graph = hand_graph("Attention", shapes, {}, {"y": (1, POSITIONS, SIZE)}, attrs, 23)
    (fault,) = faults_of(graph)
    assert words in fault.what
