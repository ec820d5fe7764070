"""Lanes in another layout, or repeated: DepthToSpace, SpaceToDepth, Expand, Tile, CenterCropPad."""

from __future__ import annotations

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.windows import ints
from memxc.ops._call import Call, Parts, axes_of
from memxc.ops._nets import rename, widened
from memxc.ops._registry import operator
from memxc.ops._windows import bordered

_MODES = ("DCR", "CRD")


@operator("DepthToSpace", attrs={"blocksize": 0, "mode": "DCR"})
def depth_to_space(call: Call) -> Parts:
    """Return channels as blocks of pixels."""
    block, mode = _block(call)
    batch, channels, height, width = call.shape_of(0)
    if channels % block**2:
        raise call.refuse(f"{channels} channels are no blocks of {block} x {block}")
    inner = channels // block**2
    nets = call.nets(0)
    if mode == "DCR":
        nets = nets.reshape(batch, block, block, inner, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        nets = nets.reshape(batch, inner, block, block, height, width).transpose(0, 1, 4, 2, 5, 3)
    return [rename(call, nets)]


@operator("SpaceToDepth", attrs={"blocksize": 0, "mode": "DCR"})
def space_to_depth(call: Call) -> Parts:
    """Return blocks of pixels as channels."""
    block, mode = _block(call)
    batch, channels, height, width = call.shape_of(0)
    if height % block or width % block:
        raise call.refuse(f"{height} x {width} pixels are no blocks of {block} x {block}")
    nets = call.nets(0).reshape(batch, channels, height // block, block, width // block, block)
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return [rename(call, nets.transpose(order))]


@operator("Expand", since=8)
def expand(call: Call) -> Parts:
    """Return the lanes repeated along axes of size one."""
    # The output has the shape of both together, for the second may be the smaller one.
    call.numbers(call.constant(1, "shape"), "shape")
    return [rename(call, widened(call, call.nets(0)))]


@operator("Tile")
def tile(call: Call) -> Parts:
    """Return the lanes repeated along each axis."""
    nets = call.nets(0)
    repeats = call.numbers(call.constant(1, "repeats"), "repeats", nets.ndim)
    if min(repeats, default=0) < 0:
        raise call.refuse(f"repeats = {repeats} are not all 0 or more")
    reckon(*(n * times for n, times in zip(nets.shape, repeats, strict=True)))
    return [rename(call, ints(np.tile(nets, repeats)))]


@operator("CenterCropPad", since=18, attrs={"axes": None})
def center_crop_pad(call: Call) -> Parts:
    """Return the middle of a tensor, cut or with a border of ground."""
    nets, sizes = call.nets(0), call.numbers(call.constant(1, "shape"), "shape")
    given = call.attrs["axes"]
    axes = axes_of(call, "axes", range(nets.ndim) if given is None else given)
    if len(sizes) != len(axes):
        raise call.refuse(f"{len(sizes)} sizes for {len(axes)} axes", code="unsupported-shape")
    for axis, size in zip(axes, sizes, strict=True):
        less, more = max(0, nets.shape[axis] - size), max(0, size - nets.shape[axis])
        nets = ints(np.take(nets, np.arange(min(size, nets.shape[axis])) + less // 2, axis=axis))
        widths = [(0, 0)] * nets.ndim
        widths[axis] = (more // 2, more - more // 2)
        nets = bordered(nets, widths)
    return [rename(call, nets)]


def _block(call: Call) -> tuple[int, str]:
    block, mode = call.attrs["blocksize"], call.attrs["mode"]
    if mode not in _MODES or block < 1 or len(call.shape_of(0)) != 4:
        raise call.refuse(f"blocksize = {block}, mode = {mode!r} on {call.shape_of(0)}")
    return block, mode
