"""tile: cut kernels to the unit crossbar. Row parts share their bit lines' summing nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import ints
from memxc.passes import Context, DesignPass


@dataclass(frozen=True)
class Tile(DesignPass):
    """Cut every programmable kernel so that word and bit lines fit one unit crossbar.

    The bias lines go to the last row part, or to one of their own where it is full. A tile in
    which no device stands (the empty corners of a block-diagonal kernel) is dropped.
    """

    name = "tile"

    def run(self, design: Design, ctx: Context) -> Design:
        """The design with kernels of at most one unit crossbar each."""
        return design.with_stages(
            _tiled(stage, ctx) if isinstance(stage, Linear) and stage.cell == "memristor" else stage
            for stage in design.stages
        )


def _tiled(stage: Linear, ctx: Context) -> Linear:
    rows, columns = ctx.lines(stage.name)
    if rows < 2 or columns < 1:
        raise fail(
            "does-not-fit",
            stage.name,
            f"a unit crossbar of {ctx.tile(stage.name)} lines "
            f"holds no input and bias of a {ctx.signed} kernel",
            "take a larger --tile",
        )
    kernels = [part for kernel in stage.kernels for part in tiles(kernel, rows, columns)]
    # A stage that is nothing but zeros still drives its lanes.
    return replace(stage, kernels=tuple(kernels) or stage.kernels[:1])


def tiles(kernel: Kernel, rows: int, columns: int) -> Iterator[Kernel]:
    """The parts of a kernel of at most `rows` inputs and bias lines and `columns` outputs."""
    for row, with_bias in _row_parts(kernel, rows):
        for first in range(0, kernel.columns, columns):
            column = slice(first, min(first + columns, kernel.columns))
            part = _cut(kernel, row, column, with_bias)
            if part.bias is not None or part.cell is None or (part.cell >= 0).any():
                yield part


def _row_parts(kernel: Kernel, rows: int) -> list[tuple[slice, bool]]:
    """Rows of each part, and whether the bias lines are with them."""
    parts = [slice(first, min(first + rows, kernel.rows)) for first in range(0, kernel.rows, rows)]
    last = parts[-1].stop - parts[-1].start if parts else rows
    if kernel.bias is None or last + kernel.bias_lines <= rows:
        return [(part, part is parts[-1]) for part in parts]
    return [(part, False) for part in parts] + [(slice(kernel.rows, kernel.rows), True)]


def _cut(kernel: Kernel, row: slice, column: slice, with_bias: bool) -> Kernel:
    values, cell = kernel.values, kernel.cell
    if cell is None:
        values = values.reshape(kernel.groups, kernel.rows, kernel.columns)[:, row, column]
        values = values.reshape(kernel.groups, -1)
    else:
        # Only the weights that stand in this tile, so that no conductance is stored twice.
        cell = cell[row, column]
        used, index = np.unique(cell, return_inverse=True)
        empty = int((used < 0).any())
        values, cell = values[:, used[empty:]], ints(index.reshape(cell.shape) - empty)
    bias = kernel.bias[:, column] if with_bias and kernel.bias is not None else None
    return replace(
        kernel,
        values=values,
        cell=cell,
        bias=bias,
        taps=kernel.taps.cut(row),
        sinks=kernel.sinks.cut(column),
    )
