"""The samples files that memxc.samples makes are those that the commands read."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.errors import MemxcError
from memxc.evaluation.samples import read
from memxc.library import samples


class Tensor:
    """What numpy sees of a tensor of torch; one that needs a gradient cannot be an array."""

    def __init__(self, values, grad=False):
        self.values, self.grad = values, grad

    def __array__(self, dtype=None, copy=None):
        if self.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return np.asarray(self.values, dtype=dtype)


class Pairs:
    """A data set of torch: 2 x 3 numbers and a class, 10 items in the order of their classes."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return Tensor(np.full((2, 3), index, np.float32)), Tensor(index // 2)


def faults(call, *args, **kwargs):
    with pytest.raises(MemxcError) as caught:
        call(*args, **kwargs)
    return [(fault.code, fault.where, fault.what) for fault in caught.value.faults]


def test_a_data_set_goes_into_a_file_and_comes_back(tmp_path):
    x, y = samples.dataset(Pairs(), 4)
    path = tmp_path / "new" / "net.samples.npz"
    samples.save(path, x, y)
    found = read(path, {"picture": (1, 2, 3)})
    assert found.inputs["picture"][:, 0, 0].tolist() == [0, 2, 5, 7]
    assert found.labels.tolist() == [0, 1, 2, 3]
    assert found.warnings == ()
    first = path.read_bytes()
    samples.save(path, x, y)
    assert path.read_bytes() == first


def test_of_a_stream_the_first_are_taken_and_labels_may_be_absent():
    x, y = samples.dataset((np.full(3, n) for n in range(100)), 2)
    assert x.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert y is None
    assert len(samples.dataset(Pairs(), 64)[0]) == 10


def test_inputs_by_name(tmp_path):
    a, b = np.zeros((3, 4)), np.ones((3, 2, 2), np.uint8)
    samples.save(tmp_path / "two.npz", {"a": a, "b": b})
    found = read(tmp_path / "two.npz", {"a": (1, 4), "b": (1, 2, 2)})
    assert found.inputs["b"].tolist() == b.tolist()


def test_pictures_become_channels_first_and_are_scaled():
    picture = np.zeros((2, 5, 3), np.uint8)
    picture[1, 4] = (0, 51, 255)
    (found,) = samples.images([picture], mean=[0, 0.1, 0.5], std=[1, 0.5, 0.25])
    assert found.shape == (3, 2, 5)
    assert found.dtype == np.float32
    assert found[:, 1, 4] == pytest.approx([0, 0.2, 2])
    assert found[:, 0, 0] == pytest.approx([0, -0.2, -2])
    grey = np.linspace(0, 1, 10).reshape(2, 5)
    assert samples.images([grey, grey]).shape == (2, 1, 2, 5)
    assert samples.images([grey])[0, 0, 1] == pytest.approx(grey[1])


def test_what_the_commands_would_refuse_is_not_written(tmp_path):
    path = tmp_path / "s.npz"
    x = np.zeros((4, 3))
    hole = np.where(np.arange(12).reshape(4, 3) == 7, np.nan, 0)
    for inputs, labels, where, said in (
        (hole, None, f"{path}:x", "NaN"),
        (x, np.zeros(5), f"{path}", "differ in their first axis"),
        (x, ["cat"] * 4, f"{path}:y", "not numbers"),
        (np.float32(3), None, f"{path}:x", "single number"),
        ({"y": x}, np.zeros(4), f"{path}", "an input has the name of the labels, y"),
        ({}, None, f"{path}", "no inputs"),
        ([[1, 2], [3]], None, f"{path}:x", "is no array"),
    ):
        ((code, place, what),) = faults(samples.save, path, inputs, labels)
        assert code in ("bad-samples", "usage")
        assert place == where
        assert said in what
    places = [where for _, where, _ in faults(samples.save, path, {"a": ["cat"], "b": "dog"}, "c")]
    assert places == [f"{path}:a", f"{path}:b", f"{path}:y"]
    assert faults(samples.save, 3, x) == [("usage", "path", "3 is not a path")]
    assert not list(tmp_path.iterdir())


def test_pictures_that_are_none_are_all_named():
    small, large = np.zeros((2, 5), np.uint8), np.zeros((5, 2), np.uint8)
    found = faults(samples.images, [small, large, np.zeros(3), small.astype(float)])
    assert [where for _, where, _ in found] == ["picture 2", "picture 3", "picture 4"]
    found = faults(samples.images, ["cat", small, "dog", large])
    assert [where for _, where, _ in found] == ["picture 1", "picture 3", "picture 4"]
    assert "and picture 2 is uint8 (2, 5)" in found[2][2]
    found = faults(samples.images, [small], mean=[1, 2], std=0)
    assert [where for _, where, _ in found] == ["mean", "std"]
    assert faults(samples.images, [])[0][2] == "there are none"
    ((_, where, what),) = faults(samples.images, [small], std=[0.5, 0.5])
    assert (where, "for each of 1 channels" in what) == ("std", True)
    assert "not 0" in faults(samples.images, [small], std=0)[0][2]


def test_data_sets_that_are_none():
    assert "grad" in faults(samples.dataset, [Tensor([1.0], grad=True)])[0][2]
    assert "some have none" in faults(samples.dataset, [(np.zeros(2), 1), np.zeros(2)])[0][2]
    ((_, where, what),) = faults(samples.dataset, [np.zeros(2), np.zeros(3)])
    assert (where, what) == ("input 2", "has the shape (3,), and input 1 has (2,)")
    assert "no items" in faults(samples.dataset, [])[0][2]
    found = faults(samples.dataset, [np.zeros(2), np.zeros(3), np.zeros(2), np.zeros(1)])
    assert [where for _, where, _ in found] == ["input 2", "input 4"]
    for count in (0, "a", None):
        assert faults(samples.dataset, Pairs(), count)[0][:2] == ("usage", "count")
