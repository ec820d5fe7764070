"""Activations with another slope below zero: one slope for all lanes, or learned slopes."""

from __future__ import annotations

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ops._blocks import MULTIPLIER, RECTIFIER, SUM, built
from memxc.ops._call import Call, Parts
from memxc.ops._nets import each, together
from memxc.ops._registry import operator
from memxc.ops._steps import Steps
from memxc.ops._traits import OPERANDS


@operator("LeakyRelu", attrs={"alpha": 0.01}, channelwise=OPERANDS)
def leaky_relu(call: Call) -> Parts:
    """Return two rectifiers, the negative one with the gain alpha."""
    return _one_slope(call, float(call.attrs["alpha"]))


@operator("PRelu", channelwise=OPERANDS)
def prelu(call: Call) -> Parts:
    """One slope for all lanes is a LeakyRelu. Learned slopes are weights: the two polarities of a
    signal are a one and a slope of a memristor pair each, summed. A signal as the slope is
    multiplied."""
    call.bus(0)
    if not call.is_constant(1):
        circuit = built("prelu", RECTIFIER, RECTIFIER, MULTIPLIER, SUM)
        return [together(call, (0, 1), "max(x0,0)+x1*min(x0,0)", circuit)]
    reckon(2, *call.shape_of(1))
    slope = np.asarray(call.constant(1, "slope"), dtype=np.float64)
    shape = call.shape
    fits = zip(slope.shape[::-1], shape[::-1], strict=False)
    if slope.ndim > len(shape) or any(a not in (1, b) for a, b in fits):
        what = f"slopes of {slope.shape} do not fit a signal of {shape}"
        raise call.refuse(what, code="unsupported-shape")
    if slope.size and (slope == slope.flat[0]).all():
        return _one_slope(call, float(slope.flat[0]))
    steps = Steps(call)
    x, rectifier = steps.given(0), built("rectifier", RECTIFIER)
    above = steps.lanes("above", "max(x0,0)", rectifier, x, keeps_scale=True)
    below = steps.lanes("below", "min(x0,0)", rectifier, x, keeps_scale=True)
    slope = slope.reshape((1,) * (len(shape) - slope.ndim) + slope.shape)
    weights = np.stack([np.ones_like(slope), slope])
    return steps.end(steps.weighed("slopes", (above, below), weights))


def _one_slope(call: Call, alpha: float) -> Parts:
    if not np.isfinite(alpha):
        raise call.refuse(f"a slope of {alpha} is no number", code="unsupported-model")
    expr, circuit = f"max(x0,0)+{alpha!r}*min(x0,0)", built("leaky_relu", RECTIFIER, RECTIFIER)
    return [each(call, expr, circuit, keeps_scale=abs(alpha) <= 1)]
