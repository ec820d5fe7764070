"""LRN against onnxruntime, and against ONNX's own words where onnxruntime has no circuit either."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ATTRS = {
    "alpha": st.floats(0, 3),
    "beta": st.floats(-1, 2),
    "bias": st.floats(0.25, 3),
}


def as_onnx_says(x, size, alpha, beta, bias):
    """Its sentence, one signal at a time; the window of an even size has more channels ahead."""
    found, channels = np.zeros(x.shape), x.shape[1]
    for n, c, *at in np.ndindex(x.shape):
        window = range(max(0, c - (size - 1) // 2), min(channels - 1, c + size // 2) + 1)
        total = sum(float(x[(n, i, *at)]) ** 2 for i in window)
        found[(n, c, *at)] = x[(n, c, *at)] / (bias + alpha / size * total) ** beta
    return found


@settings(max_examples=60)
@given(st.tuples(*[st.integers(1, n) for n in (2, 7, 4, 3)]), st.integers(0, 5), *ATTRS.values())
def test_odd_sizes_are_onnxruntimes(check_node, shape, half, alpha, beta, bias):
    # It takes no power or factor of 0 or less.
    alpha, beta = max(alpha, 0.125), max(beta, 0.125)
    x = np.random.default_rng(shape).normal(size=shape).astype(np.float32) * 3
    check_node("LRN", {"x": x}, size=2 * half + 1, alpha=alpha, beta=beta, bias=bias)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.integers(1, 12), *ATTRS.values())
def test_any_size_is_what_onnx_says(hand_graph, case_run, shape, size, alpha, beta, bias):
    shape = (1, *shape)
    x = np.random.default_rng(shape).normal(size=shape) * 3
    attrs = {"size": size, "alpha": alpha, "beta": beta, "bias": bias}
    graph = hand_graph("LRN", {"x": shape}, {}, {"y": shape}, attrs)
    assert case_run(graph, {"x": x})["y"] == pytest.approx(as_onnx_says(x, **attrs), rel=1e-9)


@pytest.mark.parametrize(
    ("attrs", "shape", "words"),
    [
        ({}, (1, 3, 4, 5), "size = None"),
        ({"size": 0}, (1, 3, 4, 5), "size = 0"),
        ({"size": 3, "alpha": -0.5}, (1, 3, 4, 5), "alpha = -0.5"),
        ({"size": 3, "bias": 0.0}, (1, 3, 4, 5), "bias = 0"),
        ({"size": 3}, (4,), "no channels"),
    ],
)
def test_what_makes_no_sense_is_refused(attrs, shape, words, hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("LRN", {"x": shape}, {}, {"y": shape}, attrs))
    assert words in fault.what
    assert fault.where == "the_LRN"
