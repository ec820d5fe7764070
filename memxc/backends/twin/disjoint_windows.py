"""Kernels of one column whose windows do not overlap (a global pool), as one product.

y[window] = sum over taps of x[window, tap] * w[tap]
"""

from __future__ import annotations

import numpy as np

from memxc.backends.twin import gather
from memxc.backends.twin.gather import Nets
from memxc.backends.twin.graph_builder import Sheet, TwinTensor
from memxc.ir.kernel import Kernel

#: Weights are equal if they differ by less than this, relative to the largest.
_SAME = 1e-9


def draw(sheet: Sheet, kernel: Kernel, source: TwinTensor) -> tuple[TwinTensor, Nets] | None:
    """Return what a kernel adds, samples first, and the lane of each of its numbers.

    Return None if the windows are not the source, cut into equal pieces.
    """
    if kernel.columns != 1 or not kernel.rows or source.last:
        return None
    taps = kernel.taps.nets()
    in_order = taps.flat[0] >= 0 and (np.diff(taps.reshape(-1)) == 1).all()
    seen = gather.view(sheet, source, taps) if in_order else None
    if seen is None:
        return None
    weight = kernel.weight()[:, None, :, 0]
    if (np.abs(weight - weight[:1]) <= _SAME * np.abs(weight).max()).all():
        column = sheet.floats(weight[0, 0, :, None])
        name = sheet.op("MatMul", seen.name, column)
    else:
        name = sheet.op("Mul", seen.name, sheet.floats(weight))
        if kernel.rows > 1:
            name = sheet.op("ReduceSum", name, sheet.integers([3]), keepdims=1)
    if kernel.bias is not None:
        name = sheet.op("Add", name, sheet.floats(kernel.bias[:, :, None]))
    lanes = kernel.sinks.nets()
    return sheet.reshape(TwinTensor(name, lanes.shape), (lanes.size,)), lanes.reshape(-1)
