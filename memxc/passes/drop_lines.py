"""drop-lines: word lines without a device, and blocks without a device, are not built.

It is for weights of exactly zero if zeros are absent. After partition it leaves fewer word lines to
tile; after tile it removes the unit crossbars that are empty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import ints

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DropLines(DesignPass):
    """Leave out rows of zeros, and blocks of zeros on lanes that a bias drives anyway; exact."""

    name = "drop-lines"

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with fewer word lines and blocks."""
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
    """Return the kernel without blocks of zeros, or None if no block is left.

    A block of zeros stays if nothing else drives one of its lanes: the lane still needs its 0.
    driven: (lanes,), those that a bias drives.
    """
    cell = kernel.pattern
    weights = kernel.values[:, np.unique(cell[cell >= 0])]
    keep: Mask = np.count_nonzero(weights, axis=1) > 0
    if kernel.bias is not None or keep.all():
        return kernel
    lanes = kernel.sinks.nets()
    keep |= ~(driven[lanes] | (lanes < 0)).all(axis=(1, 2))
    if not keep.any():
        return None
    blocks = np.flatnonzero(keep)
    return replace(
        kernel,
        values=kernel.values[blocks],
        taps=replace(kernel.taps, group=ints(kernel.taps.group[blocks])),
        sinks=replace(kernel.sinks, group=ints(kernel.sinks.group[blocks])),
    )


def _rows(kernel: Kernel) -> Kernel:
    """Return the kernel without rows of zeros. One row stays if there is no bias."""
    nonzero = np.count_nonzero(kernel.values, axis=0) > 0
    cell = kernel.pattern
    used: Mask = ((cell >= 0) & nonzero[cell]).any(axis=1)
    if kernel.bias is None and not used.any():
        used[:1] = True
    if used.all():
        return kernel
    rows = ints(np.flatnonzero(used))
    values, cell_left = kernel.values, None
    if kernel.cell is None:
        dense = values.reshape(kernel.groups, kernel.rows, kernel.columns)[:, rows]
        values = dense.reshape(kernel.groups, -1)
    else:
        cell_left = ints(kernel.cell[rows])
    taps = replace(kernel.taps, offset=ints(kernel.taps.offset[rows]))
    return replace(kernel, values=values, cell=cell_left, taps=taps)
