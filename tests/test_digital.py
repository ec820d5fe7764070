"""Digital stages against closed forms; samples are never mixed."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.evaluation import digital

X = np.random.default_rng(0).normal(size=(4, 3, 5))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_sample_does_not_see_its_neighbours(axis):
    for function in ("softmax", "log-softmax"):
        options = {"shape": [3, 5], "axes": [axis]}
        together = digital.apply(function, [X], options)
        alone = [digital.apply(function, [x[None]], options)[0] for x in X]
        assert (together == np.stack(alone)).all()


def test_softmax_sums_to_one_over_all_of_its_axes():
    y = digital.softmax(X, shape=[3, 5], axes=[0, 1])
    assert np.allclose(y.sum(axis=(1, 2)), 1)
    y = digital.softmax(X, shape=[3, 5], axes=[1])
    assert np.allclose(y.sum(axis=2), 1)
    assert np.allclose(np.log(y), digital.log_softmax(X, shape=[3, 5], axes=[1]))


def test_large_numbers_do_not_overflow():
    x = np.array([[1e4, 0.0, -1e4]])
    assert digital.softmax(x, shape=[1, 3], axes=[1]).ravel().tolist() == [1, 0, 0]
    assert digital.log_softmax(x, shape=[1, 3], axes=[1]).ravel().tolist() == [0, -1e4, -2e4]


def test_a_batch_axis_of_one_keeps_its_place():
    # 4 samples of the tensor (1, 5) come as (4, 5).
    x = X[:, 0]
    assert digital.argmax(x, shape=[1, 5], axis=1, keepdims=False, last=False).shape == (4, 1)
    assert (digital.softmax(x, shape=[1, 5], axes=[0]) == 1).all()


def test_argmax_takes_the_first_or_the_last_of_equals():
    x = np.array([[2.0, 7.0, 7.0, 1.0], [3.0, 3.0, 0.0, 3.0]])
    options = {"shape": [1, 4], "axis": 1, "keepdims": False}
    assert digital.argmax(x, **options, last=False).ravel().tolist() == [1, 0]
    assert digital.argmax(x, **options, last=True).ravel().tolist() == [2, 3]
