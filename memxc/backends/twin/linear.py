"""Linear stages."""

from __future__ import annotations

from math import prod

from memxc.backends.twin import gathered
from memxc.backends.twin.sheet import Shape, Sheet, Signal
from memxc.ir.stages import Linear


def draw(sheet: Sheet, stage: Linear, source: Signal, shape: Shape) -> Signal:
    """What a Linear stage puts on its bus, whose samples have `shape`; no limiter yet."""
    parts = [gathered.block(sheet, kernel, source) for kernel in stage.kernels]
    return sheet.reshape(gathered.compose(sheet, parts, prod(shape)), shape)
