"""Two ways to build a signed weight out of positive conductances. M inputs, one output.

Differential pair, (M+1) x 2: two bit lines an output, the bias on the last word lines.

               c+         c-                 weight > 0: G+ = g_min + |w|, G- = g_min
     x_0 ---- G+_0 ----- G-_0                weight < 0: G+ = g_min, G- = g_min + |w|
     x_1 ---- G+_1 ----- G-_1
     v_bias - G+_b ----- G-_b                v_out = r_f (i+ - i-)

Inverted inputs, (2M+2) x 1: one bit line an output, two word lines an input.

                c
      x_0 ---- G-_0                          v_out = -r_f i
     -x_0 ---- G+_0
      x_1 ---- G-_1
     -x_1 ---- G+_1
     v_bias -- G-_b
    -v_bias -- G+_b

`sloped` turns weights into siemens with a sign, `differential_pairs` splits them into the
conductances of G+ and G-, and `differential` and `inverted` say where these stand. Source:
docs/papers.md, the ShuffleNetV2 circuits. There, the inverted inputs need one bias line only; here
a bias has a line of either sign, so that it can have either sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.interfaces import Zeros
from memxc.ir.kernel import BIAS, Kernel

Floats = NDArray[np.float64]


def sloped(kernel: Kernel, slope: Floats) -> Floats:
    """Return each weight in siemens with its sign, (groups, devices): G+ - G- of its pair.

    slope: (groups, columns), siemens per unit of weight in each column of the kernel.
    """
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
    """Return the conductances of a stack, (groups, devices), in siemens, in four runs.

    The runs are G+ of the weights, G- of the weights, G+ of the biases and G- of the biases:
    `differential` and `inverted` count on this order. Only one device of a pair is used; the other
    one stays at g_min, or is left out (0 S) if `zeros` is "absent".

    values: (groups, weights), bias: (groups, biases), both G+ - G- in siemens.
    g_min: siemens of an unused device. span: the largest siemens above it (g_max - g_min).
    """
    runs = (values, -values, bias, -bias)
    ends = np.cumsum([0, *(wanted.shape[1] for wanted in runs)])
    g = np.empty((len(values), ends[-1]))
    for wanted, start, end in zip(runs, ends, ends[1:], strict=False):
        run = g[:, start:end]
        np.clip(wanted, 0.0, span, out=run)
        run += g_min
        if zeros == "absent":
            # 0 S is no device.
            run[wanted == 0] = 0.0
    return g


def differential(pattern: NDArray[np.int32], devices: int, bias: int) -> tuple[NDArray[Any], ...]:
    """Return the wiring of differential pairs, (M+1) x 2: plus and minus bit lines interleaved.

    pattern: (rows, columns), the index of each weight, -1 at an empty place.
    devices: weights of a block. bias: word lines that carry the bias, behind the inputs.

    The result is cell, line, sign, column and polarity of `memxc.ir.kernel.Crossbar`; cell counts
    in the order of `differential_pairs`.
    """
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
    """Return the wiring of inverted inputs, (2M+2) x 1: each input next to its inverse.

    The arguments and the result are those of `differential`. The output's only op-amp inverts, so a
    positive weight stands on the inverted word line.
    """
    rows, columns = pattern.shape
    cell = np.full((2 * (rows + bias), columns), -1, dtype=np.int32)
    cell[0 : 2 * rows : 2] = np.where(pattern >= 0, pattern + devices, -1)
    cell[1 : 2 * rows : 2] = pattern
    cell[2 * rows :: 2] = 2 * devices + columns + np.arange(columns)
    cell[2 * rows + 1 :: 2] = 2 * devices + np.arange(columns)
    line = np.concatenate([np.repeat(np.arange(rows), 2), np.full(2 * bias, BIAS)])
    return cell, line, np.tile([1, -1], rows + bias), np.arange(columns), np.full(columns, -1)
