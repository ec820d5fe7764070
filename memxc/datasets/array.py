"""A .npy file of numpy: numbers with samples along the first axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from memxc.datasets import Part, Raw
from memxc.datasets._common import spread, wrong
from memxc.errors import why

KIND = "a .npy file of numpy"


def fits(path: Path) -> bool:
    """Return whether this is a .npy file."""
    return path.is_file() and path.suffix == ".npy"


def read(path: Path, part: Part, count: int | None) -> Raw:
    """Return the numbers (samples, *shape); 8 bits with 3 or 4 axes and channels last: pictures."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise wrong(path, f"is no array of numbers: {why(error)}") from error
    if values.ndim < 1 or values.dtype.kind not in "fiub":
        raise wrong(path, f"holds {values.dtype} of {values.ndim} axes, not samples of numbers")
    pictures = values.dtype == np.uint8 and (
        values.ndim == 3 or (values.ndim == 4 and values.shape[3] in (1, 3))
    )
    return Raw(np.array(values[spread(len(values), count)]), None, pictures=pictures)
