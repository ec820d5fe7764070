"""Importance by samples: layers of several rows at once, and signals without a batch axis."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import frontend, target
from memxc.analysis import refit
from memxc.analysis.importance import measured_importance
from memxc.analysis.layer import layers_of, read_layer
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ops.lower import lower
from memxc.passes.prune_ckf import PruneCkf

node = helper.make_node
RNG = np.random.default_rng(8)
#: 5 rows of 6 features, of which 1 and 4 never change.
X = RNG.normal(size=(30, 5, 6)).astype(np.float32)
X[:, :, [1, 4]] = [2.0, -1.0]
CTX = Context(target.load("ideal"), {"x": X})
W = RNG.uniform(0.5, 1.5, size=(6, 3)).astype(np.float32)


def load(tmp_path, nodes, weights):
    """A network of x, (1, 5, 6), to y."""
    made = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 5, 6))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )  # fmt: skip
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]), path)
    return frontend.load(path, {})


ROWS = [node("Reshape", ["x", "rows"], ["r"])]
FIVE = {"rows": np.array([5, 6])}
BACK = node("Reshape", ["m", "back"], ["y"])


@pytest.mark.parametrize(
    ("nodes", "more"),
    [
        ([node("MatMul", ["x", "w"], ["y"])], {}),
        ([*ROWS, node("MatMul", ["r", "w"], ["y"])], FIVE),
        ([*ROWS, node("Gemm", ["r", "w"], ["m"]), BACK], {**FIVE, "back": np.array([1, 15])}),
        ([*ROWS, node("Gemm", ["r", "v"], ["m"], transB=1), BACK],
         {**FIVE, "v": W.T.copy(), "back": np.array([1, 15])}),
        ([*ROWS, node("Transpose", ["r"], ["t"], perm=[1, 0]),
          node("Gemm", ["t", "w"], ["y"], transA=1)], FIVE),
        # The answer has one axis only.
        ([node("MatMul", ["x", "w"], ["m"]), BACK], {"back": np.array([15])}),
    ],
)  # fmt: skip
def test_what_never_changes_goes_first(tmp_path, nodes, more):
    net = load(tmp_path, nodes, {"w": W, **more})
    (layer,) = layers_of(PruneCkf(share=1 / 3, score="samples").run(net, CTX).ir).values()
    gone = (layer.weight == 0).all(axis=0 if layer.node.attrs.get("transB") else 1)
    np.testing.assert_array_equal(gone, [False, True, False, False, True, False])
    assert np.count_nonzero(layer.weight) == 4 * 3


def test_the_total_importance_is_the_same_in_each_layer(tmp_path):
    """Each layer passes on the importance of the answers, which is 1, on any axis of channels."""
    nodes = [
        node("MatMul", ["x", "w"], ["m"]), node("Relu", ["m"], ["q"]),
        node("MatMul", ["q", "v"], ["n"]),
        node("Reshape", ["n", "flat"], ["f"]), node("Gemm", ["f", "u"], ["g"]),
        node("ReduceSum", ["g", "axis"], ["y"], keepdims=0),
    ]  # fmt: skip
    weights = {"w": W, "v": W[:3, :2], "flat": np.array([1, 10]), "u": np.ones((10, 4), np.float32)}
    net = load(tmp_path, nodes, {**weights, "axis": np.array([0])})
    found = measured_importance(net, CTX)
    for one in net.nodes:
        layer = read_layer(one, net)
        if layer is not None:
            assert found.weights(layer).sum() == pytest.approx(1.0), one.op
    assert found.channels["x"].sum() == pytest.approx(1.0)


def test_the_terms_of_a_sum_share_its_importance_by_their_variance(tmp_path):
    nodes = [
        node("MatMul", ["x", "w"], ["m"]), node("MatMul", ["x", "v"], ["n"]),
        node("Add", ["m", "n"], ["s"]), node("Transpose", ["s"], ["y"], perm=[0, 2, 1]),
    ]  # fmt: skip
    v = RNG.normal(size=(6, 3)).astype(np.float32)
    found = measured_importance(load(tmp_path, nodes, {"w": W, "v": v}), CTX).channels
    # Axis 1 of both terms has the five rows.
    first, second = ((X @ weight).astype(np.float64).var(axis=(0, 2)) for weight in (W, v))
    assert found["m"] + found["n"] == pytest.approx(found["s"])
    assert found["m"] / found["s"] == pytest.approx(first / (first + second), rel=1e-5)


def test_a_layer_without_a_place_for_a_bias_stays_as_pruned_and_the_next_is_fitted(tmp_path):
    nodes = [
        node("MatMul", ["x", "w"], ["m"]), node("Relu", ["m"], ["q"]),
        node("Reshape", ["q", "flat"], ["f"]), node("Gemm", ["f", "u", "b"], ["y"]),
    ]  # fmt: skip
    u = RNG.normal(size=(15, 2)).astype(np.float32)
    weights = {"w": W[None], "flat": np.array([1, 15]), "u": u, "b": np.zeros(2, np.float32)}
    net = load(tmp_path, nodes, weights)
    pruned = PruneCkf(share=0.3, scope="layer").run(net, CTX).ir
    fitted = refit.refitted(net, pruned, CTX)
    first, second = (list(layers_of(graph).values()) for graph in (pruned, fitted))
    np.testing.assert_array_equal(first[0].weight, second[0].weight)
    assert not np.array_equal(first[1].weight, second[1].weight)
    wanted, *answers = (
        evaluate.outputs(lower(graph), {"x": X})["y"] for graph in (net, pruned, fitted)
    )
    before, after = (np.mean((answer - wanted) ** 2) for answer in answers)
    assert after < before / 2
