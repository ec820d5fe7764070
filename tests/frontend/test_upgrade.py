"""Opset 6 read as opset 7, against ONNX's own cases and numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.frontend import load
from memxc.frontend.check import check
from memxc.frontend.convert import convert
from memxc.frontend.fold import fold
from memxc.frontend.network import network_of
from memxc.frontend.read import read
from memxc.ops.lower import lower

node = helper.make_node
SUITE = Path(onnx.__file__).parent / "backend/test/data"
OLD = sorted(
    path
    for kind in ("pytorch-converted", "pytorch-operator")
    for path in (SUITE / kind).glob("*/model.onnx")
    if onnx.load(path, load_external_data=False).opset_import[0].version == 6
)


def tensors(path: Path, kind: str) -> list[np.ndarray]:
    files = sorted((path.parent / "test_data_set_0").glob(f"{kind}_*.pb"))
    return [numpy_helper.to_array(onnx.load_tensor(file)) for file in files]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.parent.name)
def test_onnx_cases(path):
    """Every case is read with its answer's shapes, and its circuit, if any, is right."""
    model = read(path)
    check(model, str(path))
    weights = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in weights]
    inputs = dict(zip(names, tensors(path, "input"), strict=True))
    # The cases have other batches, so this bypasses the rule that a batch is 1.
    network = network_of(model, {name: value.shape for name, value in inputs.items()})
    fold(network)
    graph = convert(network, "case")
    expected = dict(zip(graph.outputs, tensors(path, "output"), strict=True))
    assert {name: graph.shapes[name] for name in expected} == {
        name: value.shape for name, value in expected.items()
    }
    try:
        design = lower(graph)
    except MemxcError:
        return
    found = evaluate.outputs(design, {name: value[None] for name, value in inputs.items()})
    for name, value in expected.items():
        finite = np.isfinite(value)  # a circuit cannot give the root of a negative number
        values = found[name].reshape(value.shape)
        np.testing.assert_allclose(values[finite], value[finite], rtol=1e-3, atol=1e-6)


def test_the_suite_has_not_shrunk():
    assert len(OLD) == 112


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Pow"])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((5,), {}),
        ((4, 5), {}),
        ((1,), {}),
        ((), {}),
        ((1, 1, 1, 1, 1), {}),
        ((3,), {"axis": 1}),
        ((3, 4), {"axis": 1}),
        ((3,), {"axis": -3}),
        ((4, 1), {"axis": 2}),
    ],
)
def test_broadcasting_along_an_axis(build, kind, shape, settings):
    value = np.random.default_rng(3).uniform(0.5, 2.0, shape).astype(np.float32)
    nodes = [node(kind, ["x", "v"], ["y"], broadcast=1, **settings)]
    path = build(nodes, {"v": value}, opset=6, ir=3)
    graph = load(path)
    assert [n.op for n in graph.nodes] == [kind]
    x = np.random.default_rng(4).uniform(0.5, 2.0, (1, 3, 4, 5)).astype(np.float32)
    start = settings.get("axis", 4 - len(shape))
    written = value.reshape(()) if value.size == 1 else value.reshape(
        (*shape, *[1] * (4 - start % 4 - len(shape)))
    )  # fmt: skip
    (weight,) = graph.weights.values()
    operation = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
    with_numpy = operation.get(kind, np.power)
    np.testing.assert_array_equal(with_numpy(x, weight), with_numpy(x, written))
    assert graph.shapes["y"] == (1, 3, 4, 5)


def test_broadcasting_of_a_signal(build):
    """This is the gate of a squeeze-and-excitation block in opset 6."""
    nodes = [
        node("GlobalAveragePool", ["x"], ["p"]),
        node("Squeeze", ["p"], ["s"], axes=[0, 2, 3]),
        node("Mul", ["x", "s"], ["y"], name="gate", broadcast=1, axis=1),
    ]
    path = build(nodes, opset=6, ir=3)
    x = np.random.default_rng(5).normal(size=(2, 3, 4, 5)).astype(np.float32)
    found = evaluate.outputs(lower(load(path)), {"x": x})
    np.testing.assert_allclose(found["y"], x * x.mean((2, 3), keepdims=True), rtol=1e-5)


def test_names_that_are_taken_already(build):
    """Upgrading gives its nodes names that the model does not use."""
    names = ["v/sizes", "v/aligned", "v/aligned~1", "y"]
    nodes = [
        node("Relu", ["x"], ["v/sizes"], name="gate/align"),
        node("Relu", ["v/sizes"], ["v/aligned"]),
        node("Relu", ["v/aligned"], ["v/aligned~1"]),
        node("Add", ["v/aligned~1", "v"], ["y"], name="gate", broadcast=1, axis=1),
    ]
    graph = load(build(nodes, {"v": np.ones(3, np.float32)}, opset=6, ir=3))
    assert [n.outputs[0] for n in graph.nodes] == names
    assert graph.weights[graph.nodes[-1].inputs[1]].shape == (3, 1, 1)


@pytest.mark.parametrize(
    ("nodes", "code", "what"),
    [
        ([node("Add", ["x", "v"], ["y"])], "broken-model", "without broadcast = 1"),
        ([node("Add", ["x", "v"], ["y"], broadcast=1)], "broken-model", "at axis 3"),
        ([node("Add", ["x", "v"], ["y"], broadcast=1, axis=4)], "broken-model", "at axis 4"),
        ([node("Add", ["x", "v"], ["y"], broadcast=1, axis=-9)], "broken-model", "at axis -5"),
        ([node("Add", ["v", "x"], ["y"], broadcast=1)], "broken-model", "[1, 3, 4, 5] at axis"),
        ([node("Dropout", ["x"], ["y"])], "unsupported-model", "as in training"),
        ([node("BatchNormalization", ["x", *"vvvv"], ["y"])], "unsupported-model", "is_test"),
        ([node("Upsample", ["x"], ["y"], height_scale=2.0, width_scale=2.0)], "unsupported-op",
         "another meaning"),
    ],
)  # fmt: skip
def test_what_opset_6_says_and_cannot_be(build, faults_of, nodes, code, what):
    path = build(nodes, {"v": np.ones(3, np.float32)}, opset=6, ir=3)
    (fault,) = faults_of(path)
    assert fault.code == code
    assert what in fault.what


def test_modes_of_inference_are_taken_out(build):
    nodes = [
        node("BatchNormalization", ["x", *"vvvv"], ["a"], is_test=1, epsilon=0.5),
        node("Dropout", ["a"], ["b"], is_test=1, ratio=0.25),
        node("PRelu", ["b", "v"], ["y"]),
    ]
    graph = load(build(nodes, {"v": np.arange(1.0, 4.0, dtype=np.float32)}, opset=6, ir=3))
    assert [(n.op, dict(n.attrs)) for n in graph.nodes] == [
        ("BatchNormalization", {"epsilon": 0.5}), ("Dropout", {"ratio": 0.25}), ("PRelu", {})
    ]  # fmt: skip
    assert graph.weights[graph.nodes[-1].inputs[1]].shape == (3, 1, 1)
    assert graph.opset == 7


def test_an_axis_far_before_the_first(build, faults_of):
    """It once asked for a shape of a thousand million sizes."""
    add = helper.make_node("Add", ["x", "b"], ["y"], name="add", axis=-(2**30), broadcast=1)
    (fault,) = faults_of(build([add], {"b": np.ones(2, np.float32)}, opset=6))
    assert (fault.code, "at axis" in fault.what) == ("broken-model", True)
