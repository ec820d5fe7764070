"""Linear units by superposition: SPICE solves one point per input, the other points are their sums.

Crossbars with their wires, op-amps and inverters are a linear circuit, so its volts are

    volts = offset + inputs @ response

SPICE computes the offset (only the bias lines) and each row of the response. It also solves some of
the wanted points directly, and these volts are in the answer: if the circuit were not linear, they
would be far from the expected ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Points that are solved directly, evenly spaced among all.
_PROBES = 4


def points(inputs: Floats) -> Floats:
    """Return the points to solve instead of inputs (points, inputs); `inputs` if these are fewer.

    The points are zero at all inputs, one voltage at each input alone, and the probes.
    """
    count = inputs.shape[1]
    if not _worth(inputs):
        return inputs
    whole = [np.zeros((1, count)), _volt(inputs) * np.eye(count), inputs[_probes(inputs)]]
    return np.concatenate(whole)


def volts(inputs: Floats, found: Floats) -> Floats:
    """Return volts (points, lanes) at inputs (points, inputs), from the volts at points(inputs)."""
    if not _worth(inputs):
        return found
    count = inputs.shape[1]
    response = (found[1 : count + 1] - found[0]) / _volt(inputs)
    out: Floats = found[0] + inputs @ response
    out[_probes(inputs)] = found[count + 1 :]
    return out


def _worth(inputs: Floats) -> bool:
    return bool(len(inputs) > 1 + inputs.shape[1] + _PROBES)


def _volt(inputs: Floats) -> float:
    """Return the largest input volts."""
    return float(np.abs(inputs).max(initial=0.0)) or 1.0


def _probes(inputs: Floats) -> NDArray[np.intp]:
    return np.linspace(0, len(inputs) - 1, _PROBES).astype(np.intp)
