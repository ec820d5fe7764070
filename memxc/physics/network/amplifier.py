"""The amplifiers behind a pair of bit lines, in closed form, for any open-loop gain.

                  r_join                           r_f
               .--[====]--.                     .--[====]--.
               |          |      r_join         |          |
    i_plus -->-+---|1>----+------[====]------.--+---|2>----+--- v = r_f (i_plus - i_minus)
                                             |
    i_minus ->-------------------------------'

Op-amp 1 (feedback r_join) turns the plus current into -r_join * i_plus. The joining resistor r_join
carries it to op-amp 2 (feedback r_f). i_plus and i_minus are the currents into a node at 0 V.

A finite gain A leaves v = -w / A on the summing node of an op-amp with the output w, and the
conductances that end at the node (y_plus, y_minus, siemens) draw current at that voltage.
Kirchhoff's current law at the two nodes reads

    i_plus  - y_plus  v1 + (w1 - v1) / r_join                   = 0,   v1 = -w1 / A
    i_minus - y_minus v2 + (w1 - v2) / r_join + (w2 - v2) / r_f = 0,   v2 = -w2 / A

and the functions below are its solution; tests compare it with SPICE. An op-amp with an input
offset o holds its node at o - w / A instead, so o times everything that ends at the node is drawn
from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import Crossbar

Floats = NDArray[np.float64]
#: Also of single precision, as the reports of wide networks keep it.
Kept = NDArray[np.floating[Any]]

#: The two resistors of an inverter, if its op-amp has a finite gain (templates/cells).
INVERTER_OHM = 1e4


def loads(crossbars: Sequence[Crossbar], width: int) -> dict[int, Floats]:
    """Return the siemens at the plus (1) and the minus (-1) node of each lane, (width,)."""
    totals = {polarity: np.zeros(width) for polarity in (1, -1)}
    for crossbar in crossbars:
        siemens = crossbar.loads()
        for polarity, load in totals.items():
            bits = np.flatnonzero(crossbar.polarity == polarity)
            outputs = crossbar.column[bits, None] == np.arange(crossbar.sinks.lines)
            crossbar.sinks.add(load, siemens[:, bits] @ outputs)
    return totals


def noise_gains(
    y_plus: Kept, y_minus: Kept, r_f: Kept, r_join: Kept, single: bool
) -> tuple[Kept, Kept]:
    """Return the noise gains of op-amp 1 and 2 of each lane; of op-amp 1 it is 0 without one.

    An op-amp amplifies the volts at its own input by this, and with a gain of A it loses the share
    noise gain / A of its signal. All arrays are (lanes,): siemens at the nodes, and ohms.
    single: lanes have one op-amp (and r_join has no meaning).
    """
    second = 1 + r_f * y_minus + (0.0 if single else r_f / r_join)
    first = np.zeros_like(r_f) if single else 1 + r_join * y_plus
    return first, second


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
    """Return the volts (n, lanes) of differential lanes.

    i_plus, i_minus: amperes (n, lanes). The other arrays are (lanes,): siemens and ohms.
    offset: (2, lanes) volts of op-amp 1 and 2, or None.
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
    """Return the volts (n, lanes) of lanes with one op-amp: -r_f times the current, less the loss.

    i_minus: amperes (n, lanes). y_minus, r_f: (lanes,) siemens and ohms. offset: (2, lanes) volts,
    of which the second row is used.
    """
    if offset is not None:
        i_minus = i_minus - offset[1] * (y_minus + 1 / r_f)
    return -r_f * i_minus / (1 + (1 + r_f * y_minus) / gain)


def inverter(volts: Floats, gain: float) -> Floats:
    """Return the volts behind a unity-gain inverter made of two equal resistors and an op-amp."""
    return -volts / (1 + 2 / gain)
