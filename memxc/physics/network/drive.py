"""Helpers of effective weights: the volts that taps put on word lines, and places as groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import Windows, ints
from memxc.physics.network import amplifier

Floats = NDArray[np.float64]


def word_line_drive(crossbar: Crossbar, stage: Array, scales: tuple[float, float]) -> Floats:
    """Return the word-line volts per unit on each tap, in output units, (taps + 1, word lines).

    The last row is the bias. scales: volts per unit of the source and of the destination.
    """
    src, dst = scales
    rows = crossbar.taps.lines
    row = np.where(crossbar.line == BIAS, rows, crossbar.line)
    inverse = amplifier.inverter(np.ones(1), stage.gain)
    signal = np.where(crossbar.sign < 0, inverse, 1.0) * src / dst
    volts = np.where(row == rows, crossbar.sign * stage.v_bias / dst, signal)
    return np.asarray((np.arange(rows + 1)[:, None] == row) * volts)


def one_block_a_place(windows: Windows) -> Windows:
    """Return the windows with every place as a group; the places of one group follow each other."""
    block = windows.group[:, None] + windows.origin
    return replace(windows, origin=ints([0]), group=ints(block.reshape(-1)))
