"""Losses of a network, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.evaluation.losses import Judge
from memxc.evaluation.samples import Samples
from memxc.ir.design import Bus, Design

BUSES = {name: Bus(name, (1, width)) for name, width in (("x", 4), ("a", 2), ("b", 3))}
DESIGN = Design("two", ("x",), ("a", "b"), BUSES, ())
RIGHT = {
    "a": np.array([[1.0, -4.0], [2.0, 0.0]]),
    "b": np.array([[5.0, 0.0, 1.0], [0.0, 0.0, 8.0]]),
}


def judge(labels=None):
    return Judge(Samples({"x": np.zeros((2, 4), np.float32)}, labels), DESIGN)


def test_an_error_of_the_second_output_is_a_loss():
    """The first sample is wrong by a half of 5, the second by nothing."""
    after = {**RIGHT, "b": RIGHT["b"] - [[2.5, 0, 0], [0, 0, 0]]}
    found = judge().loss(after, RIGHT)
    assert (found.metric, found.before) == ("error", 0.0)
    assert found.lost == pytest.approx(0.25)
    assert judge().worth(after, RIGHT) == {"circuit_error": pytest.approx(0.25)}


def test_of_each_sample_the_output_that_is_further_off_counts():
    after = {"a": RIGHT["a"] + [[1, 0], [0, 0.2]], "b": RIGHT["b"] + [[0, 0.5, 0], [0, 4, 0]]}
    assert judge().loss(after, RIGHT).lost == pytest.approx((0.25 + 0.5) / 2)


def test_labels_are_of_the_first_output():
    after = {**RIGHT, "a": np.array([[1.0, 4.0], [2.0, 0.0]])}
    found = judge(np.array([0, 0])).loss(after, RIGHT)
    assert (found.metric, found.before, found.after) == ("top1", 1.0, 0.5)
