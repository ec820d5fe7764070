"""drop-lines: word lines without a device, and blocks without any, are not built.

For weights of exactly zero that stand for no device. Behind partition it leaves tile fewer word
lines to cut; behind tile it takes away the unit crossbars that are empty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import Ints, Windows, ints

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DropLines(DesignPass):
    """Leave out rows of zeros, and blocks of zeros on lanes that a bias drives anyway; exact."""

    name = "drop-lines"

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """The design with fewer word lines and blocks."""
        stages = (
            _dropped(stage, design.buses[stage.dst].width)
            if isinstance(stage, Linear) and stage.tiled
            else stage
            for stage in design.stages
        )
        return Result(design.with_stages(stages))


def _dropped(stage: Linear, width: int) -> Linear:
    driven = np.zeros(width, dtype=bool)
    for kernel in stage.kernels:
        if kernel.bias is not None:
            lanes = kernel.sinks.nets()
            driven[lanes[lanes >= 0]] = True
    kernels = [_rows(part) for k in stage.kernels if (part := _blocks(k, driven)) is not None]
    return replace(stage, kernels=tuple(kernels))


def _blocks(kernel: Kernel, driven: Mask) -> Kernel | None:
    """The kernel without blocks of zeros; None where nothing is left of it."""
    cell = kernel.pattern
    there = kernel.values[:, np.unique(cell[cell >= 0])]
    keep: Mask = np.count_nonzero(there, axis=1) > 0
    if kernel.bias is not None or keep.all():
        return kernel
    lanes = kernel.sinks.nets()
    keep |= ~(driven[lanes] | (lanes < 0)).all(axis=(1, 2))
    if not keep.any():
        return None
    at = np.flatnonzero(keep)
    return replace(
        kernel,
        values=kernel.values[at],
        taps=replace(kernel.taps, group=ints(kernel.taps.group[at])),
        sinks=replace(kernel.sinks, group=ints(kernel.sinks.group[at])),
    )


def _rows(kernel: Kernel) -> Kernel:
    """The kernel without rows of zeros; one row stays where there is no bias."""
    there = np.count_nonzero(kernel.values, axis=0) > 0
    cell = kernel.pattern
    used: Mask = ((cell >= 0) & there[cell]).any(axis=1)
    if kernel.bias is None and not used.any():
        used[:1] = True
    if used.all():
        return kernel
    rows = ints(np.flatnonzero(used))
    values, left = kernel.values, None
    if kernel.cell is None:
        dense = values.reshape(kernel.groups, kernel.rows, kernel.columns)[:, rows]
        values = dense.reshape(kernel.groups, -1)
    else:
        left = ints(kernel.cell[rows])
    return replace(kernel, values=values, cell=left, taps=_lines(kernel.taps, rows))


def _lines(windows: Windows, lines: Ints) -> Windows:
    return replace(windows, offset=ints(windows.offset[lines]))
