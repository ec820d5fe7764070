"""Geometry of sub-images: kernels split by channel, places merged into patches.

All of it works on Windows, so it serves every convolution, and a dense layer as one place.
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
    """A kernel with one tap a channel, its places in one row: patches may cross image rows."""

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
    """Blocks of at most so many channels and filters; only the first channels keep the bias."""
    blocks = []
    for c0, c_count, c_size in _parts(form.channels, channels, apart=kernel.bias is not None):
        for n0, n_count, n_size in _parts(form.filters, filters):
            blocks.append(_block(kernel, form, (c0, c_count, c_size), (n0, n_count, n_size)))
    return blocks


def join_groups(kernel: Kernel, count: int) -> list[Kernel]:
    """`count` blocks of the stack side by side in one, block-diagonally; a remainder apart."""
    full = kernel.groups // count * count
    parts = [(some_groups(kernel, slice(0, full)), count)] if full else []
    if full < kernel.groups:
        parts.append((some_groups(kernel, slice(full, None)), kernel.groups - full))
    return [part if n == 1 else _side_by_side(part, n) for part, n in parts]


def merge(kernel: Kernel, patch: Sequence[int]) -> Kernel:
    """Places merged into patches: one Toeplitz block that serves prod(patch) places at once.

    The last patch of an axis may reach past the image: it reads GROUND and writes DISCARD there.
    A word line that is at ground in every patch is left out.
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
    return ints(np.array(list(product(*map(range, patch))), dtype=np.int32) @ step)


def _parts(total: int, size: int, apart: bool = False) -> list[tuple[int, int, int]]:
    """(first, blocks, size) runs that cover `total`; `apart` keeps the first block on its own."""
    full, rest = divmod(total, size)
    runs = [(0, full, size)] if full else []
    if apart and full > 1:
        runs = [(0, 1, size), (size, full - 1, size)]
    return runs + ([(full * size, 1, rest)] if rest else [])


def _block(kernel: Kernel, form: Shape, c: tuple[int, int, int], n: tuple[int, int, int]) -> Kernel:
    (c0, c_count, c_size), (n0, n_count, n_size) = c, n
    weight = kernel.values.reshape(form.groups, form.channels, form.taps, form.filters)
    weight = weight[:, c0 : c0 + c_count * c_size, :, n0 : n0 + n_count * n_size]
    weight = weight.reshape(form.groups, c_count, c_size, form.taps, n_count, n_size)
    values = weight.transpose(0, 1, 4, 2, 3, 5).reshape(form.groups * c_count * n_count, -1)
    channel, filter_ = _strides(kernel.taps), _strides(kernel.sinks)
    taps_group = _spread(
        kernel.taps.group, ints(channel * (c0 + c_size * np.arange(c_count))), n_count
    )
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


def _spread(group: Ints, shifts: Ints, inner: int) -> Ints:
    return ints(np.repeat((group[:, None] + shifts).reshape(-1), inner))


def _strides(windows: Windows) -> int:
    """Flattened distance of two neighbours along the first axis of the frame."""
    return prod(windows.frame.shape[1:])


def some_groups(kernel: Kernel, groups: slice) -> Kernel:
    """Some blocks of a stack."""
    return replace(
        kernel,
        values=kernel.values[groups],
        bias=None if kernel.bias is None else kernel.bias[groups],
        taps=replace(kernel.taps, group=ints(kernel.taps.group[groups])),
        sinks=replace(kernel.sinks, group=ints(kernel.sinks.group[groups])),
    )


def _side_by_side(kernel: Kernel, count: int) -> Kernel:
    devices, pattern = kernel.values.shape[1], kernel.pattern
    rows, columns = pattern.shape
    cell = np.full((count * rows, count * columns), -1, dtype=np.int32)
    for i in range(count):
        cell[i * rows : (i + 1) * rows, i * columns : (i + 1) * columns] = np.where(
            pattern >= 0, pattern + i * devices, -1
        )

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
    """Windows of the patches, and for each place inside a patch the line each old line became.

    Lines that stay outside everywhere are dropped: what became of them is -1.
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
    """Which flattened offsets meet a net at some start of some group; the first, if none does."""
    at = np.unravel_index(lines, frame.shape)
    used = np.ones(len(lines), dtype=bool)
    for axis in range(1, frame.ndim):
        firsts = np.unique(starts[:, axis, None] + group[:, axis])
        used &= live(frame, axis, ints(at[axis]), firsts)
    if not used.any():
        used[:1] = True
    return used
