"""The amplifiers behind a pair of bit lines, in closed form, for any open-loop gain.

Op-amp 1 (feedback r_join) turns the plus current into -r_join * i_plus; the joining resistor
r_join brings it to op-amp 2 (feedback r_f), whose output is r_f * (i_plus - i_minus). A finite
gain A leaves v/A on each summing node, which loads every conductance that ends there (`y_plus`,
`y_minus`, siemens). Derived from Kirchhoff's current law at the two nodes; tests hold it against
SPICE. Currents are those into a node at 0 V.

An op-amp with an input offset holds its summing node at that voltage in place of 0 V: everything
that ends there draws a current the more, feedback and joining resistor among it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import Crossbar

Floats = NDArray[np.float64]


def loads(crossbars: Sequence[Crossbar], width: int) -> dict[int, Floats]:
    """Siemens (width,) that end at the plus (1) and at the minus (-1) node of each lane."""
    found = {polarity: np.zeros(width) for polarity in (1, -1)}
    for crossbar in crossbars:
        siemens = crossbar.loads()
        for polarity, load in found.items():
            bits = np.flatnonzero(crossbar.polarity == polarity)
            outputs = crossbar.column[bits, None] == np.arange(crossbar.sinks.lines)
            crossbar.sinks.add(load, siemens[:, bits] @ outputs)
    return found


def pair(
    i_plus: Floats,
    i_minus: Floats,
    y_plus: Floats,
    y_minus: Floats,
    r_f: Floats,
    r_join: Floats,
    gain: float,
    offset: Floats | None = None,
) -> Floats:
    """Volts of differential lanes: currents (n, lanes), the rest (lanes,).

    offset: (2, lanes) volts of op-amp 1 and 2.
    """
    if offset is not None:
        i_plus = i_plus - offset[0] * (y_plus + 1 / r_join)
        i_minus = i_minus - offset[1] * (y_minus + 1 / r_join + 1 / r_f)
    first = -i_plus * r_join / (1 + (1 + r_join * y_plus) / gain)
    loss = (1 + r_f / r_join + r_f * y_minus) / gain
    return -r_f * (i_minus + first / r_join) / (1 + loss)


def single(
    i_minus: Floats, y_minus: Floats, r_f: Floats, gain: float, offset: Floats | None = None
) -> Floats:
    """Volts of lanes with one op-amp: -r_f times the current, less the loop's loss.

    offset: (2, lanes) volts, the second of which are the op-amps'.
    """
    if offset is not None:
        i_minus = i_minus - offset[1] * (y_minus + 1 / r_f)
    return -r_f * i_minus / (1 + (1 + r_f * y_minus) / gain)


def inverter(volts: Floats, gain: float) -> Floats:
    """Volts behind a unity inverter with two equal resistors."""
    return -volts / (1 + 2 / gain)
