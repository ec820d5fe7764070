"""Linear stages of any shape: taps are gathered, and each stack is one matrix product.

The samples are on the last axis. So an index moves a row of samples, and a block of a stack is the
product of its weights with a matrix of places x samples columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memxc.backends.twin import gather
from memxc.backends.twin.gather import Nets
from memxc.backends.twin.graph_builder import Sheet, TwinTensor
from memxc.ir.kernel import Kernel
from memxc.ir.windows import DISCARD

#: Up to so many contributions to a lane are added one by one; more are summed by a reduction.
_FEW = 4


def block(sheet: Sheet, kernel: Kernel, source: TwinTensor) -> tuple[TwinTensor, Nets]:
    """Return what a kernel with taps adds, samples last, and the lane or DISCARD of each number."""
    lanes = kernel.sinks.nets().transpose(0, 2, 1)
    weight = kernel.weight().transpose(0, 2, 1)
    taps = gather.rows(sheet, source, kernel.taps.nets().transpose(0, 2, 1))
    # x: (groups, rows, places x samples), the samples of a place next to each other.
    x = sheet.op("Reshape", taps.name, sheet.integers([kernel.groups, kernel.rows, -1]))
    y = sheet.op("MatMul", sheet.floats(weight), x)
    if kernel.bias is not None:
        y = sheet.op("Add", y, sheet.floats(kernel.bias[:, :, None]))
    name = sheet.op("Reshape", y, sheet.integers([lanes.size, -1]))
    return TwinTensor(name, (lanes.size,), last=True), lanes.reshape(-1)


def compose(sheet: Sheet, parts: Sequence[tuple[TwinTensor, Nets]], width: int) -> TwinTensor:
    """Return the lanes of a bus, samples last: the sum of all parts."""
    lanes = np.concatenate([lanes_of_part for _, lanes_of_part in parts])
    names = [signal.name for signal, _ in parts]
    joined = names[0] if len(names) == 1 else sheet.op("Concat", *names, axis=0)
    where = _contributions(lanes, width)
    signal = TwinTensor(joined, (len(lanes),), last=True)
    if len(where) <= _FEW:
        terms = [gather.rows(sheet, signal, index) for index in where]
        total = terms[0]
        for term in terms[1:]:
            total = sheet.add(total, term)
        return total
    table = sheet.integers([len(where), width, -1])
    name = sheet.op("Reshape", gather.rows(sheet, signal, where).name, table)
    name = sheet.op("ReduceSum", name, sheet.integers([0]), keepdims=0)
    return TwinTensor(name, (width,), last=True)


def _contributions(lanes: Nets, width: int) -> Nets:
    """Return the positions of what adds to each lane, (n, width); -1 if it has fewer than n."""
    wanted = np.flatnonzero(lanes != DISCARD)
    order = wanted[np.argsort(lanes[wanted], kind="stable")]
    lane = lanes[order]
    starts = np.searchsorted(lane, np.arange(width))
    turn = np.arange(len(lane)) - starts[lane]
    where = np.full((int(turn.max(initial=0)) + 1, width), -1, dtype=np.int64)
    where[turn, lane] = order
    return where
