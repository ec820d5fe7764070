"""The traditional twin beside the MSCCNN: equal accuracy, many more parameters."""

import re
from pathlib import Path

import numpy as np
import onnx

from memxc.evaluation import reference

MODELS = Path(__file__).parents[2] / "models"
CARD = (MODELS / "lenet_fashion.md").read_text(encoding="utf-8")


def hits(name: str) -> int:
    with np.load(MODELS / "msccnn_fashion.samples.npz") as data:
        session = reference.session(MODELS / f"{name}.onnx")
        return int((session.run(["logits"], {"x": data["x"]})[0].argmax(1) == data["y"]).sum())


def parameters(name: str) -> int:
    initializers = onnx.load(MODELS / f"{name}.onnx").graph.initializer
    return sum(onnx.numpy_helper.to_array(tensor).size for tensor in initializers)


def test_accuracy_on_the_shipped_samples() -> None:
    (stated,) = re.findall(r"on (\d+) of the 64 pictures of", CARD)
    assert hits("lenet_fashion") == int(stated)
    assert abs(hits("lenet_fashion") - hits("msccnn_fashion")) <= 2


def test_it_is_larger_than_the_msccnn_by_what_the_card_says() -> None:
    (stated,) = re.findall(r"with ([\d.]+) times as many parameters", CARD)
    assert f"{parameters('lenet_fashion') / parameters('msccnn_fashion'):.1f}" == stated


def test_its_head_is_dense() -> None:
    operators = [node.op_type for node in onnx.load(MODELS / "lenet_fashion.onnx").graph.node]
    assert (operators.count("Conv"), operators.count("Gemm")) == (2, 3)
