"""How a kernel lies on unit crossbars: what one crossbar holds, and how many of them there are.

`paper` is the counting rule of Oh, An, Min, Micromachines 14(2):309 (2023), as docs/papers.md
derives it; `packed` the layout with the fewest placed unit crossbars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Literal, get_args

import numpy as np

from memxc.errors import fail
from memxc.ir.kernel import Kernel
from memxc.mapping import subimage
from memxc.mapping.shape import Rows, Shape, shape

Policy = Literal["packed", "paper", "paper-rectangular", "none"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True)
class Layout:
    """One unit crossbar holds `patch` places, and blocks of channels, filters and groups.

    kind: "3D" (channels x taps), "2D" (depthwise), "1D" (pointwise), "dense" (one place) or
    "irregular" (no patches).
    patch: places along each axis of the grid; () for im2col, cut where it is too long.
    rows, columns: inputs and signed outputs that one crossbar holds.
    crossbars: unit crossbars placed; a bias line that no longer fits is not counted by `paper`.
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
    kernel: Kernel, policy: str, lines: tuple[int, int], sequential: bool = False
) -> Layout:
    """The layout of a kernel; lines: inputs (with bias) and signed outputs of a unit crossbar.

    Raises MemxcError (usage) for a policy that does not exist.
    """
    if policy not in POLICIES:
        raise fail("usage", f"--partition {policy}", "no such policy", f"one of {POLICIES}")
    flat = _flat(kernel)
    form = shape(flat)
    if form is None:
        return _im2col(flat, None, lines, sequential)
    if policy.startswith("paper") and not sequential:
        return _paper(flat, form, lines, square=policy == "paper")
    plain = _im2col(flat, form, lines, sequential)
    return _packed(flat, form, lines, sequential, plain) if policy == "packed" else plain


def lay_out(kernel: Kernel, layout: Layout) -> list[Kernel]:
    """The kernels that a layout makes of one."""
    if not layout.patch:
        return [kernel]
    flat = _flat(kernel)
    form = shape(flat)
    assert form is not None, "only regular kernels have patches"
    blocks = subimage.split(flat, form, layout.channels, layout.filters)
    if layout.groups > 1:
        blocks = [part for block in blocks for part in subimage.join_groups(block, layout.groups)]
    return [subimage.merge(part, layout.patch) for part in blocks]


def layout_kind(kernel: Kernel, form: Shape | None) -> str:
    """3D, 2D, 1D, dense or irregular."""
    if form is None:
        return "irregular"
    if kernel.places == 1 and form.taps == 1:
        return "dense"
    if form.taps == 1:
        return "1D"
    depthwise = form.channels == 1 and (form.groups > 1 or form.filters == 1)
    return "2D" if depthwise else "3D"


def _flat(kernel: Kernel) -> Kernel:
    """Pointwise kernels with their pixels in one row: a patch may cross rows of the image."""
    form = shape(kernel)
    one_tap = form is not None and form.taps == 1 and kernel.places > 1
    return subimage.flatten_places(kernel) if one_tap else kernel


def _im2col(kernel: Kernel, form: Shape | None, lines: tuple[int, int], sequential: bool) -> Layout:
    """One place a crossbar, cut to size; the bias lines in the last row part or on their own."""
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
    """The rule: the largest patch, one (channel, filter) pair; pointwise pixels side by side."""
    rows, columns = lines
    if form.taps == 1:
        pixels = beside(form.grid[0], form.channels, form.filters, lines)
        return Layout(
            layout_kind(kernel, form), (pixels,), form.channels, form.filters, 1,
            min(rows, pixels * form.channels), min(columns, pixels * form.filters),
            form.groups * pointwise(form.grid[0], form.channels, form.filters, lines),
        )  # fmt: skip
    squares = ((side,) * len(form.grid) for side in range(1, min(form.grid) + 1))
    patches = squares if square else _patches(form.grid, columns)
    # A square is as large as fits; of rectangles the fewest, of these the largest.
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


def beside(pixels: int, channels: int, filters: int, lines: tuple[int, int]) -> int:
    """Pixels of a pointwise kernel that one unit crossbar holds side by side, by the rule."""
    return max(1, min(lines[0] // channels, lines[1] // filters, pixels))


def pointwise(pixels: int, channels: int, filters: int, lines: tuple[int, int]) -> int:
    """Unit crossbars of a pointwise kernel by the rule."""
    parts = -(-channels // lines[0]) * -(-filters // lines[1])
    return -(-pixels // beside(pixels, channels, filters, lines)) * parts


def _side(kernel: Kernel, form: Shape, patch: Sequence[int]) -> list[int]:
    """The side of a patch's sub-image along each axis of the grid, (t - 1) stride + taps."""
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
    """The fewest crossbars; of equal ones im2col, then that of the fewest places, in order."""
    bias = kernel.bias_lines if kernel.bias is not None else 0
    found = list(_choices(kernel, form, (lines[0] - bias, lines[1]), sequential))
    best = min(found, key=lambda c: (c.crossbars, c.rows * c.columns, c.patch), default=plain)
    return best if best.crossbars < plain.crossbars else plain


def _choices(
    kernel: Kernel, form: Shape, fits: tuple[int, int], sequential: bool
) -> Iterator[Layout]:
    """Every patch that fits, with as many channels, filters and groups as fit beside it.

    Of one patch that is the fewest crossbars, for their number falls with each of the three.
    """
    rows, columns = fits
    lines, which = Rows(kernel, form), layout_kind(kernel, form)
    one = [(1,) * len(form.grid)]
    for patch in one if sequential else _patches(form.grid, columns):
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
            which, patch, channels, filters, groups,
            height * channels * groups, width * filters * groups,
            places * blocks * -(-form.groups // groups),
        )  # fmt: skip


def _count(grid: Sequence[int], patch: Sequence[int]) -> int:
    """How many patches cover a grid."""
    return prod(-(-size // t) for size, t in zip(grid, patch, strict=True))


def _patches(grid: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """Every patch of at most so many places."""
    for patch in product(*(range(1, min(size, most) + 1) for size in grid)):
        if prod(patch) <= most:
            yield patch
