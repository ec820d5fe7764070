"""fold-batchnorm: each rule, and its exceptions, compared with onnxruntime on the same nodes."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import target
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower
from memxc.passes import available
from memxc.passes.fold_batchnorm import FoldBatchnorm, fold_normalisations

X = (1, 4, 5, 6)


def weights(**shapes):
    rng = np.random.default_rng(7)
    return {n: rng.normal(size=shape).astype(np.float32) for n, shape in shapes.items()}


def norm(channels, name="n"):
    """The parameters of a BatchNormalization."""
    made = weights(**{f"{name}{part}": (channels,) for part in "sbmv"})
    return {**made, f"{name}v": made[f"{name}v"] ** 2 + np.float32(0.5)}


def node(op, inputs, output, **attrs):
    return Node(f"{op} {output}", op, tuple(inputs.split()), (output,), attrs)


def network(nodes, constants, shape=X, outputs=None):
    """A Graph of the nodes from x to the last output, with the shapes that onnx infers."""
    made = onnx.shape_inference.infer_shapes(
        model(nodes, constants, {"x": shape}, outputs or (nodes[-1].outputs[0],)), strict_mode=True
    ).graph
    shapes = {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
        for v in [*made.input, *made.value_info, *made.output]
    }
    shapes.update({n: np.shape(w) for n, w in constants.items()})
    outputs = tuple(v.name for v in made.output)
    graph = Graph("net", ("x",), outputs, tuple(nodes), shapes, constants, 15)
    graph.verify()
    return graph


def model(nodes, constants, inputs, outputs):
    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [helper.make_node(n.op, n.inputs, n.outputs, n.name, **n.attrs) for n in nodes],
        "net",
        [value(name, shape) for name, shape in inputs.items()],
        [value(name, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(w, np.float32), n) for n, w in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def runtime(graph):
    """onnxruntime on the nodes of a Graph, in float32; numpy if ONNX has no such nodes."""
    x = np.random.default_rng(3).normal(size=graph.shapes["x"]).astype(np.float32)
    if any(n.op in ("MatMul", "Mul") and len(n.inputs) == 3 for n in graph.nodes):
        found = evaluate.outputs(lower(graph), {"x": x[None]})
        return [found[name].reshape(graph.shapes[name]) for name in graph.outputs]
    made = model(graph.nodes, graph.weights, {"x": x.shape}, graph.outputs)
    session = reference.session(made.SerializeToString(), fused=False)
    return session.run(None, {"x": x})


def check(graph, left):
    """Check that the pass leaves the operators `left` and the function. Return the new graph."""
    before = dict(graph.weights)
    changed = fold_normalisations(graph)
    changed.verify()
    assert [n.op for n in changed.nodes] == left.split()
    for ours, theirs in zip(runtime(changed), runtime(graph), strict=True):
        assert np.abs(ours - theirs).max() <= 2e-6 * np.abs(theirs).max()
    assert all(graph.weights[n] is w for n, w in before.items())
    read = {name for n in changed.nodes for name in n.inputs}
    assert set(changed.weights) <= read
    return changed


CONV = {"pads": [1, 0, 2, 1], "strides": [1, 2]}


def test_the_pass_is_found_and_exact():
    assert available()["fold-batchnorm"] is FoldBatchnorm
    graph = network([node("Conv", "x w", "a"), node("Add", "a c", "y")], CHANNELS)
    assert FoldBatchnorm.exact
    ctx = Context(target=target.load("ideal"), samples={})
    assert [n.op for n in FoldBatchnorm().run(graph, ctx).ir.nodes] == ["Conv"]


CHANNELS = {**weights(w=(6, 4, 2, 3), b=(6,), c=(6, 1, 1), d=(1, 6, 1, 1), one=()), **norm(6)}


@pytest.mark.parametrize("bias", ["", " b"])
@pytest.mark.parametrize("group", [1, 2])
def test_a_normalisation_behind_a_convolution(bias, group):
    constants = {**CHANNELS, "w": CHANNELS["w"][:, : 4 // group]}
    conv = node("Conv", f"x w{bias}", "a", group=group, **CONV)
    graph = network(
        [conv, node("BatchNormalization", "a ns nb nm nv", "y", epsilon=0.1)], constants
    )
    changed = check(graph, "Conv")
    assert changed.nodes[0].attrs == conv.attrs
    assert {w.dtype for w in changed.weights.values()} == {np.dtype(np.float64)}


@pytest.mark.parametrize("group", [1, 2])
def test_a_normalisation_behind_a_transposed_convolution(group):
    constants = {**norm(6), **weights(w=(4, 6 // group, 2, 3))}
    conv = node("ConvTranspose", "x w", "a", group=group, strides=[2, 1])
    check(
        network([conv, node("BatchNormalization", "a ns nb nm nv", "y")], constants),
        "ConvTranspose",
    )


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Add", "a c"),
        ("Add", "d a"),
        ("Sub", "a c"),
        ("Sub", "c a"),
        ("Mul", "a d"),
        ("Mul", "one a"),
        ("Div", "a c"),
        ("Add", "a one"),
    ],
)
def test_a_constant_behind_a_convolution(op, inputs):
    check(network([node("Conv", "x w", "a"), node(op, inputs, "y")], CHANNELS), "Conv")


def test_a_chain_folds_to_its_end():
    nodes = [
        node("Conv", "x w", "a", **CONV),
        node("Mul", "a c", "e"),
        node("Add", "e d", "f"),
        node("BatchNormalization", "f ns nb nm nv", "g"),
        node("Relu", "g", "h"),
        node("Div", "h one", "y"),
    ]
    check(network(nodes, CHANNELS), "Conv Relu Div")


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Div", "c a"),
        ("Div", "C a"),
        ("Add", "a row"),
        ("Mul", "a pixel"),
        ("Add", "a a"),
        ("Mul", "a batch"),
    ],
)
def test_what_is_not_one_number_a_channel_stays(op, inputs):
    """A constant's name may stand before or after the signal's in the alphabet."""
    constants = {**CHANNELS, **weights(C=(6, 1, 1), row=(4,), pixel=(4, 1), batch=(2, 1, 1, 1))}
    check(network([node("Conv", "x w", "a"), node(op, inputs, "y")], constants), f"Conv {op}")


@pytest.mark.parametrize("reader", ["node", "output"])
def test_a_result_that_something_else_reads_stays(reader):
    nodes = [node("Conv", "x w", "a"), node("Add", "a c", "y")]
    if reader == "node":
        graph = network([*nodes, node("Relu", "a", "z")], CHANNELS, outputs=("y", "z"))
        check(graph, "Conv Add Relu")
    else:
        check(network(nodes, CHANNELS, outputs=("y", "a")), "Conv Add")


def test_a_weight_that_two_layers_share_stays_for_the_other():
    nodes = [
        node("Conv", "x w", "a"),
        node("Conv", "x w", "e"),
        node("Mul", "a c", "f"),
        node("Add", "e f", "y"),
    ]
    check(network(nodes, CHANNELS), "Conv Conv Add")


@pytest.mark.parametrize("trans", [0, 1])
@pytest.mark.parametrize("bias", ["", " row", " column", " one", " full"])
def test_behind_and_before_a_gemm(trans, bias):
    constants = {
        **weights(w=(3, 5) if trans else (5, 3), row=(3,), column=(2, 1), one=(), full=(2, 3)),
        **weights(pre=(5,), post=(1, 3)),
    }
    nodes = [
        node("Sub", "x pre", "a"),
        node("Gemm", f"a w{bias}", "e", transB=trans, alpha=0.5, beta=-2.0),
        node("Mul", "e post", "f"),
        node("Add", "f one", "y"),
    ]
    check(network(nodes, constants, (2, 5)), "Gemm")


def test_a_matmul_with_a_bias_becomes_a_gemm():
    constants = weights(w=(5, 3), c=(1, 3), gain=(3,), pre=(1, 5))
    matmul = node("MatMul", "x w", "a")
    check(network([matmul, node("Add", "a c", "y")], constants, (1, 5)), "Gemm")
    check(network([matmul, node("Mul", "a gain", "y")], constants, (1, 5)), "MatMul")
    nodes = [node("Add", "x pre", "a"), node("MatMul", "a w", "y")]
    check(network(nodes, constants, (2, 5)), "Gemm")


def test_a_matmul_of_more_axes_takes_gain_and_bias():
    constants = weights(w=(5, 3), c=(3,), rows=(4, 1), pre=(5,))
    matmul = node("MatMul", "x w", "a")
    shape = (2, 4, 5)
    check(network([matmul, node("Mul", "a c", "y")], constants, shape), "MatMul")
    check(network([matmul, node("Add", "a c", "y")], constants, shape), "MatMul")
    check(network([matmul, node("Add", "a rows", "y")], constants, shape), "MatMul Add")
    check(network([matmul, node("Mul", "a rows", "y")], constants, shape), "MatMul Mul")
    nodes = [node("Mul", "x pre", "a"), node("MatMul", "a w", "y")]
    check(network(nodes, constants, shape), "MatMul")


def test_constants_one_behind_another_are_one_node():
    """x - m, divided by s, times g, plus b, between lanes: one gain and one shift."""
    constants = weights(m=(4, 1, 1), s=(4, 1, 1), g=(), b=(1, 4, 1, 1), wide=(6,))
    nodes = [
        node("Relu", "x", "r"), node("Sub", "r m", "a"), node("Div", "a s", "c"),
        node("Mul", "c g", "d"), node("Add", "d b", "e"), node("Relu", "e", "y"),
    ]  # fmt: skip
    changed = check(network(nodes, constants), "Relu Mul Relu")
    assert [changed.shapes[name] for name in changed.nodes[1].inputs[1:]] == [
        (4, 1, 1),
        (1, 4, 1, 1),
    ]
    nodes = [node("Mul", "x m", "a"), node("Mul", "a wide", "y")]
    check(network(nodes, constants), "Mul Mul")  # one gain would have 24 numbers in place of 6
    nodes = [node("Sub", "x m", "a"), node("Mul", "a g", "y"), node("Relu", "a", "z")]
    check(network(nodes, constants, outputs=("y", "z")), "Sub Mul Relu")


@pytest.mark.parametrize("group", [1, 2])
def test_a_normalisation_before_a_convolution_without_a_border(group):
    constants = {**norm(4), **weights(w=(6, 4 // group, 2, 3), b=(6,))}
    normal = node("BatchNormalization", "x ns nb nm nv", "a")
    plain = node("Conv", "a w b", "y", group=group, dilations=[2, 1])
    check(network([normal, plain], constants), "Conv")


@pytest.mark.parametrize("border", [{"pads": [0, 0, 1, 0]}, {"auto_pad": "SAME_UPPER"}])
def test_before_a_border_only_a_gain_goes(border):
    constants = {**norm(4), **weights(w=(6, 4, 2, 3), c=(4, 1, 1), one=())}
    conv = node("Conv", "a w", "y", **border)
    normal = node("BatchNormalization", "x ns nb nm nv", "a")
    check(network([normal, conv], constants), "BatchNormalization Conv")
    check(network([node("Add", "x c", "a"), conv], constants), "Add Conv")
    check(network([node("Div", "x c", "a"), conv], constants), "Conv")
    chain = [node("Div", "x one", "e"), node("Mul", "e c", "a"), conv]
    check(network(chain, constants), "Conv")


def test_before_a_layer_what_something_else_reads_stays():
    constants = weights(w=(6, 4, 2, 3), c=(4, 1, 1))
    nodes = [node("Mul", "x c", "a"), node("Conv", "a w", "y"), node("Relu", "a", "z")]
    check(network(nodes, constants, outputs=("y", "z")), "Mul Conv Relu")
    check(network(nodes[:2], constants, outputs=("y", "a")), "Mul Conv")


def test_a_product_past_all_numbers_is_left():
    constants = weights(w=(6, 4, 2, 3), one=())
    graph = network([node("Conv", "x w", "a"), node("Mul", "a one", "y")], constants)
    weight = constants["w"].astype(np.float64) * 1e200
    large = replace(graph, weights={"w": weight, "one": np.float64(1e200)})
    assert fold_normalisations(large).nodes == large.nodes


def test_what_is_not_finite_is_left_to_be_refused():
    constants = {**weights(w=(6, 4, 2, 3)), "c": np.zeros(6, np.float32).reshape(6, 1, 1)}
    graph = network([node("Conv", "x w", "a"), node("Div", "a c", "y")], constants)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [n.op for n in fold_normalisations(graph).nodes] == ["Conv", "Div"]


@pytest.mark.parametrize("attrs", [{"training_mode": 1}, {"spatial": 0}])
def test_other_normalisations_are_left_to_be_refused(attrs):
    nodes = [node("Conv", "x w", "a"), node("BatchNormalization", "a ns nb nm nv", "y")]
    graph = network(nodes, CHANNELS)
    other = replace(graph, nodes=(nodes[0], replace(nodes[1], attrs=attrs)))
    assert fold_normalisations(other).nodes == other.nodes


def test_shapes_that_do_not_fit_are_left_to_be_refused():
    nodes = [node("Conv", "x w", "a"), node("Mul", "a c", "y")]
    graph = network(nodes, CHANNELS)
    for group in (0, 3):
        other = replace(graph, nodes=(replace(nodes[0], attrs={"group": group}), nodes[1]))
        assert fold_normalisations(other).nodes == other.nodes


def test_the_lowered_designs_agree_to_rounding():
    nodes = [
        node("Div", "x one", "e"),
        node("Conv", "e w b", "a", **CONV),
        node("BatchNormalization", "a ns nb nm nv", "f"),
        node("Relu", "f", "y"),
    ]
    graph = network(nodes, CHANNELS)
    x = {"x": np.random.default_rng(1).normal(size=(3, *X[1:]))}
    before = evaluate.outputs(lower(graph), x)["y"]
    after = evaluate.outputs(lower(fold_normalisations(graph)), x)["y"]
    assert np.abs(after - before).max() < 1e-12 * np.abs(before).max()
    assert fold_normalisations(fold_normalisations(graph)).nodes == fold_normalisations(graph).nodes
