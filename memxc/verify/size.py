"""The size of an error relative to the volts that it is in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The volts to which engines solve (`vntol` in memxc.engines).
RESOLVED = 1e-12
#: Volts below which there is no signal: signals are scaled to the read voltage, and below a
#: microvolt an engine's answer is only its rounding.
FAINT = 1e-6


def relative(apart: float, expected: NDArray[np.float64], faint: float = FAINT) -> float:
    """Return an error relative to the largest expected volts, or to `faint` if that is larger."""
    # numpy's maximum keeps a nan.
    return apart / float(np.maximum(np.abs(expected).max(initial=0.0), faint))
