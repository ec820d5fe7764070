"""Windows: how a kernel finds its nets without a table of places x lines.

    net at line l of place p of group g  =  frame[ origin[p] + group[g] + offset[l] ]

`frame` is the bus seen as (channels, height, width, ...) with its border already in it. The three
index vectors count in the flattened frame. A layer costs O(bus + places + lines) memory.

    frame: 3 x 3 nets with a border         origin[p]: the top left corner of the window at place p
      .  .  .  .  .                         group[g]:  the first net of the channels of group g
      .  0  1  2  .    the 2 x 2 kernel     offset[l]: the distance from the corner to line l
      .  3 [4  5] .    at place 10 of 16
      .  6 [7  8] .    reads 4 5 7 8        "." is GROUND, a net held at 0 V
      .  .  .  .  .
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.ir.bounds import TooLargeError

Ints = NDArray[np.int32]

#: A net held at 0 V: constant padding.
GROUND = -1
#: An output that nobody reads: the part of the last sub-image that is cut off.
DISCARD = -2
_LOW, _HIGH = -(2**31), 2**31 - 1
#: Nets that are processed together.
_CHUNK = 1 << 20


def ints(values: object) -> Ints:
    """Return a read-only int32 array. Raises TooLargeError if a number does not fit in 32 bits."""
    wide = np.asarray(values)
    if wide.dtype.itemsize > 4 and wide.size and not _LOW <= wide.min() <= wide.max() <= _HIGH:
        raise TooLargeError("it counts nets beyond 2**31")
    array = np.asarray(wide, dtype=np.int32, order="C")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Windows:
    """Net numbers by place, group and line.

    frame: net numbers, any rank. origin: (places,). group: (groups,). offset: (lines,).
    """

    frame: Ints
    origin: Ints
    group: Ints
    offset: Ints

    @property
    def places(self) -> int:
        """Number of positions at which the kernel is used."""
        return len(self.origin)

    @property
    def groups(self) -> int:
        """Number of weight blocks in the stack."""
        return len(self.group)

    @property
    def lines(self) -> int:
        """Number of lines that one block has on this side."""
        return len(self.offset)

    def nets(self, groups: slice = slice(None), places: slice = slice(None)) -> Ints:
        """Return net numbers, shape (groups, places, lines)."""
        return np.asarray(self.frame.reshape(-1)[self.index(groups, places)])

    def index(self, groups: slice = slice(None), places: slice = slice(None)) -> Ints:
        """Return the nets' positions in the flattened frame, shape (groups, places, lines)."""
        return np.asarray(self.group[groups, None, None] + self.origin[places, None] + self.offset)

    def pieces(
        self, most: int, columns: int = 0, samples: int = 1
    ) -> Iterator[tuple[slice, slice]]:
        """Yield slices of groups and places, so that no more than `most` numbers are held at once.

        For each sample, a place holds its lines and `columns` results; a group holds lines x
        columns weights. A single place of a single group is never divided.
        """
        lines = self.lines + columns
        places = max(1, min(self.places, most // max(1, samples * lines)))
        each = max(1, samples * places * lines, self.lines * columns)
        groups = max(1, min(self.groups, most // each))
        for group in range(0, self.groups, groups):
            for place in range(0, self.places, places):
                yield slice(group, group + groups), slice(place, place + places)

    def distinct(self) -> tuple[Windows, NDArray[np.intp]]:
        """Return the distinct groups, and the number of each group's distinct one, (groups,)."""
        present = np.zeros(int(self.group.max()) + 1, dtype=bool)
        present[self.group] = True
        starts = np.flatnonzero(present)
        return replace(self, group=ints(starts)), (np.cumsum(present) - 1)[self.group]

    def merged(
        self, values: NDArray[np.float64], join: np.ufunc = np.add
    ) -> tuple[Windows, NDArray[np.float64]]:
        """Return the distinct groups, and the joined values of equal ones (distinct groups, lines).

        join: how values of equal groups are combined, the sum by default.
        """
        once, which = self.distinct()
        if once.groups == self.groups and (which[:-1] < which[1:]).all():
            return once, values
        order = np.argsort(which, kind="stable")
        firsts = np.searchsorted(which[order], np.arange(once.groups))
        return once, join.reduceat(values[order], firsts, axis=0)

    def add(self, lanes: NDArray[np.floating[Any]], values: NDArray[np.float64]) -> None:
        """Add `values` (groups, lines) to `lanes` (width,) in place, at every place of the windows.

        Values for DISCARD are dropped.
        """
        once, sums = self.merged(values)
        spare = np.append(lanes, 0.0)
        for groups, places in once.pieces(_CHUNK):
            nets = once.nets(groups, places)
            at = np.where(nets < 0, len(lanes), nets).astype(np.intp)
            np.add.at(spare, at, np.broadcast_to(sums[groups, None], at.shape))
        lanes[:] = spare[:-1]

    def cut(self, lines: slice) -> Windows:
        """Return the same windows with only some of the lines."""
        return Windows(self.frame, self.origin, self.group, ints(self.offset[lines]))

    def coordinates(self) -> tuple[Ints, Ints, Ints]:
        """Return `origin`, `group` and `offset` as coordinates in the frame, each (n, rank)."""
        shape = self.frame.shape
        parts = [
            np.array(np.unravel_index(v, shape), dtype=np.int32).T
            for v in (self.origin, self.group, self.offset)
        ]
        return parts[0], parts[1], parts[2]

    def verify(self, width: int, lowest: int) -> None:
        """Raise AssertionError if a net is not on the bus, or if a window leaves the frame.

        Every axis is checked by itself, because a sum in the flattened frame could wrap around.
        """
        assert self.frame.dtype == np.int32, "frame is not int32"
        assert self.frame.size > 0, "frame is empty"
        assert lowest <= int(self.frame.min()), "frame holds an unknown sentinel"
        assert int(self.frame.max()) < width, "frame points past the end of its bus"
        for name in ("origin", "group", "offset"):
            vector = getattr(self, name)
            assert vector.ndim == 1, f"{name} is not a vector"
            assert vector.dtype == np.int32, f"{name} is not int32"
            assert len(vector) > 0 or name == "offset", f"{name} is empty"
            assert vector.min(initial=0) >= 0, f"{name} points before the frame"
            assert vector.max(initial=0) < self.frame.size, f"{name} points past the frame"
        if not self.lines:
            return
        reach = np.sum([part.max(axis=0) for part in self.coordinates()], axis=0)
        assert (reach < np.array(self.frame.shape)).all(), (
            f"windows reach {reach.tolist()} in a frame of {list(self.frame.shape)}"
        )


def identity_windows(width: int) -> Windows:
    """Return windows with one place and one group that read every lane of a bus in order."""
    lanes = ints(np.arange(width))
    return Windows(lanes, ints([0]), ints([0]), lanes)


def lanewise(nets: object) -> Windows:
    """Return windows with one line a place: `nets` (places,) has the net that each lane reads."""
    frame = ints(nets)
    return Windows(frame, ints(np.arange(frame.size)), ints([0]), ints([0]))
