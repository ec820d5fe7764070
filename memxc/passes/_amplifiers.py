"""The resistors of the amplifiers that programmed crossbars need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import Crossbar
from memxc.ir.windows import Windows
from memxc.target import Target

Floats = NDArray[np.float64]


def alike(sinks: Sequence[Windows], values: Sequence[Floats], width: int) -> list[Floats]:
    """Values (groups, columns) of each kernel raised until all that add to one lane are equal."""
    nets = [np.where((n := own.nets()) < 0, width, n) for own in sinks]
    now = list(values)
    while True:
        lanes = np.zeros(width + 1)  # the spare last one takes what is discarded
        for lane, value in zip(nets, now, strict=True):
            np.maximum.at(lanes, lane, np.broadcast_to(value[:, None, :], lane.shape))
        lanes[width] = 0.0
        raised = [
            np.maximum(lanes[lane].max(axis=1), value)
            for lane, value in zip(nets, now, strict=True)
        ]
        if all((a == b).all() for a, b in zip(raised, now, strict=True)):
            return raised
        now = raised


def joining(crossbars: Sequence[Crossbar], width: int, target: Target) -> Floats:
    """r_join so that op-amp 1 stays within its swing with every plus device at full voltage."""
    load = np.zeros(width + 1)
    for crossbar in crossbars:
        plus = np.flatnonzero(crossbar.polarity > 0)
        if not len(plus):
            continue
        nets = crossbar.sinks.nets()[..., crossbar.column[plus]]
        total = crossbar.loads()[:, None, plus]
        np.add.at(load, np.where(nets < 0, width, nets), np.broadcast_to(total, nets.shape))
    ohms = np.full(width, 1.0 / target.device.g_max)
    loaded = load[:width] > 0
    ohms[loaded] = target.amplifier.swing_v / (target.device.read_voltage_v * load[:width][loaded])
    # Few digits: the sum's last bits depend on the order of adding.
    step = 10.0 ** (np.floor(np.log10(ohms)) - 3)
    return np.asarray(np.maximum(np.floor(ohms / step * (1 + 1e-9)), 1) * step)
