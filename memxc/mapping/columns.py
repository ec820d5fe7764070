"""Some columns of a kernel as kernels of their own, whose lanes are on a smaller bus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memxc.interfaces import Zeros
from memxc.ir.kernel import Kernel
from memxc.ir.windows import DISCARD, GROUND, Ints, Windows, ints

Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]
Floats = NDArray[np.float64]

#: At most so many nets or weights are looked at together, to bound the memory.
_CHUNK = 1 << 20


def adding_to(kernel: Kernel, lanes: Mask) -> Mask:
    """Return which columns add to any of the lanes, (groups, columns). lanes: (dst width,)."""
    adds = np.zeros((kernel.groups, kernel.columns), dtype=bool)
    for groups, places in kernel.sinks.pieces(_CHUNK):
        nets = kernel.sinks.nets(groups, places)
        adds[groups] |= (lanes[nets] & (nets >= 0)).any(axis=1)
    return adds


def some_columns(kernel: Kernel, columns: Mask, lanes: Mask) -> Iterator[Kernel]:
    """Yield kernels that have some columns of a kernel, one for each set of columns that occurs.

    columns: (groups, columns). lanes: those that these columns add to, (dst width,). The sinks of
    the result count only these lanes.
    """
    number = np.where(lanes, np.cumsum(lanes) - 1, DISCARD)
    frame = ints(np.where(kernel.sinks.frame >= 0, number[kernel.sinks.frame], DISCARD))
    sets, which = np.unique(columns, axis=0, return_inverse=True)
    for index, kept in enumerate(sets):
        if kept.any():
            for run in _runs(kernel, np.flatnonzero(which.reshape(-1) == index)):
                yield _cut(kernel, run, kept, frame)


def _runs(kernel: Kernel, groups: Indices) -> Iterator[Indices]:
    """Yield the groups in runs of evenly spaced nets, as the blocks of a stack have to be."""
    first = np.stack([kernel.taps.group[groups], kernel.sinks.group[groups]])
    steps = np.diff(first, axis=1)
    start = 0
    for at in range(2, len(groups)):
        if at > start + 1 and (steps[:, at - 1] != steps[:, at - 2]).any():
            yield groups[start:at]
            start = at
    yield groups[start:]


def _cut(kernel: Kernel, groups: Indices, columns: Mask, frame: Ints) -> Kernel:
    """Return a kernel with some blocks and columns, whose sinks have another frame."""
    cell, values = kernel.cell, kernel.values[groups]
    if cell is None:
        blocks = values.reshape(len(groups), kernel.rows, kernel.columns)[..., columns]
        values = np.ascontiguousarray(blocks).reshape(len(groups), -1)
    else:
        cell = cell[:, columns]
        used = np.unique(cell[cell >= 0])
        values = values[:, used]
        cell = ints(np.where(cell >= 0, np.searchsorted(used, cell), -1))
    taps, sinks = kernel.taps, kernel.sinks
    return replace(
        kernel,
        values=values,
        cell=cell,
        bias=None if kernel.bias is None else kernel.bias[groups][:, columns],
        taps=replace(taps, group=ints(taps.group[groups])),
        sinks=Windows(frame, sinks.origin, ints(sinks.group[groups]), ints(sinks.offset[columns])),
    )


def sums(kernel: Kernel, zeros: Zeros) -> tuple[Floats, Floats, Floats]:
    """Return three sums over each column's weights, (groups, columns), without the bias.

    The positive weights, the magnitudes of the negative ones, and the number of those that have
    devices: with `absent` zeros, only those that are not zero. The weights are looked at some rows
    at a time, because a dense layer may have very many.
    """
    plus, minus, built = np.zeros((3, kernel.groups, kernel.columns))
    step = max(1, _CHUNK // max(1, kernel.groups * kernel.columns))
    for first in range(0, kernel.rows, step):
        rows = slice(first, first + step)
        if kernel.cell is None:
            blocks = kernel.values.reshape(kernel.groups, kernel.rows, kernel.columns)
            weights, present = np.asarray(blocks[:, rows], dtype=np.float64), np.array(True)
        else:
            present = kernel.cell[rows] >= 0
            values = np.asarray(kernel.values, dtype=np.float64)
            weights = np.where(present, values[:, kernel.cell[rows]], 0.0)
        plus += np.maximum(weights, 0.0).sum(axis=1)
        minus -= np.minimum(weights, 0.0).sum(axis=1)
        has = weights != 0 if zeros == "absent" else np.broadcast_to(present, weights.shape)
        built += has.sum(axis=1)
    return plus, minus, built


def identity(kernel: Kernel) -> Kernel:
    """Return a kernel whose outputs are its inputs, at the lanes and places of another kernel."""
    sinks = kernel.sinks
    reads = replace(sinks, frame=ints(np.maximum(sinks.frame, GROUND)))
    diagonal = np.where(np.eye(kernel.columns, dtype=bool), 0, -1)
    return Kernel(np.ones((kernel.groups, 1)), ints(diagonal), None, reads, sinks, kernel.grid)
