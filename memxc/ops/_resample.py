"""Resize along one axis: which pixels each output reads, and with which weights.

The coordinates and weights are those of ONNX's Resize. Its axes are independent of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.ir.bounds import reckon
from memxc.ir.windows import Ints, ints

Floats = NDArray[np.float64]
#: A smaller weight is left out: no resistor is that large.
_NOTHING = 1e-9
#: A coordinate that is nearer to the middle between two pixels counts as the middle.
_TIE = 1e-6


@dataclass(frozen=True, eq=False)
class ResampledAxis:
    """Output o is the sum over t of weights[o, t] times the input at first[o] + t.

    A coordinate beyond the ends means the pixel at the end. outside: the outputs that read beyond
    the map and get a constant instead.
    """

    size: int
    weights: Floats
    first: Ints
    outside: NDArray[np.bool_]

    @property
    def picks(self) -> Ints | None:
        """The one pixel that each output is, or None if some output mixes several."""
        inner = self.weights[~self.outside]
        if not ((inner == 1).sum(axis=1) == 1).all() or not ((inner != 0).sum(axis=1) == 1).all():
            return None
        return ints(np.clip(self.first + self.weights.argmax(axis=1), 0, self.size - 1))


@dataclass(frozen=True)
class Sampling:
    """How an axis is sampled.

    scale: outputs for each pixel.
    roi: the part of the axis that tf_crop_and_resize reads, in shares.
    """

    size: int
    out: int
    scale: float
    transform: str
    roi: tuple[float, float] = (0.0, 1.0)

    def coordinates(self, kind: type[np.floating[Any]] = np.float64) -> NDArray[Any]:
        """Return where each output reads, computed in float64, or in float32 as runtimes do."""
        o: NDArray[Any] = np.arange(self.out).astype(kind)
        size, out, scale, half = (kind(n) for n in (self.size, self.out, self.scale, 0.5))
        start, stop = (kind(n) for n in self.roi)
        match self.transform:
            case "asymmetric":
                where = o / scale
            case "tf_half_pixel_for_nn":
                where = (o + half) / scale
            case "align_corners":
                where = o * (size - 1) / (out - 1) if out > 1 else 0 * o
            case "tf_crop_and_resize" if out > 1:
                where = start * (size - 1) + o * (stop - start) * (size - 1) / (out - 1)
            case "tf_crop_and_resize":
                where = half * (start + stop) * (size - 1) + o
            case "pytorch_half_pixel" if out == 1:
                where = 0 * o
            case "half_pixel_symmetric":
                # Runtimes continue in float64 here.
                shift = np.float64(size / 2 * (1 - out / (scale * size)))
                where = shift + (o + np.float64(0.5)) / np.float64(scale) - 0.5
            case _:
                where = (o + half) / scale - half
        return np.asarray(where, dtype=kind)

    @property
    def is_whole(self) -> bool:
        """Whether scale times size is the number of outputs."""
        return abs(self.scale * self.size - self.out) < 1e-5 * self.out


def nearest(sampling: Sampling, rounding: str) -> ResampledAxis:
    """Return an axis whose outputs read one pixel, the same one as in onnxruntime."""
    at = np.asarray(sampling.coordinates(np.float32), dtype=np.float64)
    if rounding == "simple":  # before opset 11
        rounding = "ceil" if sampling.scale < 1 else "floor"
    match rounding:
        case "floor":
            pixel = np.floor(at)
        case "ceil":
            pixel = np.ceil(at)
        case "round_prefer_ceil":
            pixel = np.floor(at + 0.5 + _TIE)
        case _:
            pixel = np.ceil(at - 0.5 - _TIE)
    return _axis(sampling, np.ones((sampling.out, 1)), ints(pixel), at)


def linear(sampling: Sampling, *, antialias: bool, exclude_outside: bool) -> ResampledAxis:
    """Return an axis whose outputs read two pixels, or with antialias all that shrink into one."""
    scale = min(sampling.scale, 1.0) if antialias else 1.0

    def weigh(x: Floats) -> Floats:
        return np.asarray(np.clip(1 - abs(x * scale), 0, 1))

    return _spread(sampling, floor(-1 / scale) + 1, weigh, exclude_outside)


def cubic(sampling: Sampling, a: float, *, antialias: bool, exclude_outside: bool) -> ResampledAxis:
    """Return an axis by Keys' cubic convolution of four pixels, or more with antialias."""
    scale = min(sampling.scale, 1.0) if antialias else 1.0

    def weigh(x: Floats) -> Floats:
        x = abs(x * scale)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0.0))

    return _spread(sampling, floor(-2 / scale) + 1, weigh, exclude_outside)


def _spread(
    sampling: Sampling, start: int, weigh: Callable[[Floats], Floats], exclude_outside: bool
) -> ResampledAxis:
    """Return weights by the distance of each pixel, from `start` pixels away. Their sum is one.

    If their sum is zero, they become NaN.
    """
    # Equal phases would differ by noise in the last digits, so coordinates are rounded.
    at = np.round(sampling.coordinates(), 9)
    left = np.floor(at)
    steps = np.arange(start, 2 - start)
    reckon(len(at), len(steps))
    weights = weigh(steps - (at - left)[:, None])
    first = ints(left + start)
    if exclude_outside:
        pixel = first[:, None] + np.arange(len(steps))
        weights = np.where((pixel >= 0) & (pixel < sampling.size), weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    has_sum = abs(total) > _NOTHING * abs(weights).max(axis=1, keepdims=True)
    weights = weights / np.where(has_sum, total, np.nan)
    return _axis(sampling, np.where(abs(weights) < _NOTHING, 0.0, weights), first, at)


def _axis(sampling: Sampling, weights: Floats, first: Ints, at: Floats) -> ResampledAxis:
    beyond = (at < 0) | (at > sampling.size - 1)
    outside = beyond if sampling.transform == "tf_crop_and_resize" else np.zeros_like(beyond)
    return ResampledAxis(sampling.size, weights, first, outside)
