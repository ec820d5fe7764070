"""Gemm and MatMul against onnxruntime: constants on either side, transposed, scaled, batched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memxc.ops.lower import lower


def random(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


@settings(max_examples=80)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    trans=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    scale=st.tuples(st.sampled_from([1.0, -0.5, 2.25]), st.sampled_from([1.0, 0.0, 1.5])),
    addend=st.sampled_from(["none", "scalar", "row", "column", "matrix"]),
    signal=st.sampled_from(["a", "b", "c"]),
)
def test_gemm_is_onnxruntimes(check_node, sizes, trans, scale, addend, signal):
    m, k, n = sizes
    inputs = {
        "a": random(*((k, m) if trans[0] else (m, k))),
        "b": random(*((n, k) if trans[1] else (k, n)), seed=1),
    }
    shapes = {"scalar": (), "row": (n,), "column": (m, 1), "matrix": (m, n)}
    if addend != "none":
        inputs["c"] = random(*shapes[addend], seed=2)
    signals = {"a": ["a"], "b": ["b"], "c": ["a", "c"]}[signal]
    constants = [name for name in inputs if name not in signals]
    attrs = {"alpha": scale[0], "beta": scale[1], "transA": trans[0], "transB": trans[1]}
    check_node("Gemm", inputs, constants, **attrs)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 7), (7, 4)),
        ((5, 7), (7, 4)),
        ((2, 3, 5, 7), (7, 4)),
        ((5, 7), (2, 3, 7, 4)),
        ((2, 1, 5, 7), (3, 7, 4)),
        ((2, 3, 5, 7), (2, 1, 7, 4)),
        ((7,), (2, 7, 4)),
        ((2, 5, 7), (7,)),
        ((7,), (7,)),
    ],
)
@pytest.mark.parametrize("constant", ["a", "b"])
def test_matmul_is_onnxruntimes(check_node, left, right, constant):
    inputs = {"a": random(*left), "b": random(*right, seed=1)}
    check_node("MatMul", inputs, [constant])


def test_rows_are_places_and_the_weights_stay_the_files(check_node):
    graph = check_node("MatMul", {"x": random(5, 7), "w": random(7, 4)}, ["w"])
    (kernel,) = lower(graph).stages[0].kernels
    assert (kernel.rows, kernel.columns, kernel.places, kernel.groups) == (7, 4, 5, 1)
    assert kernel.values.dtype == np.float32
    graph = check_node("MatMul", {"x": random(5, 7), "w": random(3, 7, 4)}, ["w"])
    (kernel,) = lower(graph).stages[0].kernels
    assert (kernel.places, kernel.groups) == (5, 3)


def test_a_bias_that_changes_by_row_shares_the_weights(check_node):
    inputs = {"x": random(3, 7), "w": random(7, 4), "c": random(3, 1)}
    graph = check_node("Gemm", inputs, ["w", "c"])
    kernels = lower(graph).stages[0].kernels
    assert len(kernels) == 3
    assert all(np.shares_memory(kernel.values, kernels[0].values) for kernel in kernels)


def test_an_addend_computed_at_run_time_is_a_stage_of_its_own(check_node):
    inputs = {"x": random(2, 7), "w": random(7, 4), "c": random(4)}
    design = lower(check_node("Gemm", inputs, ["w"], beta=0.5))
    assert [type(stage).__name__ for stage in design.stages] == ["Linear", "Lanes"]
    assert design.buses["y0/product"].shape == (2, 4)


@pytest.mark.parametrize(
    ("left", "right", "products"),
    [((2, 3), (3, 4), 24), ((2, 1, 5, 3), (4, 3, 2), 240), ((3,), (3, 4), 12), ((2, 3), (3,), 6),
     ((2, 1), (1, 4), 8)],
)  # fmt: skip
def test_two_signals_have_a_multiplier_for_each_product(check_node, left, right, products):
    graph = check_node("MatMul", {"a": random(*left), "b": random(*right)})
    lanes = lower(graph).stages[0]
    assert lanes.circuit.multipliers == 1
    assert lanes.taps[0].places * lanes.taps[0].groups == products


@pytest.mark.parametrize("constants", [[], ["c"]])
def test_a_gemm_of_two_signals(check_node, constants):
    inputs = {"a": random(3, 2), "b": random(4, 3), "c": random(2, 1)}
    check_node("Gemm", inputs, constants, transA=1, transB=1, alpha=0.5, beta=-2.0)
    check_node("Gemm", {"a": random(2, 3), "b": random(3, 4)}, alpha=0.5)


def test_two_signals_that_do_not_fit_are_refused(hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("MatMul", {"a": (2, 3), "b": (4, 3)}, {}, {"y": (2, 3)}))
    assert "do not fit" in fault.what


def test_weights_that_are_not_numbers_are_refused(hand_graph, faults_of):
    weight = np.ones((3, 4), np.float32)
    weight[2, 1] = np.nan
    (fault,) = faults_of(hand_graph("MatMul", {"a": (2, 3)}, {"w": weight}, {"y": (2, 4)}))
    assert fault.code == "unsupported-model"
    assert "finite" in fault.what


@pytest.mark.parametrize("bias", [(5,), (3, 4), (1, 2, 4)])
def test_a_bias_that_does_not_fit_is_refused(bias, hand_graph, faults_of):
    weights = {"w": np.ones((3, 4), np.float32), "c": np.ones(bias, np.float32)}
    (fault,) = faults_of(hand_graph("Gemm", {"a": (2, 3)}, weights, {"y": (2, 4)}))
    assert fault.code == "unsupported-shape"
