"""Kernels that slide over a map in the same way, summed into the weights of convolutions.

Contributions to a lane add up. So parts of rows, blocks of channels, (channel, filter) pairs and
the phases of a transposed convolution are one convolution if their places agree: a box of taps and
a box of lanes around each place. Channels that no weight connects are groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memxc.backends.twin.gather import Box, Nets, box
from memxc.ir.kernel import Kernel
from memxc.ir.windows import DISCARD, GROUND, Windows

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: A merged convolution may have at most so many times the numbers of its blocks.
_WASTE = 4
#: A convolution of fewer numbers than this may waste any share of them.
_SMALL = 1 << 14


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a kernel (taps or sinks), in coordinates of its map without the border.

    at: (groups, lines, axes), the coordinates of the lines at the first place.
    step, count: step and number of places along each axis of space.
    """

    map: Box
    at: Indices
    step: tuple[int, ...]
    count: tuple[int, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """A key that is equal for sides that slide alike over the same map."""
        nets = self.map.nets
        return (nets.shape, nets.tobytes(), self.step, self.count)


_Member = tuple[Kernel, Side, Side]


@dataclass(frozen=True, eq=False)
class Bundle:
    """Groups with equal numbers of channels.

    inputs, outputs: (groups, n), their channels of the maps.
    weight: (groups, filters, *lanes, channels, *taps). bias: (groups, filters, *lanes).
    """

    inputs: Indices
    outputs: Indices
    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class WindowAxis:
    """One axis of space, with `count` places.

    Tap i of place p is at first + stride * p + unit * i in the map of the taps. Lane i of place p
    is at start + move * p + i in the map of the sinks.
    """

    count: int
    first: int
    stride: int
    unit: int
    start: int
    move: int


@dataclass(frozen=True, eq=False)
class Merged:
    """Kernels as convolutions over one map, one convolution for each bundle."""

    taps: Box
    sinks: Nets
    axes: tuple[WindowAxis, ...]
    bundles: tuple[Bundle, ...]


def merged(kernels: Sequence[Kernel]) -> tuple[list[tuple[Merged, list[Kernel]]], list[Kernel]]:
    """Return convolutions, each with the kernels in it, and the kernels that are in none."""
    classes: dict[tuple[object, ...], list[_Member]] = {}
    rest = []
    for kernel in kernels:
        taps, sinks = _side(kernel, kernel.taps, GROUND), _side(kernel, kernel.sinks, DISCARD)
        if taps is None or sinks is None or taps.count != sinks.count:
            rest.append(kernel)
        else:
            classes.setdefault((*taps.key, *sinks.key), []).append((kernel, taps, sinks))
    convolutions = []
    for members in classes.values():
        convolution, kernels_of_it = _merge(members), [kernel for kernel, _, _ in members]
        if convolution is None:
            rest += kernels_of_it
        else:
            convolutions.append((convolution, kernels_of_it))
    return convolutions, rest


def _side(kernel: Kernel, windows: Windows, border: int) -> Side | None:
    """Return a side, or None if its places are not a grid along the axes of space."""
    origin, group, offset = (part.astype(np.intp) for part in windows.coordinates())
    step, count = [0] * origin.shape[1], [1] * origin.shape[1]
    origins = origin.reshape(*kernel.grid, -1)
    for axis, size in enumerate(kernel.grid):
        if size == 1:
            continue
        moved = np.take(origins, 1, axis=axis).reshape(-1, origin.shape[1])[0] - origin[0]
        along = np.flatnonzero(moved)
        # The axes of the grid must move along axes of the map, in order: then a place is a pixel.
        if len(along) != 1 or along[0] == 0 or moved[along[0]] < 0 or any(step[along[0] :]):
            return None
        step[along[0]], count[along[0]] = int(moved[along[0]]), size
    pixels = np.indices(count).reshape(len(count), -1).T
    if not np.array_equal(origin, origin[0] + pixels * step):
        return None
    frame = box(windows.frame, border)
    at = group[:, None] + (offset + origin[0]) - np.array(frame.begin)
    channels = at[..., 0]
    if channels.size and not 0 <= channels.min() <= channels.max() < len(frame.nets):
        return None
    return Side(frame, at, tuple(step[1:]), tuple(count[1:]))


@dataclass(frozen=True, eq=False)
class _Block:
    """Rows and columns of a stack that weights connect, in coordinates of their maps."""

    taps: Indices  # (groups, rows, axes)
    sinks: Indices  # (groups, columns, axes)
    weight: Floats
    bias: NDArray[Any] | None


def _merge(members: Sequence[_Member]) -> Merged | None:
    _, taps, sinks = members[0]
    if not any(kernel.rows for kernel, _, _ in members):
        return None
    blocks = [block for member in members for block in _blocks(*member)]
    first, unit, size = _extent([block.taps for block in blocks])
    start, spread, lanes = _extent([block.sinks for block in blocks])
    if any(step != 1 for step in spread):
        return None
    groups = _groups(blocks, len(taps.map.nets), len(sinks.map.nets))
    numbers = sum(i.size * o.shape[1] for i, o in groups) * prod(size) * prod(lanes)
    if numbers > max(_SMALL, _WASTE * sum(block.weight.size for block in blocks)):
        return None
    bundles = [
        _bundle(blocks, inputs, outputs, (first, unit, size), (start, lanes))
        for inputs, outputs in groups
    ]
    axes = zip(taps.count, first, taps.step, unit, start, sinks.step, strict=True)
    return Merged(
        taps.map, sinks.map.nets, tuple(WindowAxis(*axis) for axis in axes), tuple(bundles)
    )


def _blocks(kernel: Kernel, taps: Side, sinks: Side) -> Iterator[_Block]:
    """Yield the parts of a kernel that no weight connects. A kernel may be block-diagonal."""
    weight, bias = kernel.weight(), kernel.bias
    rows, row = np.unique(taps.at[0, :, 0], return_inverse=True)
    columns, column = np.unique(sinks.at[0, :, 0], return_inverse=True)
    r, c = np.nonzero((weight != 0).any(axis=0))
    label = _components(row[r], column[c], len(rows), len(columns))
    for each in np.unique(label[1]):
        at, to = np.flatnonzero(label[0][row] == each), np.flatnonzero(label[1][column] == each)
        yield _Block(
            taps.at[:, at], sinks.at[:, to], weight[:, at][:, :, to],
            None if bias is None else bias[:, to],
        )  # fmt: skip


def _components(
    a: Indices, b: Indices, count_a: int, count_b: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the labels of nodes a and of nodes b that the edges a[i] - b[i] connect."""
    total = count_a + count_b
    graph = coo_array((np.ones(len(a)), (a, b + count_a)), shape=(total, total))
    label = connected_components(graph, directed=False)[1]
    return label[:count_a], label[count_a:]


def _extent(points: Sequence[Indices]) -> tuple[list[int], list[int], list[int]]:
    """Return the smallest coordinate, the common step and the steps along each axis of space."""
    low, unit, size = [], [], []
    for axis in range(1, points[0].shape[-1]):
        along = np.unique(np.concatenate([part[..., axis].reshape(-1) for part in points]))
        along = along if len(along) else np.zeros(1, dtype=np.intp)
        step = max(1, int(np.gcd.reduce(along - along[0])))
        low.append(int(along[0]))
        unit.append(step)
        size.append(int(along[-1] - along[0]) // step + 1)
    return low, unit, size


def _groups(blocks: Sequence[_Block], inputs: int, outputs: int) -> list[tuple[Indices, Indices]]:
    """Return the channels of both maps that weights connect, (groups, n) for each size."""
    edges = []
    for block in blocks:
        # A filter without weights may be in any group.
        taps = block.taps[..., 0] if block.taps.shape[1] else np.zeros_like(block.sinks[:, :1, 0])
        sinks = block.sinks[..., 0]
        stars = (taps, sinks[:, :1]), (taps[:, :1], sinks)
        edges += [np.stack(np.broadcast_arrays(*star), axis=-1).reshape(-1, 2) for star in stars]
    joined = np.unique(np.concatenate(edges), axis=0)
    a, b = _components(joined[:, 0], joined[:, 1], inputs, outputs)
    by_size: dict[tuple[int, int], list[tuple[Indices, Indices]]] = {}
    for label in dict.fromkeys(b[np.unique(joined[:, 1])].tolist()):
        pair = np.flatnonzero(a == label), np.flatnonzero(b == label)
        by_size.setdefault((len(pair[0]), len(pair[1])), []).append(pair)
    return [(np.stack([i for i, _ in p]), np.stack([o for _, o in p])) for p in by_size.values()]


def _bundle(
    blocks: Sequence[_Block],
    inputs: Indices,
    outputs: Indices,
    taps: tuple[Sequence[int], Sequence[int], Sequence[int]],
    sinks: tuple[Sequence[int], Sequence[int]],
) -> Bundle:
    """Return a bundle of groups. taps: first, unit, size; sinks: start, lanes of each axis."""
    (first, unit, size), (start, lanes) = taps, sinks
    row_shape, column_shape = (inputs.shape[1], *size), (*outputs.shape, *lanes)
    weight = np.zeros((prod(column_shape), prod(row_shape)))
    bias = np.zeros(prod(column_shape))
    channels = 1 + max(int(block.sinks[..., 0].max()) for block in blocks)
    group_of, place_in, place_out = _places(inputs, outputs, channels)
    for block in blocks:
        group = group_of[block.sinks[:, 0, 0]]
        of_bundle = np.flatnonzero(group >= 0)
        t, s = block.taps[of_bundle], block.sinks[of_bundle]
        at = (t[..., 1:] - first) // unit
        row = np.ravel_multi_index((place_in[t[..., 0]], *np.moveaxis(at, -1, 0)), row_shape)
        at = s[..., 1:] - start
        column = np.ravel_multi_index(
            (np.broadcast_to(group[of_bundle, None], s.shape[:2]), place_out[s[..., 0]],
             *np.moveaxis(at, -1, 0)), column_shape,
        )  # fmt: skip
        np.add.at(weight, (column[:, None, :], row[:, :, None]), block.weight[of_bundle])
        if block.bias is not None:
            np.add.at(bias, column, block.bias[of_bundle])
    return Bundle(
        inputs, outputs, weight.reshape(*column_shape, *row_shape), bias.reshape(column_shape)
    )


def _places(inputs: Indices, outputs: Indices, channels: int) -> tuple[Indices, Indices, Indices]:
    """Return the group of each output channel (-1: none), and the channels' places in it."""
    group_of = np.full(channels, -1)
    place_in, place_out = np.zeros(inputs.max() + 1, dtype=np.intp), np.zeros_like(group_of)
    group_of[outputs] = np.arange(len(outputs))[:, None]
    place_out[outputs] = np.arange(outputs.shape[1])
    place_in[inputs] = np.arange(inputs.shape[1])
    return group_of, place_in, place_out
