"""Sub-images: a kernel is split by channels and filters, and its places are merged into patches.

All of it works on Windows, so it serves every convolution; a dense layer has one place. A patch of
t x t places reads one sub-image of side (t - 1) * stride + (taps - 1) * dilation + 1 and becomes
one Toeplitz block. Three taps a, b, c in one dimension, stride 1, a patch of two places:

    one place a crossbar          one patch: 4 word lines, 2 signed outputs
      y0                               y0  y1
    x0 a                            x0  a   .
    x1 b                            x1  b   a
    x2 c                            x2  c   b
                                    x3  .   c

The places at "." have no device. See docs/partition.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import Kernel
from memxc.ir.windows import DISCARD, GROUND, Ints, Windows, ints
from memxc.mapping.shape import Shape, grid_steps, live


def flatten_places(kernel: Kernel) -> Kernel:
    """Return a kernel of one tap with its places in one row, so that a patch may cross rows."""

    def flat(windows: Windows) -> Windows:
        nets = windows.nets().transpose(0, 2, 1)
        groups, lines, places = nets.shape
        return Windows(
            ints(nets.reshape(groups * lines, places)),
            ints(np.arange(places)),
            ints(np.arange(groups) * lines * places),
            ints(np.arange(lines) * places),
        )

    return replace(kernel, taps=flat(kernel.taps), sinks=flat(kernel.sinks), grid=(kernel.places,))


def channel_blocks(kernel: Kernel, form: Shape, channels: int, filters: int) -> list[Kernel]:
    """Return blocks of at most so many channels and filters. Only the first channels keep the bias.

    The blocks of different channels add to one lane, so a bias in each of them would count twice.
    """
    blocks = []
    for c0, c_count, c_size in _parts(form.channels, channels, first_alone=kernel.bias is not None):
        for n0, n_count, n_size in _parts(form.filters, filters):
            blocks.append(_block(kernel, form, (c0, c_count, c_size), (n0, n_count, n_size)))
    return blocks


def join_groups(kernel: Kernel, count: int) -> list[Kernel]:
    """Join every `count` blocks of a stack block-diagonally; the last ones may be fewer."""
    full = kernel.groups // count * count
    parts = [(some_groups(kernel, slice(0, full)), count)] if full else []
    if full < kernel.groups:
        parts.append((some_groups(kernel, slice(full, None)), kernel.groups - full))
    return [part if n == 1 else _side_by_side(part, n) for part, n in parts]


def merge(kernel: Kernel, patch: Sequence[int]) -> Kernel:
    """Merge places into patches: one Toeplitz block serves prod(patch) places at once.

    The last patch of an axis may reach past the image: it reads GROUND and writes DISCARD there. A
    word line that is at ground in every patch is left out.
    """
    count = [-(-size // t) for size, t in zip(kernel.grid, patch, strict=True)]
    taps, rows = _merged(kernel.taps, kernel.grid, patch, count, GROUND)
    if prod(patch) == 1 and taps.lines == kernel.rows:
        return kernel
    sinks, columns = _merged(kernel.sinks, kernel.grid, patch, count, DISCARD)
    cell = np.full((taps.lines, sinks.lines), -1, dtype=np.int32)
    for row, column in zip(rows, columns, strict=True):
        some = row >= 0
        cell[np.ix_(row[some], column)] = kernel.pattern[some]
    bias = kernel.bias
    if bias is not None:
        source = np.empty(sinks.lines, dtype=np.intp)
        source[columns] = np.arange(kernel.columns)
        bias = bias[:, source]
    return replace(kernel, cell=ints(cell), bias=bias, taps=taps, sinks=sinks, grid=tuple(count))


def _shifts(step: Ints, patch: Sequence[int]) -> Ints:
    """Return by how much the window moves to each place of a patch, (places, axes of the frame)."""
    return ints(np.array(list(product(*map(range, patch))), dtype=np.int32) @ step)


def _parts(total: int, size: int, first_alone: bool = False) -> list[tuple[int, int, int]]:
    """Return runs (first, blocks, size) that cover `total`.

    first_alone: the first block is a run of its own.
    """
    full, rest = divmod(total, size)
    runs = [(0, full, size)] if full else []
    if first_alone and full > 1:
        runs = [(0, 1, size), (size, full - 1, size)]
    return runs + ([(full * size, 1, rest)] if rest else [])


def _block(kernel: Kernel, form: Shape, c: tuple[int, int, int], n: tuple[int, int, int]) -> Kernel:
    """Return a run of blocks as a stack; c, n: (first, blocks, size) of channels and filters."""
    (c0, c_count, c_size), (n0, n_count, n_size) = c, n
    weight = kernel.values.reshape(form.groups, form.channels, form.taps, form.filters)
    weight = weight[:, c0 : c0 + c_count * c_size, :, n0 : n0 + n_count * n_size]
    weight = weight.reshape(form.groups, c_count, c_size, form.taps, n_count, n_size)
    values = weight.transpose(0, 1, 4, 2, 3, 5).reshape(form.groups * c_count * n_count, -1)
    channel, filter_ = _channel_stride(kernel.taps), _channel_stride(kernel.sinks)
    taps_shift = channel * (c0 + c_size * np.arange(c_count))
    taps_group = np.repeat((kernel.taps.group[:, None] + taps_shift).reshape(-1), n_count)
    sinks_shift = filter_ * (n0 + n_size * np.arange(n_count))
    sinks_group = (
        kernel.sinks.group[:, None, None] + np.zeros((1, c_count, 1), np.int32) + sinks_shift
    ).reshape(-1)
    bias = None
    if kernel.bias is not None and c0 == 0:
        bias = kernel.bias[:, n0 : n0 + n_count * n_size].reshape(-1, n_size)
    rows, columns = slice(0, c_size * form.taps), slice(0, n_size)
    return replace(
        kernel,
        values=values,
        bias=bias,
        taps=replace(kernel.taps.cut(rows), group=ints(taps_group)),
        sinks=replace(kernel.sinks.cut(columns), group=ints(sinks_group)),
    )


def _channel_stride(windows: Windows) -> int:
    """Return the distance, in the flattened frame, from one channel to the next."""
    return prod(windows.frame.shape[1:])


def some_groups(kernel: Kernel, groups: slice) -> Kernel:
    """Return some blocks of a stack, as a stack."""
    return replace(
        kernel,
        values=kernel.values[groups],
        bias=None if kernel.bias is None else kernel.bias[groups],
        taps=replace(kernel.taps, group=ints(kernel.taps.group[groups])),
        sinks=replace(kernel.sinks, group=ints(kernel.sinks.group[groups])),
    )


def _side_by_side(kernel: Kernel, count: int) -> Kernel:
    """Join every `count` blocks of a stack into one; no devices connect one to another."""
    devices, pattern = kernel.values.shape[1], kernel.pattern
    rows, columns = pattern.shape
    cell = np.full((count * rows, count * columns), -1, dtype=np.int32)
    for i in range(count):
        block = np.s_[i * rows : (i + 1) * rows, i * columns : (i + 1) * columns]
        cell[block] = pattern + i * devices

    def joined(windows: Windows) -> Windows:
        shift = windows.group[:count] - windows.group[0]
        regular = windows.group[::count, None] + shift
        assert (regular.reshape(-1) == windows.group).all(), "groups are not evenly spaced"
        return replace(
            windows,
            group=ints(windows.group[::count]),
            offset=ints((shift[:, None] + windows.offset).reshape(-1)),
        )

    stacked = kernel.groups // count
    return replace(
        kernel,
        values=kernel.values.reshape(stacked, -1),
        cell=ints(cell),
        bias=None if kernel.bias is None else kernel.bias.reshape(stacked, -1),
        taps=joined(kernel.taps),
        sinks=joined(kernel.sinks),
    )


def _merged(
    windows: Windows,
    grid: tuple[int, ...],
    patch: Sequence[int],
    count: Sequence[int],
    outside: int,
) -> tuple[Windows, Ints]:
    """Return the windows of the patches, and the line of a patch that each old line became.

    The second result is (places of a patch, old lines). A line that stays outside at every patch is
    dropped; its number is -1 there.

    outside: what a net past the frame is, GROUND where lines read and DISCARD where they write.
    """
    step = grid_steps(windows, grid)
    assert step is not None, "only regular kernels are merged"
    origin, group, offset = windows.coordinates()
    last = np.array([n * t - 1 for n, t in zip(count, patch, strict=True)])
    reach = origin[0] + last @ step + group.max(axis=0) + offset.max(axis=0) + 1
    grow = np.maximum(reach - windows.frame.shape, 0)
    frame = np.pad(windows.frame, [(0, int(g)) for g in grow], constant_values=outside)
    weights = np.append(np.cumprod(frame.shape[:0:-1])[::-1], 1)
    inner = (_shifts(step, patch)[:, None] + offset) @ weights
    lines, place = np.unique(inner, return_inverse=True)
    starts = _shifts(ints(step * np.array(patch)[:, None]), count) + origin[0]
    used = _used(frame, lines, starts, group)
    became = np.where(used, np.cumsum(used) - 1, -1)
    return (
        Windows(ints(frame), ints(starts @ weights), ints(group @ weights), ints(lines[used])),
        ints(became[place.reshape(inner.shape)]),
    )


def _used(frame: Ints, lines: Ints, starts: Ints, group: Ints) -> NDArray[np.bool_]:
    """Return for each flattened offset whether it meets a net from any start of any group.

    If none does, the first one counts as used: a crossbar has at least one line.
    """
    coordinate = np.unravel_index(lines, frame.shape)
    used = np.ones(len(lines), dtype=bool)
    for axis in range(1, frame.ndim):
        firsts = np.unique(starts[:, axis, None] + group[:, axis])
        used &= live(frame, axis, ints(coordinate[axis]), firsts)
    if not used.any():
        used[:1] = True
    return used
