"""Undoing patches: if all outputs of a patch have one kernel, it becomes an ordinary convolution.

patch of two outputs        the same kernel [a b c] at each place
  x0  a  .
  x1  b  a                       y[p] = a x[p] + b x[p+1] + c x[p+2]
  x2  c  b
  x3  .  c
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memxc.backends.twin.merge import Bundle, Merged, WindowAxis

Floats = NDArray[np.float64]
#: Weights are equal if they differ by less than this, relative to the largest.
_SAME = 1e-9


def smallest(merged: Merged) -> Merged:
    """Return the same convolutions with the fewest lanes a place and the smallest box of taps.

    Without wires and variation, all outputs of a patch have the same kernel, each a stride further
    on. Then the patch is replaced by as many places of that kernel.
    """
    for axis in range(len(merged.axes)):
        merged = _cropped(_single(merged, axis), axis)
    return merged


def _single(merged: Merged, axis: int) -> Merged:
    """Return one lane a place along an axis, if the lanes of a patch have equal kernels."""
    along = merged.axes[axis]
    space = len(merged.axes)
    lanes, taps = (
        merged.bundles[0].weight.shape[2 + axis],
        merged.bundles[0].weight.shape[axis - space],
    )
    for shift in _shifts(along, lanes, taps):
        size = taps - (lanes - 1) * shift
        if all(_repeats(bundle, axis, space, shift, size) for bundle in merged.bundles):
            room = merged.sinks.shape[1 + axis] - along.start
            unpatched = replace(
                along,
                count=max(1, min(along.count * lanes, room)),
                stride=shift * along.unit,
                move=1,
            )
            bundles = (_one(bundle, axis, space, slice(0, size)) for bundle in merged.bundles)
            axes = (*merged.axes[:axis], unpatched, *merged.axes[axis + 1 :])
            return replace(merged, axes=axes, bundles=tuple(bundles))
    return merged


def _shifts(along: WindowAxis, lanes: int, taps: int) -> range:
    """Return the steps, in taps, by which a lane of a patch may follow the lane before it."""
    if lanes == 1:
        return range(0)
    if along.count == 1:
        return range(1, (taps - 1) // (lanes - 1) + 1)
    shift, rest = divmod(along.stride, along.unit * lanes)
    fits = rest == 0 and along.move == lanes and taps > (lanes - 1) * shift
    return range(shift, shift + fits)


def _repeats(bundle: Bundle, axis: int, space: int, shift: int, size: int) -> bool:
    """Return whether each lane has the kernel of the first lane, `shift` taps further on."""
    weight = np.moveaxis(bundle.weight, (2 + axis, axis - space), (0, -1))
    bias = np.moveaxis(bundle.bias, 2 + axis, 0)
    wanted = np.zeros_like(weight)
    for lane in range(len(weight)):
        wanted[lane, ..., lane * shift : lane * shift + size] = weight[0, ..., :size]
    same = np.abs(weight - wanted).max(initial=0.0) <= _SAME * np.abs(weight).max(initial=0.0)
    return bool(same and np.abs(bias - bias[0]).max() <= _SAME * np.abs(bias).max())


def _one(bundle: Bundle, axis: int, space: int, taps: slice) -> Bundle:
    """Return the first lane and some of the taps along an axis."""
    weight = np.take(bundle.weight, [0], axis=2 + axis)
    bias = np.take(bundle.bias, [0], axis=2 + axis)
    return replace(_some(replace(bundle, weight=weight), axis, space, taps), bias=bias)


def _some(bundle: Bundle, axis: int, space: int, taps: slice) -> Bundle:
    """Return a bundle with some of the taps along an axis."""
    cut = [slice(None)] * bundle.weight.ndim
    cut[axis - space] = taps
    return replace(bundle, weight=bundle.weight[tuple(cut)])


def _cropped(merged: Merged, axis: int) -> Merged:
    """Return it without taps that have no weight anywhere.

    These are around the other taps, or between them if the kernel is dilated.
    """
    along, space = merged.axes[axis], len(merged.axes)
    moved = [np.moveaxis(bundle.weight, axis - space, 0) for bundle in merged.bundles]
    used = np.flatnonzero(
        np.any([(weight != 0).reshape(len(weight), -1).any(axis=1) for weight in moved], axis=0)
    )
    used = used if len(used) else np.zeros(1, dtype=np.intp)
    step = max(1, int(np.gcd.reduce(used - used[0])))
    taps = slice(int(used[0]), int(used[-1]) + 1, step)
    cropped = replace(along, first=along.first + along.unit * taps.start, unit=along.unit * step)
    axes = (*merged.axes[:axis], cropped, *merged.axes[axis + 1 :])
    bundles = tuple(_some(bundle, axis, space, taps) for bundle in merged.bundles)
    return replace(merged, axes=axes, bundles=bundles)
