"""Selecting nets of a signal: by views if they are regular, otherwise by a Gather."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from memxc.backends.twin.graph_builder import Shape, Sheet, TwinTensor
from memxc.ir.windows import GROUND

Nets = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Box:
    """Nets without their border of GROUND, and its width at both ends of each axis."""

    nets: Nets
    begin: Shape
    end: Shape


def box(nets: Nets, border: int = GROUND) -> Box:
    """Return the nets inside a border that consists of `border` only."""
    inside = nets != border
    begin, end, cut = [], [], []
    for axis, size in enumerate(nets.shape):
        used = np.flatnonzero(inside.any(axis=tuple(a for a in range(nets.ndim) if a != axis)))
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, size)
        begin.append(low)
        end.append(size - high)
        cut.append(slice(low, high))
    return Box(nets[tuple(cut)], tuple(begin), tuple(end))


def take(sheet: Sheet, signal: TwinTensor, nets: Nets) -> TwinTensor:
    """Return the signal's lanes at `nets` (any shape; GROUND is 0): (N, *nets.shape)."""
    inner = box(nets)
    if (inner.nets >= 0).all():
        seen = view(sheet, sheet.first(signal), inner.nets)
        if seen is not None:
            return sheet.pad(seen, inner.begin, inner.end)
    return _gather(sheet, sheet.first(signal), nets)


def rows(sheet: Sheet, signal: TwinTensor, nets: Nets) -> TwinTensor:
    """Return the signal's lanes at `nets` (any shape; GROUND is 0), samples last."""
    turned = sheet.last(signal)
    index = nets.reshape(-1)
    if np.array_equal(index, np.arange(turned.width)):
        return sheet.reshape(turned, nets.shape)
    name, width = turned.name, turned.width
    if (index < 0).any():
        name = sheet.op("Pad", name, sheet.integers([0, 0, 1, 0]))
        index = np.where(index < 0, width, index)
    name = sheet.op("Gather", name, sheet.integers(index), axis=0)
    return TwinTensor(name, nets.shape, last=True)


def _gather(sheet: Sheet, signal: TwinTensor, nets: Nets) -> TwinTensor:
    planes = _planes(signal, nets)
    if planes is not None:
        name = sheet.op("Gather", signal.name, sheet.integers(planes), axis=1)
        return sheet.reshape(TwinTensor(name, (len(planes), *signal.shape[1:])), nets.shape)
    flat = sheet.reshape(signal, (signal.width,))
    if (nets < 0).any():
        flat = sheet.pad(flat, (0,), (1,))
    index = sheet.integers(np.where(nets < 0, flat.width - 1, nets).reshape(-1))
    name = sheet.op("Gather", flat.name, index, axis=1)
    return sheet.reshape(TwinTensor(name, (nets.size,)), nets.shape)


def _planes(signal: TwinTensor, nets: Nets) -> Nets | None:
    """Return the indices of the signal's planes, if `nets` are whole planes one after the other.

    A plane is one index of the signal's first axis. Returns None for other nets.
    """
    size = prod(signal.shape[1:])
    if size <= 1 or nets.size % size:
        return None
    blocks = nets.reshape(-1, size)
    planes: Nets = blocks[:, 0] // size
    whole = (blocks == (planes * size)[:, None] + np.arange(size)).all() and (blocks >= 0).all()
    return planes if whole else None


def view(sheet: Sheet, signal: TwinTensor, nets: Nets) -> TwinTensor | None:
    """Return the nets by Reshape, Slice and Transpose only, or None if that is not possible.

    These need no index, so they are faster and smaller than a Gather.
    """
    if np.array_equal(nets.reshape(-1), np.arange(signal.width)):
        return sheet.reshape(signal, nets.shape)
    strided = _strided(nets.reshape(-1))
    if strided is None:
        return None
    base, axes = strided
    inner = prod(signal.shape[1:])
    if axes[1:] == [] and axes[0][1] == 1 and base % inner == axes[0][0] % inner == 0:
        # These are whole planes, so the tensor can keep its shape.
        starts, size = (base // inner, *[0] * (len(signal.shape) - 1)), axes[0][0] // inner
        return sheet.reshape(sheet.cut(signal, starts, (size, *signal.shape[1:])), nets.shape)
    parts = _cut(signal.width, base, axes)
    if parts is None:
        return None
    dims, starts, sizes = parts
    cut = sheet.cut(sheet.reshape(signal, dims), starts, sizes)
    strides = [prod(dims[axis + 1 :]) for axis in range(len(dims))]
    moving = [axis for axis in range(len(dims)) if sizes[axis] > 1]
    order = [next(axis for axis in moving if strides[axis] == stride) for _, stride in axes]
    cut = sheet.reshape(cut, tuple(sizes[axis] for axis in moving))
    turned = sheet.transpose(cut, tuple(moving.index(axis) for axis in order))
    return sheet.reshape(turned, nets.shape)


def _strided(index: Nets) -> tuple[int, list[tuple[int, int]]] | None:
    """Return a vector as a base and (count, stride) axes, the last axis fastest, or None.

    index = base + sum over axes of  stride * (0 ... count - 1)
    """
    axes: list[tuple[int, int]] = []
    while len(index) > 1:
        stride = int(index[1]) - int(index[0])
        breaks = np.flatnonzero(np.diff(index) != stride)
        count = int(breaks[0]) + 1 if len(breaks) else len(index)
        if stride <= 0 or len(index) % count:
            return None
        table = index.reshape(-1, count)
        if not (table == table[:, :1] + stride * np.arange(count)).all():
            return None
        axes.insert(0, (count, stride))
        index = table[:, 0]
    return (int(index[0]), axes) if axes else None


def _cut(width: int, base: int, axes: list[tuple[int, int]]) -> tuple[Shape, Shape, Shape] | None:
    """Return (dims, starts, sizes): `width` lanes in dimensions of which each axis is a slice.

    Return None if there are no such dimensions.
    """
    ordered = sorted(axes, key=lambda axis: -axis[1])
    dims, starts, sizes = [], [], []
    outer = width
    for count, stride in ordered:
        if outer % stride or base // stride + count > outer // stride:
            return None
        dims.append(outer // stride)
        starts.append(base // stride)
        sizes.append(count)
        outer, base = stride, base % stride
    if outer > 1:
        dims.append(outer)
        starts.append(base)
        sizes.append(1)
    return tuple(dims), tuple(starts), tuple(sizes)
