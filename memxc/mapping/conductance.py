"""The devices of a crossbar: their conductances, and the lines that they stand on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.interfaces import Zeros
from memxc.ir.kernel import BIAS, Kernel

Floats = NDArray[np.float64]


def sloped(kernel: Kernel, slope: Floats) -> Floats:
    """Siemens of each weight, (groups, devices), by the slope of its device's column."""
    values = np.asarray(kernel.values, dtype=np.float64)
    if kernel.cell is None:
        weights = values.reshape(kernel.groups, kernel.rows, kernel.columns)
        return np.asarray((weights * slope[:, None]).reshape(values.shape))
    spread = np.ones(values.shape)
    rows, columns = np.nonzero(kernel.cell >= 0)
    spread[:, kernel.cell[rows, columns]] = slope[:, columns]
    return values * spread


def differential_pairs(
    values: Floats, bias: Floats, g_min: float, span: float, zeros: Zeros
) -> Floats:
    """Conductances of the plus devices of the weights, the minus ones, and those of the bias."""
    parts = (values, -values, bias, -bias)
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    g = np.empty((len(values), ends[-1]))
    for part, first, end in zip(parts, ends, ends[1:], strict=False):
        own = g[:, first:end]
        np.clip(part, 0.0, span, out=own)
        own += g_min
        if zeros == "absent":
            # 0 S is no device.
            own[part == 0] = 0.0
    return g


def differential(pattern: NDArray[np.int32], devices: int, bias: int) -> tuple[NDArray[Any], ...]:
    """(M+1) x 2: plus and minus bit lines interleaved, the bias on the last word lines."""
    rows, columns = pattern.shape
    cell = np.full((rows + bias, 2 * columns), -1, dtype=np.int32)
    cell[:rows, 0::2] = pattern
    cell[:rows, 1::2] = np.where(pattern >= 0, pattern + devices, -1)
    cell[rows:, 0::2] = 2 * devices + np.arange(columns)
    cell[rows:, 1::2] = 2 * devices + columns + np.arange(columns)
    line = np.concatenate([np.arange(rows), np.full(bias, BIAS)])
    column = np.repeat(np.arange(columns), 2)
    return cell, line, np.ones_like(line), column, np.tile([1, -1], columns)


def inverted(pattern: NDArray[np.int32], devices: int, bias: int) -> tuple[NDArray[Any], ...]:
    """(2M+2) x 1: each input and its inverse on neighbouring word lines, one bit line an output.

    One op-amp inverts, so a positive weight stands on the inverted line.
    """
    rows, columns = pattern.shape
    cell = np.full((2 * (rows + bias), columns), -1, dtype=np.int32)
    cell[0 : 2 * rows : 2] = np.where(pattern >= 0, pattern + devices, -1)
    cell[1 : 2 * rows : 2] = pattern
    cell[2 * rows :: 2] = 2 * devices + columns + np.arange(columns)
    cell[2 * rows + 1 :: 2] = 2 * devices + np.arange(columns)
    line = np.concatenate([np.repeat(np.arange(rows), 2), np.full(2 * bias, BIAS)])
    return cell, line, np.tile([1, -1], rows + bias), np.arange(columns), np.full(columns, -1)
