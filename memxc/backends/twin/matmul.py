"""Linear stages of any shape: taps gathered, one matrix product a stack, lanes put in order.

The samples are on the last axis, so that an index moves a row of them, and every block of a stack
is a product of its weights with places x samples columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memxc.backends.twin import gather
from memxc.backends.twin.gather import Nets
from memxc.backends.twin.graph_builder import Sheet, TwinTensor
from memxc.ir.kernel import Kernel
from memxc.ir.windows import DISCARD

#: Contributions to a lane that are added one by one; more are summed by one reduction.
_FEW = 4


def block(sheet: Sheet, kernel: Kernel, source: TwinTensor) -> tuple[TwinTensor, Nets]:
    """What a kernel with taps adds, samples last, and the lane (or DISCARD) of each number."""
    lanes = kernel.sinks.nets().transpose(0, 2, 1)
    weight = kernel.weight().transpose(0, 2, 1)
    taps = gather.rows(sheet, source, kernel.taps.nets().transpose(0, 2, 1))
    # (groups, rows, places x samples): the samples are the fastest of the last axis.
    x = sheet.op("Reshape", taps.name, sheet.integers([kernel.groups, kernel.rows, -1]))
    y = sheet.op("MatMul", sheet.floats(weight), x)
    if kernel.bias is not None:
        y = sheet.op("Add", y, sheet.floats(kernel.bias[:, :, None]))
    name = sheet.op("Reshape", y, sheet.integers([lanes.size, -1]))
    return TwinTensor(name, (lanes.size,), last=True), lanes.reshape(-1)


def compose(sheet: Sheet, parts: Sequence[tuple[TwinTensor, Nets]], width: int) -> TwinTensor:
    """The lanes of a bus, samples last: what all parts add to each."""
    lanes = np.concatenate([found for _, found in parts])
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
    """Positions (n, width) of what adds to each lane, -1 where a lane has fewer than n."""
    wanted = np.flatnonzero(lanes != DISCARD)
    order = wanted[np.argsort(lanes[wanted], kind="stable")]
    lane = lanes[order]
    starts = np.searchsorted(lane, np.arange(width))
    turn = np.arange(len(lane)) - starts[lane]
    where = np.full((int(turn.max(initial=0)) + 1, width), -1, dtype=np.int64)
    where[turn, lane] = order
    return where
