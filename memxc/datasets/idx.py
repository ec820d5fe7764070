"""MNIST, Fashion-MNIST, KMNIST, EMNIST: idx files of pictures and labels, also gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.datasets import Part, Raw
from memxc.datasets._common import MOST_BYTES, spread, wrong
from memxc.errors import why

KIND = "a folder with idx files (MNIST, Fashion-MNIST)"
_STARTS = {"test": ("t10k", "test"), "train": ("train",)}


def fits(path: Path) -> bool:
    """Return whether the folder has a file of pictures."""
    return path.is_dir() and any(path.glob("*-images-idx3-ubyte*"))


def read(path: Path, part: Part, count: int | None) -> Raw:
    """Return pictures (samples, height, width) of 8 bits and their labels."""
    pictures, labels = (_file(path, part, kind) for kind in ("images-idx3", "labels-idx1"))
    values, classes = _numbers(pictures, 3), _numbers(labels, 1)
    if len(values) != len(classes):
        what = f"has {len(classes):,} labels, and {pictures.name} has {len(values):,} pictures"
        raise wrong(labels, what)
    taken = spread(len(values), count)
    return Raw(values[taken], classes[taken].astype(np.int64), pictures=True)


def _file(folder: Path, part: Part, kind: str) -> Path:
    for start in _STARTS[part]:
        for end in ("", ".gz"):
            found = folder / f"{start}-{kind}-ubyte{end}"
            if found.is_file():
                return found
    raise wrong(folder, f"has no {_STARTS[part][0]}-{kind}-ubyte, with or without .gz")


def _numbers(path: Path, rank: int) -> NDArray[Any]:
    """Return the bytes of an idx file as an array of so many axes."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4 + 4 * rank)
            if len(head) < 4 + 4 * rank or head[:4] != bytes((0, 0, 8, rank)):
                raise wrong(path, f"is not an idx file of bytes with {rank} axes")
            shape = tuple(int(size) for size in np.frombuffer(head, ">u4", rank, offset=4))
            size = math.prod(shape)
            if size > MOST_BYTES:
                raise wrong(path, f"claims {size:,} numbers, and {MOST_BYTES:,} are the most")
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise wrong(path, f"cannot be read: {why(error)}") from error
    if len(data) != size:
        raise wrong(path, f"holds more or fewer numbers than the {size:,} that its head claims")
    return np.frombuffer(data, np.uint8).reshape(shape)
