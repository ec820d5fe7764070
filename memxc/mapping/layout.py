"""Layouts: what one unit crossbar holds of a kernel, and how many crossbars the kernel takes.

`paper` is the counting rule of Oh, An, Min, Micromachines 14(2):309 (2023), as docs/papers.md
derives it. `packed` is the layout with the fewest placed unit crossbars; docs/partition.md says
over which choices. `none` is im2col: one place a crossbar.

One unit crossbar of R word lines and C / 2 signed outputs (differential pairs), for a patch of t x
t places, c channels and n filters:

                     t * t * n signed outputs
                    +-------------------------+
     c * S * S      |  Toeplitz block of      |     S = (t - 1) * stride + (taps - 1) * dilation + 1
     word lines     |  c channels, n filters  |
                    +-------------------------+
     bias lines     |                         |
                    +-------------------------+
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from memxc.ir.kernel import Kernel
from memxc.mapping import subimage
from memxc.mapping.shape import Rows, Shape, kernel_shape

Policy = Literal["packed", "paper", "paper-rectangular", "none"]


@dataclass(frozen=True)
class Layout:
    """One unit crossbar holds `patch` places, and blocks of channels, filters and groups.

    kind: "3D" (channels x taps), "2D" (depthwise), "1D" (pointwise), "dense" (one place) or
    "irregular" (no patches).
    patch: places along each axis of the grid. () means im2col: one place, cut where it is too long.
    rows, columns: inputs and signed outputs that one crossbar holds.
    crossbars: unit crossbars placed. `paper` does not count one for a bias line that no longer
    fits.
    """

    kind: str
    patch: tuple[int, ...]
    channels: int
    filters: int
    groups: int
    rows: int
    columns: int
    crossbars: int


def plan_layout(
    kernel: Kernel, policy: Policy, lines: tuple[int, int], sequential: bool = False
) -> Layout:
    """Return the layout of a kernel under a policy.

    lines: how many inputs (with the bias) and signed outputs a unit crossbar has.
    sequential: whether the places take turns at one crossbar, so that patches save nothing.
    """
    flat = _flat(kernel)
    form = kernel_shape(flat)
    if form is None:
        return _im2col(flat, None, lines, sequential)
    if policy.startswith("paper") and not sequential:
        return _paper(flat, form, lines, square=policy == "paper")
    plain = _im2col(flat, form, lines, sequential)
    return _packed(flat, form, lines, sequential, plain) if policy == "packed" else plain


def lay_out(kernel: Kernel, layout: Layout) -> list[Kernel]:
    """Return the kernels that together compute `kernel`, cut and merged as `layout` says."""
    if not layout.patch:
        return [kernel]
    flat = _flat(kernel)
    form = kernel_shape(flat)
    assert form is not None, "only regular kernels have patches"
    blocks = subimage.channel_blocks(flat, form, layout.channels, layout.filters)
    if layout.groups > 1:
        blocks = [part for block in blocks for part in subimage.join_groups(block, layout.groups)]
    return [subimage.merge(part, layout.patch) for part in blocks]


def layout_kind(kernel: Kernel, form: Shape | None) -> str:
    """Return the kind of a kernel: 3D, 2D, 1D, dense or irregular (form is None)."""
    if form is None:
        return "irregular"
    if kernel.places == 1 and form.taps == 1:
        return "dense"
    if form.taps == 1:
        return "1D"
    depthwise = form.channels == 1 and (form.groups > 1 or form.filters == 1)
    return "2D" if depthwise else "3D"


def _flat(kernel: Kernel) -> Kernel:
    """Return a pointwise kernel with its pixels in one row, and any other kernel unchanged."""
    form = kernel_shape(kernel)
    one_tap = form is not None and form.taps == 1 and kernel.places > 1
    return subimage.flatten_places(kernel) if one_tap else kernel


def _im2col(kernel: Kernel, form: Shape | None, lines: tuple[int, int], sequential: bool) -> Layout:
    """Return the layout of one place a crossbar, cut to size.

    The bias lines are on the last part of the rows, or have a part of their own if they do not fit.
    """
    rows, columns = lines
    bias = kernel.bias_lines if kernel.bias is not None else 0
    parts = max(1, -(-kernel.rows // rows))
    last = kernel.rows - (parts - 1) * rows
    parts += last + bias > rows
    places = 1 if sequential else kernel.places
    crossbars = places * kernel.groups * parts * -(-kernel.columns // columns)
    channels = kernel.rows if form is None else form.channels
    return Layout(
        layout_kind(kernel, form), (), channels, kernel.columns, 1,
        min(kernel.rows, rows), min(kernel.columns, columns), crossbars,
    )  # fmt: skip


def _paper(kernel: Kernel, form: Shape, lines: tuple[int, int], square: bool) -> Layout:
    """Return the layout of the rule: the largest patch, of one (channel, filter) pair.

    A pointwise kernel has no neighbouring taps to share, so the rule puts as many of its pixels
    side by side as fit.
    """
    rows, columns = lines
    if form.taps == 1:
        pixels = pixels_side_by_side(form.grid[0], form.channels, form.filters, lines)
        return Layout(
            layout_kind(kernel, form), (pixels,), form.channels, form.filters, 1,
            min(rows, pixels * form.channels), min(columns, pixels * form.filters),
            form.groups * pointwise(form.grid[0], form.channels, form.filters, lines),
        )  # fmt: skip
    squares = ((side,) * len(form.grid) for side in range(1, min(form.grid) + 1))
    patches = squares if square else _patches(form.grid, columns)
    # The largest square that fits; or the rectangle that needs the fewest crossbars, and of these
    # the largest.
    fits = [
        (0 if square else _count(form.grid, patch), -prod(patch), patch)
        for patch in patches
        if prod(patch) <= columns and prod(_side(kernel, form, patch)) <= rows
    ]
    if not fits:
        return _im2col(kernel, form, lines, sequential=False)
    patch = min(fits)[2]
    size, places = prod(_side(kernel, form, patch)), _count(form.grid, patch)
    pairs = form.groups * form.channels * form.filters
    return Layout(layout_kind(kernel, form), patch, 1, 1, 1, size, prod(patch), pairs * places)


def pixels_side_by_side(pixels: int, channels: int, filters: int, lines: tuple[int, int]) -> int:
    """Return how many pixels of a pointwise kernel the rule puts on one unit crossbar."""
    return max(1, min(lines[0] // channels, lines[1] // filters, pixels))


def pointwise(pixels: int, channels: int, filters: int, lines: tuple[int, int]) -> int:
    """Return how many unit crossbars the rule takes for one group of a pointwise kernel."""
    parts = -(-channels // lines[0]) * -(-filters // lines[1])
    return -(-pixels // pixels_side_by_side(pixels, channels, filters, lines)) * parts


def _side(kernel: Kernel, form: Shape, patch: Sequence[int]) -> list[int]:
    """Return the sides of a patch's sub-image, along the axes of the grid and then the other axes.

    A side is (t - 1) * stride + (taps - 1) * dilation + 1, for t places.
    """
    taps = kernel.taps.coordinates()[2][: form.taps]
    moved = [int(np.flatnonzero(step)[0]) if step.any() else 0 for step in form.step]
    reach = taps.max(axis=0) + 1
    still = [int(reach[a]) for a in range(1, len(reach)) if a not in moved]
    along = [
        (size - 1) * int(step[axis]) + int(reach[axis]) if axis else 1
        for size, step, axis in zip(patch, form.step, moved, strict=True)
    ]
    return along + still


def _packed(
    kernel: Kernel, form: Shape, lines: tuple[int, int], sequential: bool, plain: Layout
) -> Layout:
    """Return the layout with the fewest crossbars.

    Among equals, im2col (`plain`) comes first, then fewer lines x outputs, then the smaller patch.
    """
    bias = kernel.bias_lines if kernel.bias is not None else 0
    choices = list(_choices(kernel, form, (lines[0] - bias, lines[1]), sequential))
    best = min(choices, key=lambda c: (c.crossbars, c.rows * c.columns, c.patch), default=plain)
    return best if best.crossbars < plain.crossbars else plain


def _choices(
    kernel: Kernel, form: Shape, fits: tuple[int, int], sequential: bool
) -> Iterator[Layout]:
    """Yield a layout for every patch that fits, with as many channels, filters and groups as fit.

    For one patch this is the fewest crossbars, because their number falls with each of the three.
    No smaller number of channels, filters or groups has to be tried.
    """
    rows, columns = fits
    lines, kind = Rows(kernel, form), layout_kind(kernel, form)
    single = [(1,) * len(form.grid)]
    for patch in single if sequential else _patches(form.grid, columns):
        height, width = max(1, lines.of(patch)), prod(patch)
        if height > rows:
            continue
        channels, filters = min(form.channels, rows // height), min(form.filters, columns // width)
        groups = 1
        if (channels, filters) == (form.channels, form.filters):
            groups = min(form.groups, rows // (height * channels), columns // (width * filters))
        blocks = -(-form.channels // channels) * -(-form.filters // filters)
        places = 1 if sequential else _count(form.grid, patch)
        yield Layout(
            kind, patch, channels, filters, groups,
            height * channels * groups, width * filters * groups,
            places * blocks * -(-form.groups // groups),
        )  # fmt: skip


def _count(grid: Sequence[int], patch: Sequence[int]) -> int:
    """Return how many patches cover a grid."""
    return prod(-(-size // t) for size, t in zip(grid, patch, strict=True))


def _patches(grid: Sequence[int], limit: int) -> Iterator[tuple[int, ...]]:
    """Yield every patch of at most `limit` places."""
    for patch in product(*(range(1, min(size, limit) + 1) for size in grid)):
        if prod(patch) <= limit:
            yield patch
