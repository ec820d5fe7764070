"""A linear circuit from one point per input; a nonlinear one shows in the probes."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.verify import superposed


def _circuit(bent=0.0):
    rng = np.random.default_rng(0)
    matrix, offset = rng.normal(size=(5, 3)), rng.normal(size=3)

    def answer(volts):
        raw = volts @ matrix + offset
        return raw + bent * raw**2

    return answer


def test_every_point_of_a_linear_circuit():
    inputs = np.random.default_rng(1).uniform(-0.2, 0.2, (200, 5))
    points = superposed.points(inputs)
    assert len(points) == 1 + 5 + 4
    assert superposed.volts(inputs, _circuit()(points)) == pytest.approx(
        _circuit()(inputs), rel=1e-12
    )


def test_the_points_have_the_largest_volts_of_the_inputs():
    inputs = np.random.default_rng(1).uniform(-0.2, 0.2, (200, 5))
    alone = superposed.points(inputs)[1:6]
    assert (alone == np.abs(inputs).max() * np.eye(5)).all()
    nothing = np.zeros((20, 5))
    found = superposed.volts(nothing, _circuit()(superposed.points(nothing)))
    assert (found == _circuit()(nothing)).all()


def test_points_that_were_simulated_are_returned_unchanged():
    inputs = np.random.default_rng(1).uniform(-0.2, 0.2, (200, 5))
    bent = _circuit(bent=0.3)
    found = superposed.volts(inputs, bent(superposed.points(inputs)))
    exact = np.isclose(found, bent(inputs), rtol=1e-13, atol=0).all(axis=1)
    assert np.flatnonzero(exact).tolist() == [0, 66, 132, 199]


def test_few_points_are_solved_as_they_are():
    inputs = np.random.default_rng(1).uniform(-0.2, 0.2, (10, 5))
    assert superposed.points(inputs) is inputs
    assert superposed.volts(inputs, inputs[:, :3]) is not inputs
    assert (superposed.volts(inputs, inputs[:, :3]) == inputs[:, :3]).all()
