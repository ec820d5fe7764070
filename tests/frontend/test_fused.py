"""onnxruntime's fused operators become the circuits of what they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.ops.lower import load_graph, lower


def random(*shape):
    return np.random.default_rng(shape).uniform(-1, 1, shape).astype(np.float32)


CONV = [random(3, 2, 3, 2), random(3)]
#: Operator, signals, constants, attributes, and the number of its outputs in use.
CASES = [
    ("FusedConv", [(1, 2, 5, 4)], CONV, {"activation": "Relu", "pads": [1, 0, 1, 1]}),
    ("FusedConv", [(1, 2, 5, 4)], CONV,
     {"activation": "LeakyRelu", "activation_params": [0.25], "strides": [2, 1]}),
    ("FusedConv", [(1, 2, 5, 4)], CONV,
     {"activation": "Clip", "activation_params": [-0.25, 0.5]}),
    ("FusedGemm", [(1, 3)], [random(3, 4), random(4)], {"activation": "Tanh"}),
    ("FusedMatMul", [(1, 5, 3)], [random(3, 4)], {"alpha": 0.5}),
    ("BiasGelu", [(1, 3, 4)], [random(4)], {}),
    ("Gelu", [(1, 3, 4)], [], {}),
    ("FastGelu", [(1, 3, 4)], [random(4)], {}),
    ("FastGelu", [(1, 3, 4)], [], {}),
    ("QuickGelu", [(1, 3, 4)], [], {"alpha": 1.5}),
    ("SkipLayerNormalization", [(1, 3, 8), (1, 3, 8)], [random(8), random(8), random(8)],
     {"epsilon": 0.01}),
    ("SkipSimplifiedLayerNormalization", [(1, 3, 8), (1, 3, 8)], [random(8)], {}),
    ("Attention", [(1, 5, 6)], [random(6, 18), random(18)], {"num_heads": 2}),
    ("Attention", [(1, 5, 6)], [random(6, 18), random(18)], {"num_heads": 3, "scale": 0.3}),
    ("MultiHeadAttention", [(1, 5, 6), (1, 4, 6), (1, 4, 6)], [], {"num_heads": 2}),
]  # fmt: skip


def model_of(op, shapes, constants, attrs, opset=16, domain="com.microsoft", outputs=("y",)):
    signals = [f"x{number}" for number in range(len(shapes))]
    names = [f"c{number}" for number in range(len(constants))]
    made = helper.make_graph(
        [helper.make_node(op, [*signals, *names], outputs, domain=domain, name="fused", **attrs)],
        "net",
        [helper.make_tensor_value_info(n, 1, s) for n, s in zip(signals, shapes, strict=True)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs if name],
        [numpy_helper.from_array(v, n) for n, v in zip(names, constants, strict=True)],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


def compared(model, tmp_path):
    """The largest error of the lowered network, relative to onnxruntime's largest output."""
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    graph = load_graph(path)
    x = {name: random(*graph.shapes[name]) for name in graph.inputs}
    found = evaluate.outputs(lower(graph), {name: v[None] for name, v in x.items()})
    wanted = reference.session(model.SerializeToString()).run(None, x)
    return max(
        np.abs(found[name].reshape(value.shape) - value).max() / np.abs(value).max()
        for name, value in zip(graph.outputs, wanted, strict=True)
    )


@pytest.mark.parametrize("opset", [16, 20])
@pytest.mark.parametrize(("op", "shapes", "constants", "attrs"), CASES)
def test_a_fused_operator_is_what_it_stands_for(tmp_path, op, shapes, constants, attrs, opset):
    assert compared(model_of(op, shapes, constants, attrs, opset), tmp_path) < 1e-5


@pytest.mark.parametrize("op", ["LayerNormalization", "SimplifiedLayerNormalization"])
def test_normalisations_that_onnxruntime_has_in_the_domain_of_onnx(tmp_path, op):
    constants = [random(6), random(6)][: 2 if op == "LayerNormalization" else 1]
    model = model_of(op, [(1, 6)], constants, {"axis": -1}, domain="")
    assert compared(model, tmp_path) < 1e-5


def test_the_sum_that_a_skip_hands_on(tmp_path):
    shapes, constants = [(1, 3, 8), (1, 3, 8)], [random(8), random(8)]
    outputs = ("y", "", "", "sum")
    model = model_of("SkipLayerNormalization", shapes, constants, {}, outputs=outputs)
    assert compared(model, tmp_path) < 1e-5


@pytest.mark.parametrize(
    ("op", "shapes", "constants", "attrs"),
    [
        ("FusedConv", [(1, 2, 5, 4)], CONV, {"activation": "Sin"}),
        ("FusedMatMul", [(1, 3)], [random(4, 3)], {"transB": 1}),
        ("Attention", [(1, 5, 6)], [random(6, 18), random(18)],
         {"num_heads": 2, "unidirectional": 1}),
        ("NGramRepeatBlock", [(1, 5)], [], {}),
    ],
)  # fmt: skip
def test_what_is_not_written_out_is_refused_by_its_name(tmp_path, op, shapes, constants, attrs):
    path = tmp_path / "model.onnx"
    path.write_bytes(model_of(op, shapes, constants, attrs).SerializeToString())
    with pytest.raises(MemxcError, match=f"com.microsoft.{op} is not an operator of ai.onnx"):
        load_graph(path)
