"""Pad against onnxruntime, in the modes and opsets that write it."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.lower import lower

X = np.random.default_rng(0).normal(size=(1, 2, 4, 5)).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_as_an_attribute_or_an_input(check_node, mode):
    pads = [0, 1, 2, 0, 0, 0, 1, 3]
    pads = [0, *pads[1:]] if mode != "reflect" else [0, 0, 2, 0, 0, 1, 1, 3]
    check_node("Pad", {"x": X}, opset=10, pads=pads, mode=mode)
    check_node("Pad", {"x": X, "pads": ints(*pads)}, ["pads"], 13, mode=mode)


def test_wrap(check_node):
    check_node("Pad", {"x": X, "pads": ints(0, 1, 3, 0, 0, 0, 1, 4)}, ["pads"], 19, mode="wrap")


def test_some_axes_and_negative_pads(check_node):
    inputs = {
        "x": X,
        "pads": ints(-1, 2, -2, -1),
        "value": np.float32(0),
        "axes": ints(-1, 2),
    }
    graph = check_node("Pad", inputs, list(inputs)[1:], 18)
    (stage,) = lower(graph).stages
    assert sorted(set(stage.index.tolist()))[0] == -1


@pytest.mark.parametrize(
    ("weights", "attrs", "words"),
    [
        ({"pads": ints(0, 1, 0, 1), "value": np.float32(-1e30)}, {}, "-1e+30"),
        ({"pads": ints(0, 1, 1)}, {}, "two numbers an axis"),
        ({"pads": ints(0, 1, 0, 1)}, {"mode": "mirror"}, "mirror"),
        ({"pads": ints(1, 1, 0, 1)}, {"mode": "reflect"}, "needs a map"),
    ],
)
def test_what_has_no_wires_is_refused(weights, attrs, words, hand_graph, faults_of):
    graph = hand_graph("Pad", {"x": (1, 3)}, weights, {"y": (1, 5)}, attrs)
    (fault,) = faults_of(graph)
    assert words in fault.what
