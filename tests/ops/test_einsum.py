"""Einsum of a signal with a constant, against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.ops.lower import lower


def random(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("ij,jk->ik", (2, 7), (7, 4)),
        ("ij, kj -> ki", (2, 7), (4, 7)),
        ("bij,bjk->bik", (3, 2, 7), (3, 7, 4)),
        ("bhnd,hde->bnhe", (1, 3, 5, 4), (3, 4, 6)),
        ("...ij,jk->...ik", (2, 3, 5, 4), (4, 6)),
        ("...ij,...jk", (2, 5, 4), (2, 4, 6)),
        ("ij,jk", (2, 7), (7, 4)),
        ("i,j->ij", (3,), (4,)),
        ("ij,ij->", (3, 4), (3, 4)),
        ("ij,k->ik", (3, 4), (5,)),
        ("ij,jkl->ik", (3, 4), (4, 5, 2)),
        ("iji,jk->ik", (3, 4, 3), (4, 5)),
        ("ij,jkk->ik", (3, 4), (4, 5, 5)),
        ("ij,ij->ij", (3, 4), (3, 4)),
    ],
)
@pytest.mark.parametrize("constant", ["x", "w"])
def test_einsum_equals_onnxruntimes(check_node, equation, left, right, constant):
    inputs = {"x": random(*left), "w": random(*right, seed=1)}
    graph = check_node("Einsum", inputs, [constant], 13, equation=equation)
    (stage,) = lower(graph).stages
    assert stage.cell == "memristor"


@pytest.mark.parametrize(
    ("equation", "kind"),
    [("ijk->kij", "Rename"), ("iji->ij", "Rename"), ("ijk->ki", "Linear"), ("ijk->", "Linear")],
)
def test_of_one_signal(check_node, equation, kind):
    shape = (3, 4, 3) if equation.startswith("iji") else (3, 4, 5)
    graph = check_node("Einsum", {"x": random(*shape)}, [], 13, equation=equation)
    (stage,) = lower(graph).stages
    assert type(stage).__name__ == kind


def test_labels_are_blocks_places_and_lines(check_node):
    inputs = {"x": random(2, 3, 5, 4), "w": random(3, 4, 6)}
    graph = check_node("Einsum", inputs, ["w"], 13, equation="bhnd,hde->bnhe")
    (kernel,) = lower(graph).stages[0].kernels
    assert (kernel.groups, kernel.places, kernel.rows, kernel.columns) == (3, 10, 4, 6)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("ij,kj->", [(2, 3), (4, 3)]),
        ("ii,ij->ji", [(3, 3), (3, 4)]),
        ("ij,jk,k->i", [(2, 3), (3, 4), (4,)]),
        ("i,j->ji", [(2,), (3,)]),
    ],
)
def test_signals_alone_are_multiplied(equation, shapes, check_node):
    inputs = {f"x{number}": random(*shape) for number, shape in enumerate(shapes)}
    graph = check_node("Einsum", inputs, [], 13, equation=equation)
    lanes = lower(graph).stages[0]
    assert lanes.circuit.multipliers == len(shapes) - 1


@pytest.mark.parametrize(
    ("equation", "weights", "words"),
    [
        ("ij,jk,k->ik", {"v": (4,)}, "2 signals"),
        ("ij,jk->ik", {"w": (5, 4)}, "does not fit"),
        ("ij,jk->il", {"w": (3, 4)}, "does not make"),
        ("ijk,jk->ik", {"w": (3, 4)}, "does not fit"),
        ("ij->ik", {"w": (3, 4)}, "has not 2 terms"),
    ],
)
def test_what_is_refused(equation, weights, words, hand_graph, faults_of):
    inputs = {"x": (2, 3)} if "w" in weights else {"x": (2, 3), "w": (3, 4)}
    constants = {name: random(*shape) for name, shape in weights.items()}
    graph = hand_graph("Einsum", inputs, constants, {"y": (2, 4)}, {"equation": equation})
    (fault,) = faults_of(graph)
    assert words in fault.what
