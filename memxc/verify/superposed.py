"""Linear units by superposition: SPICE solves one point an input, and the rest are sums of these.

Crossbars with their wires, op-amps and inverters are a linear circuit, so its volts are
offset + inputs @ response. SPICE finds the offset (the bias lines alone) and each row of the
response; some of the points that are wanted it solves as they are, and these volts stand in the
answer: were the circuit not linear, they would be far from the expected ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Points that are solved as they are, evenly taken out of all.
_PROBES = 4


def points(inputs: Floats) -> Floats:
    """What to solve in place of inputs (points, inputs): inputs themselves where these are fewer.

    Nothing at the inputs, a volt at each alone, and the probes.
    """
    count = inputs.shape[1]
    if not _worth(inputs):
        return inputs
    whole = [np.zeros((1, count)), _volt(inputs) * np.eye(count), inputs[_probes(inputs)]]
    return np.concatenate(whole)


def volts(inputs: Floats, found: Floats) -> Floats:
    """Volts (points, lanes) at inputs (points, inputs), from those `found` at points(inputs)."""
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
    """As much as there is anywhere."""
    return float(np.abs(inputs).max(initial=0.0)) or 1.0


def _probes(inputs: Floats) -> NDArray[np.intp]:
    return np.linspace(0, len(inputs) - 1, _PROBES).astype(np.intp)
