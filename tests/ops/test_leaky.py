"""Slopes below zero: one for all lanes, learned ones, and signals."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.ir.stages import Lanes, Linear, Rename
from memxc.ops.lower import lower


def random(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("slopes", "blocks", "places"),
    [
        ((3, 1, 1), 3, 20),
        ((1, 3, 1, 1), 3, 20),
        ((5,), 5, 12),
        ((4, 1), 4, 15),
        ((3, 1, 5), 15, 4),
        ((3, 4, 5), 60, 1),
    ],
)
def test_learned_slopes_are_weights(check_node, slopes, blocks, places):
    graph = check_node("PRelu", {"x": random(1, 3, 4, 5), "s": random(*slopes)}, ["s"])
    above, below, wires, linear = lower(graph).stages
    assert [type(s) for s in (above, below, wires, linear)] == [Lanes, Lanes, Rename, Linear]
    (kernel,) = linear.kernels
    assert (kernel.rows, kernel.columns, kernel.groups, kernel.places) == (2, 1, blocks, places)
    # No memristor stands in an array of its own for every lane.
    assert linear.cell == "batchnorm"
    assert above.keeps_scale
    assert below.keeps_scale


@pytest.mark.parametrize("slope", [np.full((3, 1, 1), 0.5), np.array([0.0]), np.array(1.5)])
def test_one_slope_is_one_circuit(check_node, slope):
    inputs = {"x": random(1, 3, 4, 5), "s": slope.astype(np.float32)}
    (stage,) = lower(check_node("PRelu", inputs, ["s"])).stages
    assert stage.circuit.name == "leaky_relu"
    assert stage.keeps_scale == (slope.max() <= 1)


@pytest.mark.parametrize("slopes", [(3, 4, 5), (3, 1, 1), (1,)])
def test_a_slope_that_is_a_signal(check_node, slopes):
    graph = check_node("PRelu", {"x": random(1, 3, 4, 5), "s": random(*slopes)})
    assert lower(graph).stages[0].circuit.multipliers == 1


@pytest.mark.parametrize("shape", [(4,), (2, 1, 1), (1, 1, 3, 4, 5)])
def test_slopes_that_do_not_fit_are_refused(shape, hand_graph, faults_of):
    slopes = {"s": random(*shape)}
    (fault,) = faults_of(hand_graph("PRelu", {"x": (1, 3, 4, 5)}, slopes, {"y": (1, 3, 4, 5)}))
    assert fault.code == "unsupported-shape"
    assert "do not fit" in fault.what


@pytest.mark.parametrize("slopes", [[np.nan] * 3, [0.5, np.inf, 0.25], [np.inf]])
def test_slopes_that_are_no_numbers_are_refused(slopes, hand_graph, faults_of):
    weights = {"s": np.array(slopes, np.float32)}
    (fault,) = faults_of(hand_graph("PRelu", {"x": (2, 3)}, weights, {"y": (2, 3)}))
    assert fault.code == "unsupported-model"
