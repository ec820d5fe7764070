"""What several formats need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memxc.errors import MemxcError, fail

#: The largest data set that is read, in bytes of numbers.
MOST_BYTES = 4 << 30


def spread(size: int, count: int | None) -> NDArray[np.intp]:
    """Return `count` numbers below `size` at equal distances from 0 on, or all of them."""
    taken = size if count is None else min(size, count)
    return np.arange(taken, dtype=np.intp) * size // max(taken, 1)


def wrong(where: object, what: str, hint: str = "") -> MemxcError:
    """Return the fault of a file that is not as its format says."""
    return fail("bad-samples", str(where), what, hint)
