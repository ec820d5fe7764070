"""How large an error is, beside the volts that it is in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Volts that engines solve to (`vntol` in memxc.engines).
RESOLVED = 1e-12
#: Volts. What stays below a microvolt everywhere is no signal: what an engine says of it is its
#: rounding, beside the read voltage that signals are scaled to.
FAINT = 1e-6


def relative(apart: float, expected: NDArray[np.float64], faint: float = FAINT) -> float:
    """An error against the largest of what was expected, or against `faint` where that is less."""
    # numpy's maximum keeps what is no number.
    return apart / float(np.maximum(np.abs(expected).max(initial=0.0), faint))
