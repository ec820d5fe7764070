"""Windows from the layout of tensors.

Either a window slides over a map, or each axis of a tensor is lines, blocks or places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from memxc.ir.bounds import reckon
from memxc.ir.windows import GROUND, Ints, Windows, ints
from memxc.ops._call import Call, Shape

Axes = tuple[int, ...]


def lattice(shape: Shape, *coordinates: Sequence[int] | Ints) -> Ints:
    """Return flattened indices in a frame of `shape`, row-major over coordinates of each axis."""
    reckon(*map(len, coordinates))
    index = np.zeros((1,) * len(shape), dtype=np.int64)
    for axis, along in enumerate(coordinates):
        step = prod(shape[axis + 1 :])
        index = index + step * np.expand_dims(
            np.asarray(along, dtype=np.int64), [a for a in range(len(shape)) if a != axis]
        )
    return ints(index.reshape(-1))


def spread(nets: Ints, rows: Axes, groups: Axes, places: Axes) -> Windows:
    """Return windows over a tensor of nets. Each axis is lines, blocks or places of a kernel.

    Within each of these, the order is that of the given axes. The frame has the axes of the rows
    first.
    """
    order = rows + groups + places
    assert sorted(order) == list(range(nets.ndim)), "every axis has one role"
    frame = ints(nets.transpose(order)) if nets.ndim else ints(nets.reshape(1))

    def index(role: Axes) -> Ints:
        along = zip(order, frame.shape, strict=False)  # a scalar has no axes, its frame has one
        return lattice(frame.shape, *[range(n) if axis in role else [0] for axis, n in along])

    return Windows(frame, index(places), index(groups), index(rows))


def grid(*shape: int) -> Shape:
    """Return the layout of places, without axes of only one place."""
    return tuple(size for size in shape if size > 1) or (1,)


@dataclass(frozen=True)
class Sliding:
    """A window that slides over a map. All fields have one number for each axis of space.

    begin and end are the pads before and behind the map.
    """

    size: Shape
    kernel: Shape
    stride: Shape
    dilation: Shape
    begin: Shape
    end: Shape
    out: Shape

    @property
    def taps(self) -> int:
        """Taps of one window in one channel."""
        return prod(self.kernel)

    def reach(self, axis: int) -> int:
        """Return one more than the last coordinate that a window reads along an axis."""
        last = (self.out[axis] - 1) * self.stride[axis] - self.begin[axis]
        return last + (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def starts(self, axis: int) -> Ints:
        """Return the first coordinate of each window along an axis, negative in the border."""
        return ints(np.arange(self.out[axis]) * self.stride[axis] - self.begin[axis])

    def coordinates(self, axis: int) -> Ints:
        """Return the coordinates of the taps along an axis, (windows, taps)."""
        reckon(self.out[axis], self.kernel[axis])
        steps = np.arange(self.kernel[axis]) * self.dilation[axis]
        return ints(self.starts(axis)[:, None] + steps)

    def offsets(self, axis: int) -> Ints:
        """Return the coordinates of the taps inside a window."""
        reckon(self.kernel[axis])
        return ints(np.arange(self.kernel[axis]) * self.dilation[axis])

    def bordered(self, nets: Ints) -> Ints:
        """Return a map (..., *space) with a border of GROUND, as far as any window reads."""
        widths = [
            (before, max(0, self.reach(axis) - self.size[axis], self.end[axis]))
            for axis, before in enumerate(self.begin)
        ]
        return bordered(nets, [(0, 0)] * (nets.ndim - len(self.size)) + widths)


def bordered(nets: Ints, widths: Sequence[tuple[int, int]], net: int = GROUND) -> Ints:
    """Return a tensor of nets with one net all around it. widths: before and behind each axis."""
    reckon(*(n + before + after for n, (before, after) in zip(nets.shape, widths, strict=True)))
    return ints(np.pad(nets, widths, constant_values=net))


def filled(shape: Shape, weight: float) -> NDArray[np.float64]:
    """Return weights that are all equal."""
    reckon(*shape)
    return np.full(shape, weight)


def inside(at: Ints, size: int, step: int) -> Ints:
    """Return for each coordinate of a bordered axis the one in [0, size) that replaces it.

    A window whose taps are `step` apart, and one of them inside, then reads none but its own taps.
    """
    at = ints(np.where(at < 0, at % step, at))
    at = ints(np.where(at >= size, size - 1 - (size - 1 - at) % step, at))
    # A coordinate that no window reads may still be outside, and any place will do for it.
    return ints(np.clip(at, 0, size - 1))


def channels_first(nets: Ints) -> Ints:
    """Return a map (batch, channels, *space) with channels first; a batch of one is left out."""
    if len(nets) == 1:
        return ints(nets[0])
    return ints(np.moveaxis(nets, 1, 0))


def map_taps(
    nets: Ints, slide: Sliding, groups: int, places: Sequence[Ints] | None = None
) -> Windows:
    """Return lines (channel of the group, tap) of a map (batch, channels, *space), at its windows.

    places: which windows along each axis of space, or None for all.
    """
    return frame_taps(slide.bordered(channels_first(nets)), slide, groups, places)


def frame_taps(
    frame: Ints, slide: Sliding, groups: int, places: Sequence[Ints] | None = None
) -> Windows:
    """Return the same lines of a map that already has its border, and its channels first."""
    space = range(len(slide.size))
    batch = [range(n) for n in frame.shape[1 : frame.ndim - len(slide.size)]]
    still = [[0]] * (frame.ndim - 1)
    per_group = len(frame) // groups
    firsts = [
        (slide.starts(axis) + slide.begin[axis])[slice(None) if places is None else places[axis]]
        for axis in space
    ]
    taps = [slide.offsets(axis) for axis in space]
    return Windows(
        frame,
        lattice(frame.shape, [0], *batch, *firsts),
        lattice(frame.shape, range(0, len(frame), per_group), *still),
        lattice(frame.shape, range(per_group), *[[0]] * len(batch), *taps),
    )


def map_sinks(nets: Ints, groups: int, places: Sequence[Ints] | None = None) -> Windows:
    """Return lines (channel of the group) of a map (batch, channels, *space), one place a pixel."""
    frame = channels_first(nets)
    batch = [range(frame.shape[1])] if len(nets) > 1 else []
    still = [[0]] * (frame.ndim - 1)
    per_group = len(frame) // groups
    pixels = [range(n) for n in nets.shape[2:]] if places is None else places
    return Windows(
        frame,
        lattice(frame.shape, [0], *batch, *pixels),
        lattice(frame.shape, range(0, len(frame), per_group), *still),
        lattice(frame.shape, range(per_group), *still),
    )


def sliding(call: Call, kernel: Shape) -> Sliding:
    """Return the sliding window of a Conv or a pool over its first input.

    Raises MemxcError if an attribute makes no sense, or if the output has another shape.
    """
    size, rank = call.shape_of(0)[2:], len(kernel)
    if not rank or len(size) != rank or min(kernel) < 1:
        raise call.refuse(
            f"a kernel of {kernel} does not fit an input of shape {call.shape_of(0)}",
            code="unsupported-shape",
        )
    stride, dilation = call.sizes("strides", rank), call.sizes("dilations", rank)
    begin, end, out = _borders(call, size, kernel, stride, dilation)
    if call.shape[2:] != out:
        raise call.refuse(
            f"its output should have the space {out}, the model says {call.shape[2:]}",
            # Before opset 22, onnx counts a last window that starts behind the map
            "export it without ceil_mode" if call.attrs.get("ceil_mode") else "",
            "unsupported-shape",
        )
    slide = Sliding(size, kernel, stride, dilation, begin, end, out)
    for axis, pixels in enumerate(size):
        reckon(begin[axis] + max(slide.reach(axis), pixels + end[axis]))
    return slide


def _borders(
    call: Call, size: Shape, kernel: Shape, stride: Shape, dilation: Shape
) -> tuple[Shape, Shape, Shape]:
    """Return the pads before and behind each axis, and the number of windows."""
    rank = len(size)
    mode = call.attrs["auto_pad"]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        out = tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
        total = [
            max((o - 1) * s + e - n, 0)
            for o, s, e, n in zip(out, stride, extent, size, strict=True)
        ]
        smaller, larger = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        return (smaller, larger, out) if mode == "SAME_UPPER" else (larger, smaller, out)
    if mode not in ("NOTSET", "VALID"):
        raise call.refuse(
            f"auto_pad = {mode!r} is not one of NOTSET, VALID, SAME_UPPER, SAME_LOWER"
        )
    pads = call.sizes("pads", 2 * rank, default=0, least=0)
    begin, end = (pads[:rank], pads[rank:]) if mode == "NOTSET" else ((0,) * rank, (0,) * rank)
    up = bool(call.attrs.get("ceil_mode"))
    out = tuple(
        _count(n, b, e, x, s, up)
        for n, b, e, x, s in zip(size, begin, end, extent, stride, strict=True)
    )
    return begin, end, out


def _count(size: int, begin: int, end: int, extent: int, stride: int, up: bool) -> int:
    room = size + begin + end - extent
    count = (-(-room // stride) if up else room // stride) + 1
    # A last window that would start in the border behind the map does not count.
    return count - 1 if up and (count - 1) * stride >= size + begin else count
