"""Windows: how a kernel knows its nets without a table of places x lines.

    net at line l of place p of group g  =  frame[ origin[p] + group[g] + offset[l] ]

`frame` is the bus seen as (channels, height, width, ...) with its border already in it. A layer
costs O(bus + places + lines). The three index vectors count in the flattened frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.ir.bounds import TooLargeError

Ints = NDArray[np.int32]

#: A net held at 0 V: constant padding.
GROUND = -1
#: An output that is not wanted: the clipped part of the last patch.
DISCARD = -2
_LOW, _HIGH = -(2**31), 2**31 - 1
#: Nets looked at together.
_CHUNK = 1 << 20


def ints(values: object) -> Ints:
    """A read-only int32 array. Raises TooLargeError where a number has no place in 32 bits."""
    wide = np.asarray(values)
    if wide.dtype.itemsize > 4 and wide.size and not _LOW <= wide.min() <= wide.max() <= _HIGH:
        raise TooLargeError("it counts nets beyond 2**31")
    array = np.asarray(wide, dtype=np.int32, order="C")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Windows:
    """`frame`: net ids, any rank. `origin` (places,), `group` (groups,), `offset` (lines,)."""

    frame: Ints
    origin: Ints
    group: Ints
    offset: Ints

    @property
    def places(self) -> int:
        """How many positions the kernel is used at."""
        return len(self.origin)

    @property
    def groups(self) -> int:
        """How many weight blocks the stack has."""
        return len(self.group)

    @property
    def lines(self) -> int:
        """How many lines one block has on this side."""
        return len(self.offset)

    def nets(self, groups: slice = slice(None), places: slice = slice(None)) -> Ints:
        """Net ids, shape (groups, places, lines)."""
        return np.asarray(self.frame.reshape(-1)[self.index(groups, places)])

    def index(self, groups: slice = slice(None), places: slice = slice(None)) -> Ints:
        """Where they stand in the flattened frame, shape (groups, places, lines)."""
        return np.asarray(self.group[groups, None, None] + self.origin[places, None] + self.offset)

    def pieces(
        self, most: int, columns: int = 0, samples: int = 1
    ) -> Iterator[tuple[slice, slice]]:
        """Slices of groups and places, so that no more than `most` numbers are held at once.

        For each sample a place holds its lines and `columns` results, a group lines x columns
        weights; a single place of a single group is never divided.
        """
        lines = self.lines + columns
        places = max(1, min(self.places, most // max(1, samples * lines)))
        each = max(1, samples * places * lines, self.lines * columns)
        groups = max(1, min(self.groups, most // each))
        for group in range(0, self.groups, groups):
            for place in range(0, self.places, places):
                yield slice(group, group + groups), slice(place, place + places)

    def distinct(self) -> tuple[Windows, NDArray[np.intp]]:
        """Groups that see the same nets once each, and which of these each group is, (groups,)."""
        there = np.zeros(int(self.group.max()) + 1, dtype=bool)
        there[self.group] = True
        found = np.flatnonzero(there)
        return replace(self, group=ints(found)), (np.cumsum(there) - 1)[self.group]

    def merged(
        self, values: NDArray[np.float64], join: np.ufunc = np.add
    ) -> tuple[Windows, NDArray[np.float64]]:
        """The distinct groups, and their values (distinct groups, lines): sums, or as `join`."""
        once, which = self.distinct()
        if once.groups == self.groups and (which[:-1] < which[1:]).all():
            return once, values
        order = np.argsort(which, kind="stable")
        firsts = np.searchsorted(which[order], np.arange(once.groups))
        return once, join.reduceat(values[order], firsts, axis=0)

    def add(self, lanes: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add `values` (groups, lines) to `lanes` (width,) at every place, discarded ones not."""
        once, sums = self.merged(values)
        spare = np.append(lanes, 0.0)
        for groups, places in once.pieces(_CHUNK):
            nets = once.nets(groups, places)
            at = np.where(nets < 0, len(lanes), nets).astype(np.intp)
            np.add.at(spare, at, np.broadcast_to(sums[groups, None], at.shape))
        lanes[:] = spare[:-1]

    def cut(self, lines: slice) -> Windows:
        """The same windows over some of the lines."""
        return Windows(self.frame, self.origin, self.group, ints(self.offset[lines]))

    def coordinates(self) -> tuple[Ints, Ints, Ints]:
        """`origin`, `group` and `offset` per axis of the frame: shapes (n, rank)."""
        shape = self.frame.shape
        parts = [
            np.array(np.unravel_index(v, shape), dtype=np.int32).T
            for v in (self.origin, self.group, self.offset)
        ]
        return parts[0], parts[1], parts[2]

    def verify(self, width: int, lowest: int) -> None:
        """Check net ids against the bus and every index per axis (a flat sum could wrap)."""
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
    """One place, one group, every lane of a bus in order."""
    lanes = ints(np.arange(width))
    return Windows(lanes, ints([0]), ints([0]), lanes)


def lanewise(nets: object) -> Windows:
    """One line a place: `nets` (places,) gives the net each lane reads."""
    frame = ints(nets)
    return Windows(frame, ints(np.arange(frame.size)), ints([0]), ints([0]))
