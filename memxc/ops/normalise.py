"""Normalisations by statistics of the signal itself: means and squares by resistors, dividers."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from memxc.ir.graph import Tensor
from memxc.ir.stages import Circuit
from memxc.ops._blocks import DIVIDER, built
from memxc.ops._call import Call, Parts, Shape, axis_of
from memxc.ops._power import magnitudes, power, root
from memxc.ops._registry import operator
from memxc.ops._softmax import QUOTIENT, total
from memxc.ops._steps import ShapedNets, Steps
from memxc.ops._windows import Axes

_SUB = Circuit("sub", opamps=1)
_LAYER: dict[str, Any] = {"axis": -1, "epsilon": 1e-5, "stash_type": 1}


@operator("LayerNormalization", since=17, attrs=_LAYER, outputs=3)
def layer_normalization(call: Call) -> Parts:
    """Return (x - mean) / sqrt(variance + epsilon) over the last axes, times scale, plus bias.

    Its further outputs are the mean, and one over the root.
    """
    steps, shape = Steps(call), call.shape_of(0)
    axes = tuple(range(axis_of(call, "axis"), len(shape)))
    x = steps.given(0)
    mean = _mean(steps, "mean", x, axes)
    centred = steps.lanes("centred", "x0-x1", _SUB, x, mean)
    root = _mean_square_root(steps, centred, axes, float(call.attrs["epsilon"]))
    result = _trimmed(call, steps, _divided(steps, centred, root), shape[axes[0] :])
    more = dict(zip(call.node.outputs[1:], (mean, root), strict=False))
    wanted = {name: signal for name, signal in more.items() if name and name in call.used}
    if root in wanted.values():
        wanted[call.node.outputs[2]] = steps.lanes("inverse", *power(-1.0), root)
    return steps.end(result, wanted)


@operator("RMSNormalization", since=23, attrs=_LAYER)
def rms_normalization(call: Call) -> Parts:
    """Return x / sqrt(mean of squares + epsilon) over the last axes, times scale."""
    steps, shape = Steps(call), call.shape_of(0)
    axes = tuple(range(axis_of(call, "axis"), len(shape)))
    x = _over_root(steps, steps.given(0), axes, float(call.attrs["epsilon"]))
    return steps.end(_trimmed(call, steps, x, shape[axes[0] :]))


@operator("InstanceNormalization", attrs={"epsilon": 1e-5})
def instance_normalization(call: Call) -> Parts:
    """Return each channel of each sample, normalised over its pixels, times scale, plus bias."""
    shape = _with_channels(call)
    steps, axes = Steps(call), tuple(range(2, len(shape)))
    x = _standard(steps, steps.given(0), axes, float(call.attrs["epsilon"]))
    return steps.end(_trimmed(call, steps, x, (shape[1], *[1] * len(axes)), flat=True))


@operator("GroupNormalization", since=18, attrs={"epsilon": 1e-5, "num_groups": 1, "stash_type": 1})
def group_normalization(call: Call) -> Parts:
    """Return groups of channels, normalised over their pixels, times scale, plus bias.

    Scale and bias have a number for each channel, before opset 21 for each group.
    """
    shape, groups = _with_channels(call), call.attrs["num_groups"]
    if groups < 1 or shape[1] % groups:
        raise call.refuse(f"{groups} groups of {shape[1]} channels")
    steps = Steps(call)
    apart = (shape[0], groups, shape[1] // groups, *shape[2:])
    x = steps.given(0).shaped(apart)
    x = _standard(steps, x, tuple(range(2, len(apart))), float(call.attrs["epsilon"]))
    if call.graph.opset < 21:
        return steps.end(_trimmed(call, steps, x, (groups, *[1] * (len(apart) - 2)), flat=True))
    sizes = (groups, shape[1] // groups, *[1] * (len(shape) - 2))
    return steps.end(_trimmed(call, steps, x, sizes, flat=True))


@operator("MeanVarianceNormalization", since=9, attrs={"axes": None})
def mean_variance_normalization(call: Call) -> Parts:
    """Return (x - mean) / (deviation + 1e-9) over some axes; by default all but the channels."""
    rank = len(call.shape_of(0))
    given = call.attrs["axes"]
    axes = tuple(axis for axis in ((0, 2, 3) if given is None else given))
    if not all(-rank <= axis < rank for axis in axes):
        raise call.refuse(f"axes = {list(axes[:8])} of a tensor of {rank} axes")
    over = tuple(sorted({axis % rank for axis in axes}))
    steps = Steps(call)
    centred = _centred(steps, steps.given(0), over)
    deviation = _mean_square_root(steps, centred, over, 0.0)
    above = steps.affine("above", deviation, np.array(1.0), np.array(1e-9))
    return steps.end(_divided(steps, centred, above))


@operator("LpNormalization", attrs={"axis": -1, "p": 2})
def lp_normalization(call: Call) -> Parts:
    """Return the signal divided by its norm along an axis; 0 where the norm is 0."""
    steps, axes, p = Steps(call), (axis_of(call, "axis"),), call.attrs["p"]
    if p not in (1, 2):
        raise call.refuse(f"p = {p} is not 1 or 2")
    x = steps.given(0)
    norm = root(steps, total(steps, magnitudes(steps, x, p), axes), p)
    return steps.end(_divided(steps, x, norm))


def _with_channels(call: Call) -> Shape:
    shape = call.shape_of(0)
    if len(shape) < 3:
        what = f"an input of the shape {shape} has no pixels"
        raise call.refuse(what, code="unsupported-shape")
    return shape


def _standard(steps: Steps, x: ShapedNets, axes: Axes, epsilon: float) -> ShapedNets:
    """Return (x - mean) / sqrt(variance + epsilon) over some axes."""
    return _over_root(steps, _centred(steps, x, axes), axes, epsilon)


def _centred(steps: Steps, x: ShapedNets, axes: Axes) -> ShapedNets:
    mean = _mean(steps, "mean", x, axes)
    return steps.lanes("centred", "x0-x1", _SUB, x, mean)


def _over_root(steps: Steps, x: ShapedNets, axes: Axes, epsilon: float) -> ShapedNets:
    return _divided(steps, x, _mean_square_root(steps, x, axes, epsilon))


def _mean_square_root(steps: Steps, x: ShapedNets, axes: Axes, epsilon: float) -> ShapedNets:
    """Return sqrt(mean of squares + epsilon)."""
    square = _mean(steps, "variance", steps.lanes("squares", *power(2), x), axes)
    if epsilon:
        square = steps.affine("epsilon", square, np.array(1.0), np.array(epsilon))
    return steps.lanes("deviation", *power(0.5), square)


def _mean(steps: Steps, word: str, x: ShapedNets, axes: Axes) -> ShapedNets:
    count = prod(x.nets.shape[axis] for axis in axes)
    return x if count == 1 else steps.sums(word, x, axes, 1.0 / count)


def _divided(steps: Steps, above: ShapedNets, below: ShapedNets) -> ShapedNets:
    return steps.lanes("quotient", QUOTIENT, built("div", DIVIDER), above, below)


def _trimmed(
    call: Call, steps: Steps, x: ShapedNets, shape: Shape, flat: bool = False
) -> ShapedNets:
    """Return the signal times its scale, plus its bias.

    Both are constants that broadcast to `shape`; with `flat`, they have its numbers in one axis.
    """
    scale = _constant(call, 1, "scale", shape, flat)
    bias = _constant(call, 2, "bias", shape, flat) if call.has(2) else None
    return steps.affine("trimmed", x, scale, bias)


def _constant(call: Call, index: int, role: str, shape: Shape, flat: bool) -> Tensor:
    values = np.asarray(call.constant(index, role), dtype=np.float64)
    try:
        if flat and values.shape != (prod(shape),):
            raise ValueError
        return values.reshape(shape) if flat else np.broadcast_to(values, shape)
    except ValueError:
        what = f"a {role} of {values.shape} does not fit {shape}"
        raise call.refuse(what, code="unsupported-shape") from None
