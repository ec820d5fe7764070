"""CIFAR-10 and CIFAR-100 in their binary version. The Python version is a pickle, which may run
anything, so memxc does not read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from memxc.datasets import Part, Raw
from memxc.datasets._common import spread, wrong
from memxc.errors import why

KIND = "the binary version of CIFAR-10 or CIFAR-100 (cifar-10-batches-bin)"
_PIXELS = 3 * 32 * 32
#: For each form: the files of a part, and the bytes of labels before a picture, the last of which
#: counts.
_FORMS = (
    ({"test": ["test_batch.bin"], "train": [f"data_batch_{n}.bin" for n in range(1, 6)]}, 1),
    ({"test": ["test.bin"], "train": ["train.bin"]}, 2),
)


def fits(path: Path) -> bool:
    """Return whether the folder has the files, or is the Python version, which is refused."""
    names = [name for files, _ in _FORMS for parts in files.values() for name in parts]
    return path.is_dir() and any((path / name).is_file() for name in (*names, "test_batch"))


def read(path: Path, part: Part, count: int | None) -> Raw:
    """Return pictures (samples, 32, 32, 3) of 8 bits and their labels."""
    forms = [
        (there, labels)
        for files, labels in _FORMS
        if (there := [path / name for name in files[part] if (path / name).is_file()])
    ]
    if not forms:
        hint = "take the binary version of the same page"
        raise wrong(path, "has no .bin files: the Python version is a pickle, and not read", hint)
    there, labels = forms[0]
    records = [_records(file, labels) for file in there]
    every = np.concatenate(records)
    taken = every[spread(len(every), count)]
    pictures = taken[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Raw(np.ascontiguousarray(pictures), taken[:, labels - 1].astype(np.int64), pictures=True)


def _records(file: Path, labels: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise wrong(file, f"cannot be read: {why(error)}") from error
    size = labels + _PIXELS
    if not len(data) or len(data) % size:
        raise wrong(file, f"has {len(data):,} bytes, which is no number of records of {size:,}")
    return data.reshape(-1, size)
