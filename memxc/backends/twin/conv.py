"""Merged kernels as Conv or Gemm nodes.

A Conv has the lanes of a patch as channels, so its result is rearranged into the map that the
kernels drive.
"""

from __future__ import annotations

from math import prod

import numpy as np

from memxc.backends.twin import gather
from memxc.backends.twin.gather import Nets
from memxc.backends.twin.graph_builder import Sheet, TwinTensor
from memxc.backends.twin.merge import Bundle, Merged, WindowAxis

#: Runtimes convolve over at most so many axes of space.
_MOST_AXES = 3


def worth(merged: Merged) -> bool:
    """Return whether a convolution can compute it, and is better than products of gathered taps."""
    groups = max(len(bundle.inputs) for bundle in merged.bundles)
    # With a single place a convolution is a product of a matrix and a vector for each sample.
    one_place = prod(axis.count for axis in merged.axes) == 1
    return len(merged.axes) <= _MOST_AXES and not (one_place and groups > 1)


def draw(sheet: Sheet, merged: Merged, source: TwinTensor) -> tuple[TwinTensor, Nets]:
    """Return what merged kernels add, samples first, and the lane of each of its numbers."""
    source = sheet.first(source)
    parts = [_layer(sheet, merged, bundle, source) for bundle in merged.bundles]
    y = parts[0]
    if len(parts) > 1:
        name = sheet.op("Concat", *(part.name for part in parts), axis=1)
        y = TwinTensor(name, (sum(part.shape[0] for part in parts), *y.shape[1:]))
    return _laid_out(sheet, merged, y)


def _layer(sheet: Sheet, merged: Merged, bundle: Bundle, source: TwinTensor) -> TwinTensor:
    """Return the result of one bundle: (filters and lanes of a place, *places)."""
    count = tuple(axis.count for axis in merged.axes)
    taps = bundle.weight.shape[bundle.weight.ndim - len(count) :]
    weight = bundle.weight.reshape(-1, bundle.inputs.shape[1], *taps)
    bias = [sheet.floats(bundle.bias.reshape(-1))] if bundle.bias.any() else []
    if prod(count) == 1 and _inside(merged, taps):
        x = gather.take(sheet, source, _window_of_one(merged, bundle, taps).reshape(-1))
        rest = [sheet.floats(weight.reshape(len(weight), -1).T), *bias]
        name = sheet.op("Gemm", x.name, *rest)
        return sheet.reshape(TwinTensor(name, (len(weight),)), (len(weight), *count))
    if _pointwise(merged, taps, source):
        x = _channels(sheet, source, bundle)
        ones = [1] * (len(source.shape) - 1)
        weight = weight.reshape(*weight.shape[:2], *ones)
        rest = [sheet.floats(weight), *bias]
        name = sheet.op("Conv", x.name, *rest, kernel_shape=ones, group=len(bundle.inputs))
        return sheet.reshape(
            TwinTensor(name, (len(weight), *source.shape[1:])), (len(weight), *count)
        )
    cuts = [
        _window(axis, size, extent)
        for axis, size, extent in zip(merged.axes, taps, merged.taps.nets.shape[1:], strict=True)
    ]
    nets = merged.taps.nets[:, *(cut for cut, _, _ in cuts)]
    x = _channels(sheet, gather.take(sheet, source, nets), bundle)
    name = sheet.op(
        "Conv", x.name, sheet.floats(weight), *bias, kernel_shape=list(taps),
        group=len(bundle.inputs), dilations=[axis.unit for axis in merged.axes],
        strides=[max(1, axis.stride) for axis in merged.axes],
        pads=[begin for _, begin, _ in cuts] + [end for _, _, end in cuts],
    )  # fmt: skip
    return TwinTensor(name, (len(weight), *count))


def _inside(merged: Merged, taps: tuple[int, ...]) -> bool:
    """Return whether the window of the first place is inside the map."""
    return all(
        axis.first >= 0 and axis.first + (size - 1) * axis.unit < extent
        for axis, size, extent in zip(merged.axes, taps, merged.taps.nets.shape[1:], strict=True)
    )


def _window_of_one(merged: Merged, bundle: Bundle, taps: tuple[int, ...]) -> Nets:
    """Return the nets (channels, *taps) that the only place of an ungrouped bundle reads."""
    along = [
        axis.first + axis.unit * np.arange(size)
        for axis, size in zip(merged.axes, taps, strict=True)
    ]
    nets: Nets = merged.taps.nets[np.ix_(bundle.inputs[0], *along)]
    return nets


def _channels(sheet: Sheet, x: TwinTensor, bundle: Bundle) -> TwinTensor:
    channels = bundle.inputs.reshape(-1)
    return gather.take(sheet, x, np.arange(x.width).reshape(x.shape)[channels])


def _pointwise(merged: Merged, taps: tuple[int, ...], source: TwinTensor) -> bool:
    """Return whether each place reads its own pixel of the whole bus.

    Then the shape of the map does not matter, and no reshape is needed.
    """
    extent = merged.taps.nets.shape
    plain = prod(taps) == 1 and extent[0] == source.shape[0] and 2 <= len(source.shape) <= 4
    return (
        plain
        and extent[1:] == tuple(axis.count for axis in merged.axes)
        and all(axis.first == 0 and axis.stride <= 1 for axis in merged.axes)
        and np.array_equal(merged.taps.nets.reshape(-1), np.arange(source.width))
    )


def _window(axis: WindowAxis, size: int, extent: int) -> tuple[slice, int, int]:
    """Return the part of an axis that windows reach, and the zeros before and after it."""
    stop = axis.first + (axis.count - 1) * axis.stride + (size - 1) * axis.unit + 1
    low, high = max(0, axis.first), min(extent, stop)
    if 0 <= extent - stop < max(1, axis.stride):
        high = extent  # a rest that no window reaches changes nothing, so it need not be cut off
    return slice(low, high), low - axis.first, max(0, stop - extent)


def _laid_out(sheet: Sheet, merged: Merged, y: TwinTensor) -> tuple[TwinTensor, Nets]:
    """Return the signal as a map (channels, *space), and the lane of each of its numbers."""
    lanes = merged.bundles[0].weight.shape[2 : 2 + len(merged.axes)]
    count = [axis.count for axis in merged.axes]
    channels = np.concatenate([bundle.outputs.reshape(-1) for bundle in merged.bundles])
    # One axis at a time, the last one first, because runtimes then copy long runs of numbers.
    for i in reversed(range(len(lanes))):
        before, done = len(channels) * prod(lanes[:i]), prod(lanes[i + 1 :]) * prod(count[i + 1 :])
        if lanes[i] > 1:
            y = sheet.reshape(y, (before, lanes[i], prod(count[: i + 1]), done))
            y = sheet.transpose(y, (0, 2, 1, 3))
    y = sheet.reshape(y, (len(channels), *(n * t for n, t in zip(count, lanes, strict=True))))
    if (np.diff(channels) < 0).any():
        # Any order is correct. In this one, `linear` need not gather single nets.
        order = np.argsort(channels)
        y = gather.take(sheet, y, np.arange(y.width).reshape(y.shape)[order])
        channels = channels[order]
    starts, at = [0], [channels]
    for axis, size, extent in zip(merged.axes, lanes, merged.sinks.shape[1:], strict=True):
        along = axis.start + axis.move * np.arange(axis.count)[:, None] + np.arange(size)
        inside = np.flatnonzero((along.reshape(-1) >= 0) & (along.reshape(-1) < extent))
        starts.append(int(inside[0]))
        at.append(along.reshape(-1)[inside])
    y = sheet.cut(y, tuple(starts), tuple(len(along) for along in at))
    return y, merged.sinks[np.ix_(*at)]
