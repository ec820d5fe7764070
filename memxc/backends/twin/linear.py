"""Linear stages: convolutions for kernels that slide, otherwise products of gathered taps."""

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
#: A part of a sum: a signal, and the lane of each of its numbers.
_Piece = tuple[TwinTensor, Nets]


def draw(sheet: Sheet, stage: Linear, source: TwinTensor, shape: Shape) -> TwinTensor:
    """Return the signal of a Linear stage, in `shape`, before the limiter of its bus."""
    total = _sum(sheet, stage.kernels, source, shape)
    if stage.noise:
        total = sheet.add(sheet.first(total), _noise(sheet, stage, source, shape))
    return total


def _noise(sheet: Sheet, stage: Linear, source: TwinTensor, shape: Shape) -> TwinTensor:
    """Return the read noise of each lane and sample.

    It is a normal number with a variance that is a sum of squares:

        variance = sum over taps of  (sigma * x)^2
    """
    squared = TwinTensor(sheet.op("Mul", source.name, source.name), source.shape, source.last)
    variance = sheet.first(_sum(sheet, stage.noise, squared, shape))
    # A sum of squares may come out below zero by rounding.
    sigma = sheet.op("Sqrt", sheet.clip(variance, 0.0, inf).name)
    return TwinTensor(sheet.op("Mul", sigma, sheet.random(sigma)), variance.shape)


def _sum(sheet: Sheet, kernels: Sequence[Kernel], source: TwinTensor, shape: Shape) -> TwinTensor:
    """Return what kernels add to a bus whose samples have `shape`."""
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
        # The stage reads nothing, but it has a value for each sample.
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
    """Return what kernels without taps add to each lane, (width,), and the other kernels."""
    shift, others = np.zeros(width), []
    for kernel in kernels:
        if kernel.rows:
            others.append(kernel)
        elif kernel.bias is not None:
            lanes = kernel.sinks.nets()
            of_lanes = np.broadcast_to(kernel.bias[:, None, :], lanes.shape)
            np.add.at(shift, lanes[lanes >= 0], of_lanes[lanes >= 0])
    return shift, others


def _pieces(
    sheet: Sheet, kernels: Sequence[Kernel], source: TwinTensor
) -> tuple[list[_Piece], list[Kernel]]:
    """Return kernels as parts that need no gather of taps, and the kernels that need one."""
    pieces, others = [], []
    for kernel in kernels:
        piece = disjoint_windows.draw(sheet, kernel, source)
        if piece is None:
            others.append(kernel)
        else:
            pieces.append(piece)
    merges, rest = merged(others)
    for large, kernels_of_it in merges:
        small = smallest(large)
        if conv.worth(small):
            pieces.append(conv.draw(sheet, small, source))
        else:
            rest += kernels_of_it
    return pieces, rest
