"""Linear stages: convolutions where kernels slide, else products of gathered taps."""

from __future__ import annotations

from math import prod

import numpy as np

from memxc.backends.twin import apart, arrange, conv, gathered
from memxc.backends.twin.arrange import Nets
from memxc.backends.twin.merge import merged
from memxc.backends.twin.sheet import Shape, Sheet, Signal
from memxc.backends.twin.slide import smallest
from memxc.ir.stages import Linear


def draw(sheet: Sheet, stage: Linear, source: Signal, shape: Shape) -> Signal:
    """What a Linear stage puts on its bus, whose samples have `shape`; no limiter yet."""
    pieces: list[tuple[Signal, Nets]] = []
    others = []
    for kernel in stage.kernels:
        piece = apart.draw(sheet, kernel, source)
        if piece is None:
            others.append(kernel)
        else:
            pieces.append(piece)
    found, rest = merged(others)
    for large, kernels in found:
        small = smallest(large)
        if not conv.worth(small):
            rest += kernels
            continue
        pieces.append(conv.draw(sheet, small, source))
    whole: list[Signal] = []
    parts: list[tuple[Signal, Nets]] = []
    for signal, lanes in pieces:
        order = np.argsort(lanes.reshape(-1))
        if np.array_equal(lanes.reshape(-1)[order], np.arange(prod(shape))):
            whole.append(arrange.take(sheet, signal, order.reshape(shape)))
        else:
            parts.append((sheet.last(signal), lanes.reshape(-1)))
    parts += [gathered.block(sheet, kernel, source) for kernel in rest]
    if parts:
        whole.append(sheet.reshape(gathered.compose(sheet, parts, prod(shape)), shape))
    total = whole[0]
    for signal in whole[1:]:
        total = sheet.add(total, signal)
    return total
