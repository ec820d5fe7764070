"""The committed SE-FCN models against their card, through onnx and onnxruntime only."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from memxc.evaluation import reference

MODELS = Path(__file__).parents[2] / "models"
CARD = (MODELS / "sefcn_nuclei.md").read_text(encoding="utf-8")
BOTH = ("sefcn_nuclei", "sefcn_nuclei_pruned")
SIDE = 128


def layers(name: str) -> list[tuple[str, np.ndarray]]:
    """Operator and weights of each layer that multiplies, in the order of the nodes."""
    graph = onnx.load(MODELS / f"{name}.onnx").graph
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    return [
        (node.op_type, weights[node.input[1]])
        for node in graph.node
        if node.op_type in ("Conv", "ConvTranspose")
    ]


def map_sides() -> list[int]:
    """Side of the map that each layer's weights multiply, by the card: down, SE, up, merge."""
    down = [side for level in (128, 64, 32, 16) for side in (level, level, 1, 1)]
    return [*down, 16, 32, 32, 64, 64, 128, 128]


def multiplications(name: str) -> int:
    return sum(
        int(np.count_nonzero(weights)) * side**2
        for (_, weights), side in zip(layers(name), map_sides(), strict=True)
    )


def samples() -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / "sefcn_nuclei.samples.npz") as data:
        return data["x"], data["y"]


def masks(name: str, x: np.ndarray) -> np.ndarray:
    session = reference.session(MODELS / f"{name}.onnx")
    return session.run(["mask"], {"x": x})[0]


def dice(wanted: np.ndarray, found: np.ndarray) -> float:
    pairs = zip(wanted, found, strict=True)
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs]))


def test_operators() -> None:
    operators = [node.op_type for node in onnx.load(MODELS / "sefcn_nuclei.onnx").graph.node]
    wanted = {"Conv": 20, "ConvTranspose": 3, "GlobalAveragePool": 4, "Sigmoid": 5, "Mul": 4}
    assert {name: operators.count(name) for name in wanted} == wanted


def test_multiplications_before_and_after() -> None:
    before, after = (multiplications(name) for name in BOTH)
    assert (before, after) == (87_820_960, 35_128_200)
    assert f"{after:,} of the {before:,}" in CARD
    # The paper's abstract says up to 56.2 % fewer.
    assert 1 - after / before >= 0.562


def test_weights_left_in_each_layer_are_the_ones_of_the_card() -> None:
    found = [
        (int(np.count_nonzero(weights)), weights.size)
        for _, weights in layers("sefcn_nuclei_pruned")
        if weights.shape[2:] != (1, 1) or weights.shape[0] == 1
    ]
    rows = re.findall(r"([\d,]+) of ([\d,]+) \|$", CARD, re.M)
    stated = [tuple(int(n.replace(",", "")) for n in row) for row in rows]
    # The card goes level by level, as the nodes do.
    assert found == stated


def test_samples() -> None:
    x, y = samples()
    assert (x.shape, x.dtype) == ((32, 1, SIDE, SIDE), np.float32)
    assert (y.shape, y.dtype) == ((32, 1, SIDE, SIDE), np.bool_)
    assert (x.min(axis=(1, 2, 3)) == 0).all()
    assert (x.max(axis=(1, 2, 3)) == 1).all()
    assert 0.05 < y.mean() < 0.25


@pytest.mark.parametrize("name", BOTH)
def test_dice_on_the_shipped_samples(name: str) -> None:
    x, y = samples()
    (pair,) = re.findall(
        r"On the 32 shipped pictures the mean is ([\d.]+) \(pruned ([\d.]+)\)", CARD
    )
    assert abs(dice(y, masks(name, x) > 0.5) - float(pair[BOTH.index(name)])) < 2e-4
    # The samples are not symmetric: a picture that is turned finds another mask.
    assert dice(y, masks(name, x.swapaxes(2, 3)) > 0.5) < 0.5


def test_parameters_of_the_table_add_up() -> None:
    cells = re.findall(r"\| ([\d, +]+) \| ([\d, +]+) \| [\d,]+ of", CARD)
    totals = [
        sum(int(n) for n in re.findall(r"\d+", "+".join(c).replace(",", "")))
        for c in zip(*cells, strict=True)
    ]
    assert totals == [99_303, 87_820_960]
