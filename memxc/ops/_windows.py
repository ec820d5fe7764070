"""Windows from the layout of tensors: sliding windows; axes that are lines, blocks or places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from memxc.ir.windows import GROUND, Ints, Windows, ints
from memxc.ops._registry import Call, Shape

Axes = tuple[int, ...]


def lattice(shape: Shape, *coordinates: Sequence[int] | Ints) -> Ints:
    """Flattened indices in a frame of `shape`, row-major over one list of coordinates an axis."""
    index = np.zeros((1,) * len(shape), dtype=np.int64)
    for axis, along in enumerate(coordinates):
        step = prod(shape[axis + 1 :])
        index = index + step * np.expand_dims(
            np.asarray(along, dtype=np.int64), [a for a in range(len(shape)) if a != axis]
        )
    return ints(index.reshape(-1))


def spread(nets: Ints, rows: Axes, groups: Axes, places: Axes) -> Windows:
    """Windows over a tensor of nets, each axis of which is lines, blocks or places of a kernel.

    Within a role the order is that of the axes given; the frame has the rows' axes first.
    """
    order = rows + groups + places
    assert sorted(order) == list(range(nets.ndim)), "every axis has one role"
    frame = ints(nets.transpose(order)) if nets.ndim else ints(nets.reshape(1))

    def index(role: Axes) -> Ints:
        along = zip(order, frame.shape, strict=False)  # a scalar has no axes, its frame has one
        return lattice(frame.shape, *[range(n) if axis in role else [0] for axis, n in along])

    return Windows(frame, index(places), index(groups), index(rows))


def grid(*shape: int) -> Shape:
    """The layout of places without the axes along which there is only one."""
    return tuple(size for size in shape if size > 1) or (1,)


@dataclass(frozen=True)
class Sliding:
    """A window sliding over a map: everything per axis of space. `begin` and `end` are pads."""

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

    def starts(self, axis: int) -> Ints:
        """The first coordinate of each window along an axis; negative inside the border."""
        return ints(np.arange(self.out[axis]) * self.stride[axis] - self.begin[axis])

    def coordinates(self, axis: int) -> Ints:
        """The coordinate of each tap (windows, taps) along an axis."""
        steps = np.arange(self.kernel[axis]) * self.dilation[axis]
        return ints(self.starts(axis)[:, None] + steps)

    def offsets(self, axis: int) -> Ints:
        """Where the taps are inside a window."""
        return ints(np.arange(self.kernel[axis]) * self.dilation[axis])

    def bordered(self, nets: Ints) -> Ints:
        """A map (..., *space) with GROUND around it, as far as any window reaches."""
        space = range(len(self.size))
        reach = [int(self.coordinates(axis).max()) + 1 for axis in space]
        widths = [
            (self.begin[axis], max(0, reach[axis] - self.size[axis], self.end[axis]))
            for axis in space
        ]
        return ints(
            np.pad(nets, [(0, 0)] * (nets.ndim - len(self.size)) + widths, constant_values=GROUND)
        )


def inside(at: Ints, size: int, step: int) -> Ints:
    """For coordinates of a bordered axis those inside [0, size) that stand for them.

    A window that steps by `step` and has a tap inside reads no others than its own taps.
    """
    at = ints(np.where(at < 0, at % step, at))
    at = ints(np.where(at >= size, size - 1 - (size - 1 - at) % step, at))
    # A coordinate that no window reads may still be outside.
    return ints(np.clip(at, 0, size - 1))


def channels_first(nets: Ints) -> Ints:
    """A map (batch, channels, *space) with its channels in front, a batch of one left out."""
    if len(nets) == 1:
        return ints(nets[0])
    return ints(np.moveaxis(nets, 1, 0))


def map_taps(
    nets: Ints, slide: Sliding, groups: int, places: Sequence[Ints] | None = None
) -> Windows:
    """Lines (channel of the group, tap) of a map (batch, channels, *space) at the windows.

    places: which windows along each axis of space, all of them where it is None.
    """
    frame = slide.bordered(channels_first(nets))
    space = range(len(slide.size))
    batch = [range(frame.shape[1])] if len(nets) > 1 else []
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
    """Lines (channel of the group) of a map (batch, channels, *space), one place a pixel."""
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
    """The sliding window of a Conv or pool node over its first input, checked.

    Raises MemxcError where an attribute makes no sense or the output has another shape.
    """
    size, rank = call.shape_of(0)[2:], len(kernel)
    if not rank or len(size) != rank or min(kernel) < 1:
        raise call.refuse(
            f"a kernel of {kernel} does not fit an input of shape {call.shape_of(0)}",
            code="unsupported-shape",
        )
    stride = _per_axis(call, "strides", rank)
    dilation = _per_axis(call, "dilations", rank)
    begin, end, out = _borders(call, size, kernel, stride, dilation)
    if call.shape[2:] != out:
        raise call.refuse(
            f"its output should have the space {out}, the model says {call.shape[2:]}",
            # onnx before opset 22 counts a last window that starts behind the map, runtimes do not
            "export it without ceil_mode" if call.attrs.get("ceil_mode") else "",
            "unsupported-shape",
        )
    return Sliding(size, kernel, stride, dilation, begin, end, out)


def _per_axis(call: Call, attribute: str, rank: int) -> Shape:
    value = call.attrs[attribute]
    value = (1,) * rank if value is None else tuple(value)
    if len(value) != rank or min(value) < 1:
        raise call.refuse(f"{attribute} = {value} has to be {rank} positive numbers")
    return value


def _borders(
    call: Call, size: Shape, kernel: Shape, stride: Shape, dilation: Shape
) -> tuple[Shape, Shape, Shape]:
    rank = len(size)
    mode = call.attrs["auto_pad"]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        out = tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
        total = [
            max((o - 1) * s + e - n, 0)
            for o, s, e, n in zip(out, stride, extent, size, strict=True)
        ]
        less, more = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        return (less, more, out) if mode == "SAME_UPPER" else (more, less, out)
    if mode not in ("NOTSET", "VALID"):
        raise call.refuse(
            f"auto_pad = {mode!r} is not one of NOTSET, VALID, SAME_UPPER, SAME_LOWER"
        )
    pads = call.attrs["pads"] if mode == "NOTSET" else None
    pads = (0,) * (2 * rank) if pads is None else tuple(pads)
    if len(pads) != 2 * rank or min(pads) < 0:
        raise call.refuse(f"pads = {pads} has to be {2 * rank} numbers that are not negative")
    begin, end = pads[:rank], pads[rank:]
    up = bool(call.attrs.get("ceil_mode"))
    out = tuple(
        _count(n, b, e, x, s, up)
        for n, b, e, x, s in zip(size, begin, end, extent, stride, strict=True)
    )
    return begin, end, out


def _count(size: int, begin: int, end: int, extent: int, stride: int, up: bool) -> int:
    room = size + begin + end - extent
    count = (-(-room // stride) if up else room // stride) + 1
    # A last window that would start in the border behind the map is left out.
    return count - 1 if up and (count - 1) * stride >= size + begin else count
