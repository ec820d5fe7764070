"""Every committed network against the table of its card: bytes, parameters, multiplications."""

import hashlib
import math
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from memxc.cli import _main

MODELS = Path(__file__).parents[2] / "models"
CARDS = {card.name: card.read_text(encoding="utf-8") for card in sorted(MODELS.glob("*_*.md"))}
NETWORKS = sorted(path.name for path in MODELS.glob("*.onnx"))
#: | `file.onnx` | `SHA-256` | parameters | MACs |
ROW = re.compile(r"^\| `(.+?\.onnx)` \| `[0-9a-f]{64}` \| ([\d,]+) \| ([\d,]+) \|$", re.M)
COUNTED = {
    name: (int(parameters.replace(",", "")), int(macs.replace(",", "")))
    for card in CARDS.values()
    for name, parameters, macs in ROW.findall(card)
}


def load(name: str) -> onnx.ModelProto:
    """The network for one picture, every shape written down."""
    model = onnx.load(MODELS / name)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def maps(model: onnx.ModelProto) -> dict[str, int]:
    """Pixels of each tensor: the product of its axes after batch and channels."""
    graph = model.graph
    return {
        value.name: math.prod(d.dim_value for d in value.type.tensor_type.shape.dim[2:])
        for value in (*graph.value_info, *graph.input, *graph.output)
    }


@pytest.mark.parametrize("name", [*NETWORKS, *(p.name for p in sorted(MODELS.glob("*.npz")))])
def test_each_file_stands_in_one_card(name: str) -> None:
    digest = hashlib.sha256((MODELS / name).read_bytes()).hexdigest()
    found = [re.findall(rf"`{re.escape(name)}` \| `([0-9a-f]{{64}})`", c) for c in CARDS.values()]
    assert [hit for hit in found if hit] == [[digest]]


def test_each_card_stands_in_the_table() -> None:
    table = (MODELS / "README.md").read_text(encoding="utf-8")
    for name in (*CARDS, *NETWORKS):
        assert f"`{name}`" in table or f"]({name})" in table


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_parameters_and_macs_of_the_card(name: str) -> None:
    model = load(name)
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    pixels, weighted = maps(model), 0
    macs = parameters = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            weighted += 1
            at = node.input[0] if node.op_type == "ConvTranspose" else node.output[0]
            macs += sizes[node.input[1]] * pixels[at]
        if node.op_type in ("Conv", "ConvTranspose", "Gemm", "BatchNormalization"):
            parameters += sum(sizes[tensor] for tensor in node.input[1:])
    assert weighted > 0
    assert (parameters, macs) == COUNTED[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_checker_and_no_path_of_the_training_machine(name: str) -> None:
    model = onnx.load(MODELS / name)
    onnx.checker.check_model(model, full_check=True)
    assert not model.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_numbers(name: str) -> None:
    arrays = [onnx.numpy_helper.to_array(t) for t in onnx.load(MODELS / name).graph.initializer]
    assert all(np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_node_can_be_mapped(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = _main._run(["check", str(MODELS / name)])
    out, err = capsys.readouterr()
    assert code == 0
    # The squeeze and excitation of SE-FCN multiplies whole maps.
    assert ("analog multipliers" in err) == name.startswith("sefcn")
    assert "Every node can be mapped" in out
