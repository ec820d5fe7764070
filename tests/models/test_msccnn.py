"""The committed MSCCNN models against their card, through onnx and onnxruntime only."""

import hashlib
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from memxc.evaluation import reference

MODELS = Path(__file__).parents[2] / "models"
CARD = (MODELS / "msccnn_fashion.md").read_text(encoding="utf-8")
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
BOTH = ("msccnn_fashion", "msccnn_fashion_bn")
BATCH_NORMS = {"msccnn_fashion": 0, "msccnn_fashion_bn": CARD.count("| depthwise") * 2 + 1}


def stated(pattern: str) -> int:
    """Return the one whole number that the card states in this sentence."""
    (number,) = re.findall(pattern, CARD)
    return int(number.replace(",", ""))


def load(name: str) -> onnx.ModelProto:
    return onnx.load(MODELS / f"{name}.onnx")


def samples() -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / "msccnn_fashion.samples.npz") as data:
        return data["x"], data["y"]


def logits(name: str, x: np.ndarray) -> np.ndarray:
    session = reference.session(MODELS / f"{name}.onnx")
    return session.run(["logits"], {"x": x})[0]


@pytest.mark.parametrize("name", BOTH)
def test_file_is_the_one_of_the_card(name: str) -> None:
    digest = hashlib.sha256((MODELS / f"{name}.onnx").read_bytes()).hexdigest()
    assert re.findall(rf"`{name}\.onnx` \| `([0-9a-f]{{64}})`", CARD) == [digest]


def test_samples_are_the_ones_of_the_card() -> None:
    name = "msccnn_fashion.samples.npz"
    digest = hashlib.sha256((MODELS / name).read_bytes()).hexdigest()
    assert re.findall(rf"`{re.escape(name)}` \| `([0-9a-f]{{64}})`", CARD) == [digest]


@pytest.mark.parametrize("name", BOTH)
def test_checker_names_and_shapes(name: str) -> None:
    model = load(name)
    onnx.checker.check_model(model, full_check=True)

    def signature(value: onnx.ValueInfoProto) -> tuple[str, int, list[int | str]]:
        tensor = value.type.tensor_type
        return value.name, tensor.elem_type, [d.dim_param or d.dim_value for d in tensor.shape.dim]

    assert [signature(v) for v in model.graph.input] == [
        ("x", onnx.TensorProto.FLOAT, ["batch", 1, 28, 28])
    ]
    assert [signature(v) for v in model.graph.output] == [
        ("logits", onnx.TensorProto.FLOAT, ["batch", 10])
    ]


@pytest.mark.parametrize("name", BOTH)
def test_batch_normalization_is_folded_or_kept(name: str) -> None:
    operators = [node.op_type for node in load(name).graph.node]
    assert operators.count("BatchNormalization") == BATCH_NORMS[name]
    assert set(operators) - {"BatchNormalization"} == {
        "Conv",
        "Relu",
        "MaxPool",
        "AveragePool",
        "Flatten",
    }


@pytest.mark.parametrize("name", BOTH)
def test_no_path_of_the_training_machine(name: str) -> None:
    model = load(name)
    assert not model.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_parameters_and_macs_of_the_card() -> None:
    model = onnx.shape_inference.infer_shapes(load("msccnn_fashion"))
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    maps = {
        value.name: math.prod(d.dim_value for d in value.type.tensor_type.shape.dim[2:])
        for value in model.graph.value_info
    }
    macs = sum(
        sizes[node.input[1]] * maps[node.output[0]]
        for node in model.graph.node
        if node.op_type == "Conv"
    )
    assert sum(sizes.values()) == stated(r"([\d,]+) parameters")
    assert macs == stated(r"([\d,]+) MACs")


@pytest.mark.parametrize("name", BOTH)
def test_accuracy_on_the_shipped_samples(name: str) -> None:
    x, y = samples()
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((64, 1, 28, 28), np.float32, (64,), np.int64)
    assert x.min() == 0.0
    assert x.max() == 1.0
    assert (logits(name, x).argmax(1) == y).sum() == stated(r"([\d,]+) of the 64 shipped")


def test_both_files_are_one_network() -> None:
    x, _ = samples()
    kept, fold = logits("msccnn_fashion_bn", x), logits("msccnn_fashion", x)
    assert np.abs(kept - fold).max() / np.abs(fold).max() < 1e-5


@pytest.mark.skipif(
    not FASHION_MNIST.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed"
)
def test_accuracy_over_the_whole_test_set() -> None:
    command = [sys.executable, "-B", MODELS / "accuracy.py", MODELS / "msccnn_fashion.onnx"]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (right,) = re.findall(r"\(([\d,]+) of 10,000\)", line)
    # Another processor may round a near tie the other way.
    assert abs(int(right.replace(",", "")) - stated(r"([\d,]+) of the 10,000 test")) <= 2


@pytest.mark.skipif(
    not FASHION_MNIST.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed"
)
def test_samples_are_the_first_of_the_test_set() -> None:
    sys.path.insert(0, str(MODELS))
    try:
        import fashion  # noqa: PLC0415
    finally:
        sys.path.remove(str(MODELS))
    whole_x, whole_y = fashion.load(FASHION_MNIST, "t10k")
    x, y = samples()
    np.testing.assert_array_equal(x, whole_x[:64])
    np.testing.assert_array_equal(y, whole_y[:64])
