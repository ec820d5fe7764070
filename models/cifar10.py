"""CIFAR-10 as arrays. The pictures have no stated licence, so this project contains none."""

import pickle
from pathlib import Path

import numpy as np


def _batch(path):
    """Return pictures and labels of one public python batch (a pickle, so trust its source)."""
    with Path(path).open("rb") as file:
        data = pickle.load(file, encoding="latin1")
    return data["data"].reshape(-1, 3, 32, 32), np.array(data["labels"])


def load(path):
    """Return (x_train, y_train, x_test, y_test): (N, 3, 32, 32) uint8 and (N,) int64.

    `path` is the unpacked public folder cifar-10-batches-py, or an .npz with these four names and
    pictures as (N, 32, 32, 3).
    """
    path = Path(path)
    if path.suffix == ".npz":
        with np.load(path) as data:
            return tuple(
                np.ascontiguousarray(data[f"x_{part}"].transpose(0, 3, 1, 2))
                if kind == "x"
                else data[f"y_{part}"].astype(np.int64)
                for part in ("train", "test")
                for kind in "xy"
            )
    batches = [_batch(path / f"data_batch_{number}") for number in range(1, 6)]
    x_train, y_train = (np.concatenate(part) for part in zip(*batches, strict=True))
    return x_train, y_train, *_batch(path / "test_batch")
