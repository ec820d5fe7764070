"""Fit the two-stage Miller skeleton to the gain of an op-amp over frequency.

With the load Y at the output, and the sign such that the gain A is positive at direct current,

    (1/r1 + s (c1 + c_m)) a - s c_m w            =  gm1 v
    (gm2 - s c_m) a + (1/r2 + Y + s (c2 + c_m)) w = 0,            A = -w / v

The response stays the same if the inner voltage a is scaled, gm1, gm2 and c_m with it, 1/r1 and
c1 + c_m with its square, and c2 + c_m unchanged. So one number is a convention: c1 = c_m / 10.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from memxc.cells.op_amp_bench import Condition, Response
from memxc.engines import Complex, Floats
from memxc.target.characterisation import Skeleton

#: The share of c_miller_f that c1_f is.
_C1 = 0.1
#: The gain is fitted where it is above this.
_LEAST = 0.5
#: First guesses of c_miller_f; a fit may end in a poor minimum.
_GUESSES = (1e-13, 5e-13, 3e-12)
#: An op-amp whose gain differs by more than this factor (as a logarithm) is not this skeleton.
_POOR = 1.0
#: The smallest capacitance that a target can have.
_SMALLEST_F = 1e-21


def fit(responses: Sequence[Response], c_in_f: float) -> Skeleton | None:
    """Return the skeleton nearest to the gains under several loads, or None if none is near.

    Needs two different load resistors and two load capacitors. c_in_f: measured. A target cannot
    hold an op-amp without input capacitance, so there is no skeleton of it either.
    """
    if c_in_f < _SMALLEST_F:
        return None
    parts = [_above(response) for response in responses]
    gains = np.concatenate([gain for _, _, gain in parts])
    best: NDArray[np.float64] | None = None
    cost = np.inf

    def error(logs: Floats) -> Floats:
        found = np.concatenate([_gain(np.exp(logs), load, hz) for load, hz, _ in parts])
        ratio = np.log(found / gains)
        return np.concatenate([ratio.real, ratio.imag])

    for guess in _GUESSES:
        solved = least_squares(error, np.log(_start(responses, guess)), x_scale=1.0, max_nfev=500)
        if solved.cost < cost:
            best, cost = solved.x, solved.cost
    if best is None:
        return None
    errors = error(best).reshape(2, -1)
    if np.abs(errors).max() > _POOR:
        return None
    gm1, r1, c_miller, gm2, r2, c2 = (float(f"{value:.4g}") for value in np.exp(best))
    if _C1 * c_miller < _SMALLEST_F or c2 < _SMALLEST_F:
        return None
    return Skeleton(
        gm1_s=gm1,
        r1_ohm=r1,
        c1_f=float(f"{_C1 * c_miller:.4g}"),
        c_miller_f=c_miller,
        gm2_s=gm2,
        r2_ohm=r2,
        c2_f=c2,
        c_in_f=c_in_f,
        error_db=float(f"{20 / np.log(10) * np.abs(errors[0]).max():.2g}"),
        error_deg=float(f"{np.degrees(np.abs(errors[1]).max()):.2g}"),
    )


def _above(response: Response) -> tuple[Condition, Floats, Complex]:
    """Return the part of a response up to the frequency at which the gain is too small."""
    below = np.flatnonzero(np.abs(response.gain) < _LEAST)
    end = int(below[0]) if len(below) else len(response.hz)
    return response.condition, response.hz[:end], response.gain[:end]


def _gain(values: Floats, load: Condition, hz: Floats) -> Complex:
    gm1, r1, c_miller, gm2, r2, c2 = values
    s = 2j * np.pi * hz
    inner = 1 / r1 + s * (_C1 + 1) * c_miller
    outer = 1 / r2 + 1 / load.r_load_ohm + s * (c2 + load.c_load_f + c_miller)
    forward = gm2 - s * c_miller
    return np.asarray(gm1 * forward / (inner * outer + forward * s * c_miller))


def _start(responses: Sequence[Response], c_miller: float) -> Floats:
    """Return a first guess: gm1 from the bandwidth, r2 from a typical gain of stage 2."""
    response = responses[0]
    at = int(np.argmin(np.abs(np.log(np.abs(response.gain)))))
    gm1 = 2 * np.pi * response.hz[at] * c_miller
    gm2 = 4 * gm1
    r2 = 100 / gm2
    stage2 = gm2 / (1 / r2 + 1 / response.condition.r_load_ohm)
    r1 = abs(response.gain[0]) / (gm1 * stage2)
    return np.array([gm1, r1, c_miller, gm2, r2, response.condition.c_load_f / 2])
