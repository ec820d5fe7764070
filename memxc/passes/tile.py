"""tile: kernels are cut to the size of the unit crossbar.

        columns                 Parts of different rows add to the same lanes: their bit lines
     +----+----+--+             end at the same summing nodes. Parts of one size are a stack,
rows |    |    |  |             so a large kernel becomes only a few stacks.
     +----+----+--+
     |    |    |  |
     +----+----+--+
bias |    |    |  |
     +----+----+--+
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from memxc.errors import fail
from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import Windows, ints


@dataclass(frozen=True)
class Tile(DesignPass):
    """Cut every programmable kernel so that word and bit lines fit one unit crossbar.

    The bias lines go to the last row part, or to one of their own where it is full. A tile in
    which no device stands (the empty corners of a block-diagonal kernel) is dropped.
    """

    name = "tile"

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with kernels of at most one unit crossbar each."""
        stages = (
            _tiled(stage, ctx) if isinstance(stage, Linear) and stage.tiled else stage
            for stage in design.stages
        )
        return Result(design.with_stages(stages))


def _tiled(stage: Linear, ctx: Context) -> Linear:
    rows, columns = ctx.lines(stage.name)
    if rows < 2:
        raise fail(
            "does-not-fit",
            stage.name,
            f"a unit crossbar of {'x'.join(map(str, ctx.tile(stage.name)))} lines "
            f"holds no input and bias of a kernel ({ctx.signed})",
            "take a larger --tile",
        )
    kernels = [part for kernel in stage.kernels for part in tiles(kernel, rows, columns)]
    # A stage of zeros only still has to drive its lanes.
    return replace(stage, kernels=tuple(kernels) or stage.kernels[:1])


@dataclass(frozen=True)
class _LineBlocks:
    """`count` blocks of `size` lines, one behind the other from line `first` on."""

    first: int
    count: int
    size: int

    @property
    def lines(self) -> slice:
        """All lines of the blocks."""
        return slice(self.first, self.first + self.count * self.size)


def tiles(kernel: Kernel, rows: int, columns: int) -> Iterator[Kernel]:
    """Yield the parts of a kernel of at most `rows` inputs with bias lines, and `columns` outputs.

    Parts of one size become one stack if their nets are evenly spaced.
    """
    across = _runs(kernel, kernel.sinks, columns)
    for row, with_bias in _row_runs(kernel, rows):
        for column in across:
            part = _cut(kernel, row, column, with_bias)
            if part.bias is not None or part.cell is None or (part.cell >= 0).any():
                yield part


def _row_runs(kernel: Kernel, rows: int) -> list[tuple[_LineBlocks, bool]]:
    """Return the rows of each part, and whether the bias lines are with them."""
    runs = _runs(kernel, kernel.taps, rows)
    if kernel.bias is None:
        return [(run, False) for run in runs]
    last = runs[-1].size if runs else rows
    if last + kernel.bias_lines > rows:
        return [(run, False) for run in runs] + [(_LineBlocks(kernel.rows, 1, 0), True)]
    *before, run = runs
    without_bias = run.count - 1
    if without_bias:
        before.append(_LineBlocks(run.first, without_bias, run.size))
    end = _LineBlocks(run.first + without_bias * run.size, 1, run.size)
    return [(part, False) for part in before] + [(end, True)]


def _runs(kernel: Kernel, windows: Windows, size: int) -> list[_LineBlocks]:
    full, rest = divmod(windows.lines, size)
    whole = _LineBlocks(0, full, size)
    if full > 1 and (kernel.cell is not None or not _even(windows, whole)):
        runs = [_LineBlocks(i * size, 1, size) for i in range(full)]
    else:
        runs = [whole] if full else []
    return runs + ([_LineBlocks(full * size, 1, rest)] if rest else [])


def _even(windows: Windows, run: _LineBlocks) -> bool:
    """Return whether each block is the first block, moved as a whole."""
    at = windows.coordinates()[2][run.lines]
    blocks = at.reshape(run.count, run.size, -1)
    return bool((blocks - blocks[:, :1] == blocks[0] - blocks[0, 0]).all())


def _cut(kernel: Kernel, row: _LineBlocks, column: _LineBlocks, with_bias: bool) -> Kernel:
    values, cell = kernel.values, kernel.cell
    if cell is None:
        dense = values.reshape(kernel.groups, kernel.rows, kernel.columns)
        part = dense[:, row.lines, column.lines].reshape(
            kernel.groups, row.count, row.size, column.count, column.size
        )
        stack = kernel.groups * row.count * column.count
        values = part.transpose(0, 1, 3, 2, 4).reshape(stack, row.size * column.size)
    else:
        # Only the weights of this tile, so that no conductance is stored twice.
        cell = cell[row.lines, column.lines]
        weights_used, index = np.unique(cell, return_inverse=True)
        has_empty = int((weights_used < 0).any())
        values, cell = (
            values[:, weights_used[has_empty:]],
            ints(index.reshape(cell.shape) - has_empty),
        )
    bias = None
    if with_bias and kernel.bias is not None:
        bias = kernel.bias[:, column.lines].reshape(-1, column.size)
    return replace(
        kernel,
        values=values,
        cell=cell,
        bias=bias,
        taps=_stacked(kernel.taps, row, 1, column.count),
        sinks=_stacked(kernel.sinks, column, row.count, 1),
    )


def _stacked(windows: Windows, run: _LineBlocks, outer: int, inner: int) -> Windows:
    """Return the windows of a run's blocks, as groups of a stack.

    Each group of windows occurs `outer` times, and each block in it `inner` times.
    """
    offset = windows.offset[run.lines]
    shift = offset[:: run.size] - offset[0] if run.size else np.zeros(1, dtype=np.int32)
    blocks = windows.group[:, None, None] + np.repeat(shift, inner)
    group = np.broadcast_to(blocks, (windows.groups, outer, run.count * inner))
    first = windows.cut(slice(run.first, run.first + run.size))
    return replace(first, group=ints(group.reshape(-1)))
