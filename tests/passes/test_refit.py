"""--refit: the weights that pruning leaves, against numpy's least squares over patches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper

from memxc import frontend, target
from memxc.analysis import refit
from memxc.analysis.layer import layers_of
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ops.lower import lower
from memxc.passes.prune_ckf import PruneCkf
from memxc.passes.prune_lines import PruneLines
from memxc.passes.separate import Separate

node = helper.make_node
RNG = np.random.default_rng(11)
#: Channels that go together, so that one can stand in for another.
X = (RNG.normal(size=(40, 2, 6, 5)) @ RNG.normal(size=(5, 5))).astype(np.float32)
THIRD = X[:, :1] + 0.3 * X[:, 1:] + 0.5 * RNG.normal(size=(40, 1, 6, 5))
X = np.concatenate([X, THIRD], axis=1).astype(np.float32) + np.float32(0.4)
CTX = Context(target.load("ideal"), {"x": X})


def weight(*shape, seed=1):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def graph(tmp_path, nodes, weights, shape=(1, 3, 6, 5)):
    made = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]), path)
    return frontend.load(path, {})


def answers(net, x=X):
    return next(iter(evaluate.outputs(lower(net), {"x": x}).values()))


def zeroed(net, share=0.5):
    return PruneCkf(share=share).run(net, CTX).ir


def layer(net, number=0):
    return list(layers_of(net).values())[number]


def test_each_filter_is_the_least_squares_of_what_it_has_left(tmp_path):
    net = graph(
        tmp_path, [node("Conv", ["x", "w", "b"], ["y"])], {"w": weight(5, 3, 3, 2), "b": weight(5)}
    )
    pruned = zeroed(net)
    found = layer(refit.refitted(net, pruned, CTX))
    wanted = answers(net)
    windows = sliding_window_view(X.astype(float), (3, 2), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    patches = np.concatenate([windows.reshape(-1, 18), np.ones((len(X) * 16, 1))], axis=1)
    before = after = 0.0
    for number, weights in enumerate(layer(pruned).weight.reshape(5, 18)):
        taps = np.append(weights != 0, True)
        right = wanted[:, number].reshape(-1)
        best, *_ = np.linalg.lstsq(patches[:, taps], right, rcond=None)
        ours = np.append(found.weight[number].reshape(-1), found.bias[number])
        assert not ours[:-1][weights == 0].any()
        least = np.square(patches[:, taps] @ best - right).mean()
        assert np.square(patches @ ours - right).mean() <= least * 1.02 + 1e-9
        was = np.append(weights, layer(pruned).bias[number])
        before, after = before + np.square(patches @ was - right).mean(), after + least
    assert before > 1.5 * after


RECTIFIERS = {
    "relu": [node("Relu", ["p"], ["y"])],
    "relu6": [node("Clip", ["p", "zero", "six"], ["y"])],
    "thresholded": [node("ThresholdedRelu", ["p"], ["y"], alpha=0.2)],
    "leaky with no slope": [node("LeakyRelu", ["p"], ["y"], alpha=0.0)],
    "codes from zero": [
        node("QuantizeLinear", ["p", "step", "none"], ["q"]),
        node("DequantizeLinear", ["q", "step", "none"], ["y"]),
    ],
    "from another number": [node("Clip", ["p", "tenth", "six"], ["y"])],
    "hard swish": [node("HardSwish", ["p"], ["y"])],
}


@pytest.mark.parametrize("name", RECTIFIERS)
def test_a_fit_ignores_what_the_rectifier_behind_it_removes(tmp_path, name):
    """Behind a rectifier, the fit beats least squares, which also fits negative numbers."""
    numbers = {"zero": 0.0, "six": 6.0, "tenth": -0.1, "step": 0.01}
    weights = {
        "w": weight(5, 3, 3, 2), "b": np.zeros(5, np.float32),
        **{key: np.float32(value) for key, value in numbers.items()}, "none": np.uint8(0),
    }  # fmt: skip
    net = graph(tmp_path, [node("Conv", ["x", "w", "b"], ["p"]), *RECTIFIERS[name]], weights)
    pruned = zeroed(net, 0.7)
    found = layer(refit.refitted(net, pruned, CTX))
    windows = sliding_window_view(X.astype(float), (3, 2), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    patches = np.concatenate([windows.reshape(-1, 18), np.ones((len(X) * 16, 1))], axis=1)
    ours = plain = 0.0
    for number, weights in enumerate(layer(pruned).weight.reshape(5, 18)):
        taps = np.append(weights != 0, True)
        right = patches[:, :18] @ layer(net).weight[number].reshape(-1)
        best, *_ = np.linalg.lstsq(patches[:, taps], right, rcond=None)
        fitted = np.append(found.weight[number].reshape(-1), found.bias[number])
        for answer, add in ((patches[:, taps] @ best, 0), (patches @ fitted, 1)):
            error = np.square(np.maximum(answer, 0) - np.maximum(right, 0)).sum()
            ours, plain = ours + error * add, plain + error * (1 - add)
    rectifies = name not in ("from another number", "hard swish")
    assert (ours < 0.97 * plain) == rectifies
    assert ours < 1.03 * plain


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([node("Gemm", ["f", "w", "b"], ["y"])], {"w": weight(90, 7), "b": weight(7)}),
        ([node("Gemm", ["f", "w", "b"], ["y"], transB=1)], {"w": weight(7, 90), "b": weight(7)}),
        ([node("MatMul", ["f", "w"], ["y"])], {"w": weight(90, 7)}),
    ],
    ids=["gemm", "transposed", "matmul"],
)
def test_dense_layers_keep_their_zeros_and_lose_less(tmp_path, nodes, weights):
    net = graph(tmp_path, [node("Flatten", ["x"], ["f"]), *nodes], weights)
    pruned = zeroed(net, 0.6)
    found = refit.refitted(net, pruned, CTX)
    gone = layer(pruned).weight == 0
    assert gone.any()
    assert not layer(found).weight.reshape(gone.shape)[gone].any()
    right = answers(net)
    assert np.abs(answers(found) - right).mean() < 0.5 * np.abs(answers(pruned) - right).mean()


NODES = [
    node("Conv", ["x", "a", "ab"], ["p"], pads=[1, 1, 1, 1]),
    node("Relu", ["p"], ["q"]),
    node("Conv", ["q", "d", "db"], ["r"], group=6, pads=[1, 1, 1, 1]),
    node("Relu", ["r"], ["s"]),
    node("Conv", ["s", "c", "cb"], ["t"]),
    node("ConvTranspose", ["t", "u", "ub"], ["y"], strides=[2, 2]),
]
WEIGHTS = {
    "a": weight(6, 3, 3, 3), "ab": weight(6), "d": weight(6, 1, 3, 3), "db": weight(6, seed=2),
    "c": weight(4, 6, 1, 1), "cb": weight(4), "u": weight(4, 2, 2, 2), "ub": weight(2),
}  # fmt: skip


def test_layers_behind_a_pruned_crossbar_make_up_for_it(tmp_path):
    net = graph(tmp_path, NODES, WEIGHTS)
    asked = PruneLines(unit="crossbar", share=0.4, score="samples")
    pruned, found = asked.run(net, CTX).ir, replace(asked, rest="refitted").run(net, CTX).ir
    right = answers(net)
    assert (
        np.square(answers(found) - right).mean() < 0.85 * np.square(answers(pruned) - right).mean()
    )
    # Depthwise and transposed layers are as pruning left them.
    for number in (1, 3):
        assert np.array_equal(layer(found, number).weight, layer(pruned, number).weight)


def test_where_nothing_went_nothing_changes(tmp_path):
    net = graph(tmp_path, NODES, WEIGHTS)
    found = refit.refitted(net, net, CTX)
    assert answers(found) == pytest.approx(answers(net), rel=1e-9, abs=1e-9)


def test_a_filter_that_went_as_a_whole_keeps_its_bias(tmp_path):
    weights = {"w": weight(5, 3, 3, 2), "b": weight(5)}
    net = graph(tmp_path, [node("Conv", ["x", "w", "b"], ["y"])], weights)
    pruned = graph(
        tmp_path, [node("Conv", ["x", "w", "b"], ["y"])],
        {**weights, "w": weights["w"] * np.array([1, 1, 0, 1, 1], np.float32)[:, None, None, None]},
    )  # fmt: skip
    found = layer(refit.refitted(net, pruned, CTX))
    assert found.bias[2] == pytest.approx(weights["b"][2])
    assert not found.weight[2].any()


@pytest.mark.parametrize("spread", [0.0, 1e-7])
def test_samples_that_hardly_differ_can_be_fitted_to(tmp_path, spread):
    """Their second moments are rounding, of either sign."""
    same = np.float32(0.37) + np.float32(spread) * RNG.normal(size=X.shape).astype(np.float32)
    ctx = Context(target.load("ideal"), {"x": same})
    net = graph(tmp_path, NODES, WEIGHTS)
    pruned = PruneCkf(share=0.3).run(net, ctx).ir
    found, right = refit.refitted(net, pruned, ctx), answers(net, same)
    before, after = (np.square(answers(g, same) - right).mean() for g in (pruned, found))
    assert after < 1.5 * before
    separated = Separate(ratio=1.0).run(net, ctx).ir
    assert np.isfinite(answers(separated, same)).all()
