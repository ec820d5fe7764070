"""The regular shape of a kernel, and how many word lines a patch of its places needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import Kernel
from memxc.ir.windows import Ints, Windows, ints


@dataclass(frozen=True, eq=False)
class Shape:
    """A regular kernel: `groups` blocks of channels x taps rows and `filters` columns.

    taps: of one channel; the product of the taps along each axis of the frame.
    grid: places along each axis, rows before columns.
    step: (axes of the grid, axes of the frame), by how much the next place moves the window. Each
    axis of the grid moves one axis of the frame at most: the stride.

        frame (height x width)          3 x 3 taps, stride 2, place (0, 0) and place (0, 1):

          a a c b b                     step = [[0, 2, 0],     next row of the grid
          a a c b b                             [0, 0, 2]]     next column of the grid
          a a c b b                     c: read by both places
    """

    groups: int
    channels: int
    taps: int
    filters: int
    grid: tuple[int, ...]
    step: Ints


def kernel_shape(kernel: Kernel) -> Shape | None:
    """Return the shape of a kernel, or None if its places or rows do not form a regular grid."""
    step = grid_steps(kernel.taps, kernel.grid)
    regular = step is not None and grid_steps(kernel.sinks, kernel.grid) is not None
    if step is None or not regular or kernel.cell is not None or not kernel.rows:
        return None
    channels, filters = _first_axis(kernel.taps), _first_axis(kernel.sinks)
    if channels is None or filters != kernel.columns:
        return None
    taps = kernel.rows // channels
    offset = kernel.taps.coordinates()[2][:taps, 1:]
    product_of_axes = prod(len(np.unique(along)) for along in offset.T) == taps
    one_axis_each = all((np.count_nonzero(step, axis=axis) <= 1).all() for axis in (0, 1))
    if not product_of_axes or not one_axis_each or step[:, 0].any():
        return None
    return Shape(kernel.groups, channels, taps, kernel.columns, kernel.grid, step)


class Rows:
    """Counts the word lines that a patch needs in one channel.

    A word line is needed if it reaches a net at some place of some patch. The axes of the frame are
    independent of each other, so the count is a product over the axes; counts of an axis are kept.
    """

    def __init__(self, kernel: Kernel, form: Shape) -> None:
        self._windows, self._form = kernel.taps, form
        origin, group, offset = kernel.taps.coordinates()
        self._start = origin[0]
        self._group = group
        self._taps = offset[: form.taps]
        self._still = prod(
            self._along(axis, 0, 1, 1)
            for axis in range(1, kernel.taps.frame.ndim)
            if not form.step[:, axis].any()
        )
        self._known: dict[tuple[int, int], int] = {}

    def of(self, patch: Sequence[int]) -> int:
        """Return the word lines of one channel, for a patch of so many places along each axis."""
        return self._still * prod(self._moved(axis, size) for axis, size in enumerate(patch))

    def _moved(self, grid_axis: int, size: int) -> int:
        axes = np.flatnonzero(self._form.step[grid_axis])
        if not len(axes):
            return 1
        if (grid_axis, size) not in self._known:
            step = int(self._form.step[grid_axis, axes[0]])
            count = -(-self._form.grid[grid_axis] // size)
            self._known[grid_axis, size] = self._along(int(axes[0]), step, size, count)
        return self._known[grid_axis, size]

    def _along(self, axis: int, step: int, size: int, count: int) -> int:
        lines = np.unique(self._taps[:, axis, None] + step * np.arange(size))
        starts = np.unique(
            self._start[axis] + self._group[:, axis, None] + step * size * np.arange(count)
        )
        return int(live(self._windows.frame, axis, lines, starts).sum())


def grid_steps(windows: Windows, grid: tuple[int, ...]) -> Ints | None:
    """Return by how much one step along each axis of the grid moves the windows.

    The result is (axes of the grid, axes of the frame), or None if the origins are not an affine
    function of the place or move backwards.
    """
    origin = windows.coordinates()[0]
    place = np.indices(grid).reshape(len(grid), -1).T
    origins = origin.reshape(*grid, -1)
    step = np.zeros((len(grid), origin.shape[1]), dtype=np.int32)
    for axis, size in enumerate(grid):
        if size > 1:
            step[axis] = np.take(origins, 1, axis=axis).reshape(-1, origin.shape[1])[0] - origin[0]
    regular = (origin == origin[0] + place @ step).all() and (step >= 0).all()
    return ints(step) if regular else None


def _first_axis(windows: Windows) -> int | None:
    """Return how many channels the lines run through, or None if their taps differ."""
    offset = windows.coordinates()[2]
    channels = int(offset[-1, 0]) + 1
    if windows.lines % channels:
        return None
    blocks = offset.reshape(channels, -1, offset.shape[1]).copy()
    blocks[:, :, 0] -= np.arange(channels)[:, None]
    return channels if (blocks == blocks[0]).all() and (blocks[0, :, 0] == 0).all() else None


def live(frame: Ints, axis: int, lines: Ints, starts: Ints) -> NDArray[np.bool_]:
    """Return for each line whether it meets a net along one axis, from any of the starts.

    A line that meets none is at ground at all places: it reads the border, or past the frame.
    """
    others = tuple(a for a in range(frame.ndim) if a != axis)
    nets = np.append((frame >= 0).any(axis=others), False)
    at = np.minimum(lines[:, None] + starts, len(nets) - 1)
    return np.asarray(nets[at].any(axis=1))
