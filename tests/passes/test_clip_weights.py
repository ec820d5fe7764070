"""clip-weights: what is cut and what stays, by hand; and what a device of few levels gains."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import target
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.frontend import load
from memxc.interfaces import Context
from memxc.passes.clip_weights import ClipWeights

#: The first weight is 8 times as large as any other of its layer.
WEIGHT = np.array([[8.0, -0.5, 0.25], [-1.0, 0.75, 0.5]], np.float32)


@pytest.fixture
def dense(tmp_path):
    """dense(weight) -> the file of a network of one dense layer with a bias."""

    def build(weight):
        value = helper.make_tensor_value_info
        weights = {"w": weight, "b": np.array([0.5, -4.0], np.float32)}
        graph = helper.make_graph(
            [helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="dense", transB=1)], "net",
            [value("x", TensorProto.FLOAT, (1, weight.shape[1]))],
            [value("y", TensorProto.FLOAT, (1, 2))],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "n.onnx")
        return tmp_path / "n.onnx"

    return build


@pytest.mark.parametrize(
    ("share", "wanted"),
    [
        (1 / 6, [[1.0, -0.5, 0.25], [-1.0, 0.75, 0.5]]),
        (3 / 6, [[0.5, -0.5, 0.25], [-0.5, 0.5, 0.5]]),
        (0.99, [[0.25, -0.25, 0.25], [-0.25, 0.25, 0.25]]),
        (0.01, WEIGHT),
    ],
)
def test_the_largest_weights_are_cut(dense, share, wanted):
    graph = load(dense(WEIGHT))
    result = ClipWeights(share=share).run(graph, Context(target.load("ideal"), {}))
    (layer,) = (n for n in result.ir.nodes if n.name == "dense")
    weight, bias = (result.ir.weights[name] for name in layer.inputs[1:])
    assert np.array_equal(weight, wanted)
    assert bias.tolist() == [0.5, -4.0]
    again = ClipWeights(share=share).run(result.ir, Context(target.load("ideal"), {})).ir
    assert np.array_equal(again.weights[layer.inputs[1]], wanted)


def test_clipping_reduces_the_error_of_a_device_of_few_levels(dense, tmp_path):
    """One weight too large among 96 takes most of 16 levels from its column."""
    rng = np.random.default_rng(2)
    weight = rng.uniform(-1, 1, (2, 48)).astype(np.float32)
    weight[:, 5] = 12.0
    path = dense(weight)
    x = rng.uniform(0, 1, (40, 48)).astype(np.float32)
    x[:, 5] = 0.01  # and carries little
    np.savez(tmp_path / "x.npz", x=x)
    chosen = target.load("ideal").with_set("device.levels=16")
    right = reference.run(path, {"x": x})["y"]
    errors = []
    for share in (None, 0.03):
        options = Options(path, chosen, samples=tmp_path / "x.npz", clip_weights=share)
        made = compile_model(options, check=False)
        errors.append(np.abs(evaluate.outputs(made.design, {"x": x})["y"] - right).max())
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_share_that_makes_no_sense(dense, share):
    with pytest.raises(MemxcError, match="--clip-weights"):
        Options(dense(WEIGHT), target.load("ideal"), clip_weights=share)
