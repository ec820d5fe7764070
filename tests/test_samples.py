"""Samples: what a file may hold, and the faults of a file that holds something else."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.errors import MemxcError
from memxc.evaluation import samples

SHAPES = {"x": (1, 3, 4)}


def read(tmp_path, shapes=SHAPES, kinds=None, most=64, **arrays):
    np.savez(tmp_path / "s.npz", **arrays)
    return samples.read(tmp_path / "s.npz", shapes, most, kinds)


def faults(tmp_path, **asked):
    with pytest.raises(MemxcError) as caught:
        read(tmp_path, **asked)
    assert all(fault.code == "bad-samples" for fault in caught.value.faults)
    return [(fault.where.rpartition("/")[2], fault.what) for fault in caught.value.faults]


X = np.arange(60.0).reshape(5, 3, 4)


def test_labels_come_with_their_samples(tmp_path):
    found = read(tmp_path, x=X, y=np.arange(5), most=2)
    assert found.inputs["x"].dtype == np.float32
    assert found.inputs["x"].tolist() == X[:2].tolist()
    assert found.labels.tolist() == [0, 1]


def test_halves_share_no_sample_and_do_not_alternate(tmp_path):
    some, others = read(tmp_path, x=X, y=np.arange(5)).halves()
    assert sorted([*some.labels, *others.labels]) == list(range(5))
    assert (len(some.labels), len(others.labels)) == (3, 2)
    for half in (some, others):
        np.testing.assert_array_equal(half.inputs["x"], X[half.labels])
    turns = np.arange(64) % 2
    for half in read(tmp_path, x=np.zeros((64, 3, 4)), y=turns).halves():
        assert 0.25 < half.labels.mean() < 0.75
    single, same = read(tmp_path, x=X[:1]).halves()
    assert len(single.inputs["x"]) == len(same.inputs["x"]) == 1
    assert single.labels is None


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X, "y": range(5)}, None),
        ({"x": X, "labels": range(5)}, "'labels', neither an input (x) nor y: ignored; labels are"),
        ({"x": X, "y": range(5), "Y": range(5), "id": ["a"]}, "'Y', 'id', neither"),
        ({"other": X, "x": X}, "'other', neither an input (x) nor y"),
        ({"x": X, "a\x1b[31m\n" + "n" * 99: X}, "'a\\x1b[31m\\nnnn"),
    ],
)
def test_arrays_that_nothing_reads_are_told(tmp_path, arrays, said):
    found = read(tmp_path, **arrays)
    assert len(found.warnings) == (said is not None)
    for warning in found.warnings:
        assert warning.startswith("s.npz holds ")
        assert said in warning
        assert warning.isprintable()
        assert len(warning) < 200
        assert ("labels are called y" in warning) == ("y" not in arrays)


def test_the_name_of_a_single_input_comes_before_x(tmp_path):
    (warning,) = read(tmp_path, shapes={"p": (1, 3, 4)}, p=X, x=X).warnings
    assert "'x', neither an input (p) nor y" in warning


def test_an_input_called_y(tmp_path):
    shapes = {"y": (1, 3, 4), "z": (1, 3, 4)}
    (warning,) = read(tmp_path, shapes=shapes, y=X, z=X, labels=range(5)).warnings
    assert warning.endswith("'labels', neither an input (y, z) nor y: ignored")


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_number_without_an_axis(tmp_path, name):
    ((where, what),) = faults(tmp_path, **{"x": X, name: np.float32(3)})
    assert where == f"s.npz:{name}"
    assert "single number" in what


@pytest.mark.parametrize("count", [0, 4, 6])
def test_as_many_labels_as_samples(tmp_path, count):
    assert faults(tmp_path, x=X, y=np.zeros(count)) == [
        ("s.npz", "the arrays differ in their first axis")
    ]


def test_as_many_samples_of_every_input_even_where_not_all_are_used(tmp_path):
    shapes = {"a": (1, 2), "b": (1, 3)}
    arrays = {"a": np.zeros((70, 2)), "b": np.zeros((90, 3))}
    assert "differ" in faults(tmp_path, shapes=shapes, **arrays)[0][1]


def test_labels_that_are_words(tmp_path):
    assert faults(tmp_path, x=X, y=np.array(["cat"] * 5)) == [("s.npz:y", "holds <U3, not numbers")]


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e39, -1e300])
def test_values_that_float32_cannot_hold(tmp_path, value):
    x = X.copy()
    x[4, 1, 2] = value
    ((where, what),) = faults(tmp_path, x=x)
    assert where == "s.npz:x"
    assert "float32" in what


@pytest.mark.parametrize("value", [0.5, -1, 256])
def test_values_that_an_integer_type_cannot_hold(tmp_path, value):
    x = np.where(X == 7, value, X)
    ((_, what),) = faults(tmp_path, x=x, kinds={"x": "uint8"})
    assert what == f"holds {value:g}, the model takes uint8"
