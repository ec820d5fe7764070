"""Fashion-MNIST (Zalando Research, MIT licence) as arrays, from its four idx.gz files.

Debian and Ubuntu pack them: `apt install dataset-fashion-mnist`.
"""

import gzip
from pathlib import Path

import numpy as np

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def read_idx(path):
    """Return the uint8 array of a gzipped idx file. Raises ValueError if it is not one."""
    data = gzip.decompress(Path(path).read_bytes())
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(folder, split):
    """Return `x` (N, 1, 28, 28) float32 in [0, 1] and `y` (N,) int64; split is train or t10k."""
    folder = Path(folder)
    pixels = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    return pixels[:, None].astype(np.float32) / np.float32(255), labels.astype(np.int64)
