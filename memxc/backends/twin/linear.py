"""Linear stages: convolutions where kernels slide, else products of gathered taps."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from memxc.backends.twin import conv, disjoint_windows, gather, matmul
from memxc.backends.twin.gather import Nets
from memxc.backends.twin.graph_builder import Shape, Sheet, TwinTensor
from memxc.backends.twin.merge import merged
from memxc.backends.twin.unpatch import smallest
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear

Floats = NDArray[np.float64]
#: What kernels add: a signal, and the lane of each of its numbers.
_Piece = tuple[TwinTensor, Nets]


def draw(sheet: Sheet, stage: Linear, source: TwinTensor, shape: Shape) -> TwinTensor:
    """What a Linear stage puts on its bus, whose samples have `shape`; no limiter yet."""
    total = _sum(sheet, stage.kernels, source, shape)
    if stage.noise:
        total = sheet.add(sheet.first(total), _noise(sheet, stage, source, shape))
    return total


def _noise(sheet: Sheet, stage: Linear, source: TwinTensor, shape: Shape) -> TwinTensor:
    """What a read adds to each lane and sample: a normal number, its variance a sum of squares."""
    squared = TwinTensor(sheet.op("Mul", source.name, source.name), source.shape, source.last)
    variance = sheet.first(_sum(sheet, stage.noise, squared, shape))
    # Rounding may leave a sum of squares below zero.
    sigma = sheet.op("Sqrt", sheet.clip(variance, 0.0, inf).name)
    return TwinTensor(sheet.op("Mul", sigma, sheet.random(sigma)), variance.shape)


def _sum(sheet: Sheet, kernels: Sequence[Kernel], source: TwinTensor, shape: Shape) -> TwinTensor:
    """What kernels add to a bus whose samples have `shape`."""
    shift, reading = _shift(kernels, prod(shape))
    pieces, rest = _pieces(sheet, reading, source)
    terms: list[TwinTensor] = []
    others: list[_Piece] = []
    for signal, lanes in pieces:
        order = np.argsort(lanes.reshape(-1))
        if np.array_equal(lanes.reshape(-1)[order], np.arange(prod(shape))):
            terms.append(gather.take(sheet, signal, order.reshape(shape)))
        else:
            others.append((sheet.last(signal), lanes.reshape(-1)))
    others += [matmul.block(sheet, kernel, source) for kernel in rest]
    if others:
        terms.append(sheet.reshape(matmul.compose(sheet, others, prod(shape)), shape))
    if not terms:
        # Nothing is read, but there is a value for each sample.
        one = gather.take(sheet, source, np.zeros([1] * len(shape), dtype=np.int64))
        terms.append(TwinTensor(sheet.op("Mul", one.name, sheet.floats(0.0)), one.shape))
    total = terms[0]
    for signal in terms[1:]:
        total = sheet.add(total, signal)
    if not shift.any() and total.shape == shape:
        return total
    added = sheet.floats(shift.reshape(shape))
    return TwinTensor(sheet.op("Add", sheet.first(total).name, added), shape)


def _shift(kernels: Sequence[Kernel], width: int) -> tuple[Floats, list[Kernel]]:
    """What kernels of a bias alone add to each lane (width,), and the others."""
    shift, others = np.zeros(width), []
    for kernel in kernels:
        if kernel.rows:
            others.append(kernel)
        elif kernel.bias is not None:
            lanes = kernel.sinks.nets()
            each = np.broadcast_to(kernel.bias[:, None, :], lanes.shape)
            np.add.at(shift, lanes[lanes >= 0], each[lanes >= 0])
    return shift, others


def _pieces(
    sheet: Sheet, kernels: Sequence[Kernel], source: TwinTensor
) -> tuple[list[_Piece], list[Kernel]]:
    """Kernels as products without a gather, and those that need one."""
    pieces, others = [], []
    for kernel in kernels:
        piece = disjoint_windows.draw(sheet, kernel, source)
        if piece is None:
            others.append(kernel)
        else:
            pieces.append(piece)
    found, rest = merged(others)
    for large, own in found:
        small = smallest(large)
        if conv.worth(small):
            pieces.append(conv.draw(sheet, small, source))
        else:
            rest += own
    return pieces, rest
