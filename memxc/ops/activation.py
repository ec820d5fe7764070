"""Relu, Clip and other activations of a single signal."""

from __future__ import annotations

import math

from memxc.ir.expr import SIGMOID
from memxc.ir.stages import Circuit
from memxc.ops._blocks import UNBOUNDED
from memxc.ops._call import Call, Parts
from memxc.ops._nets import each, rename
from memxc.ops._registry import operator
from memxc.ops._traits import OPERANDS, SETTINGS

_RELU = Circuit("relu", opamps=1, diodes=2)


@operator("Relu", integers=True, channelwise=OPERANDS)
def relu(call: Call) -> Parts:
    """Return a precision rectifier."""
    return [each(call, "max(x0,0)", _RELU, keeps_scale=True)]


@operator(
    "Clip",
    attrs={"min": None, "max": None},
    integers=True,
    infinite=("min", "max"),
    channelwise=SETTINGS,
)
def clip(call: Call) -> Parts:
    """Return a limiter for each bound, wires without bounds, or a Relu for a lower bound of 0."""
    low, high = (_bound(call, name, index) for index, name in ((1, "min"), (2, "max")))
    if low is None and high is None:
        return [rename(call, call.nets(0))]
    if low == 0 and high is None:
        return relu(call)
    expr = "x0" if low is None else f"max(x0,{low!r})"
    expr = expr if high is None else f"min({expr},{high!r})"
    bounds = (low is not None) + (high is not None)
    return [each(call, expr, Circuit("clip", opamps=bounds, diodes=2 * bounds))]


@operator("Sigmoid", channelwise=OPERANDS)
def sigmoid(call: Call) -> Parts:
    """Return the logistic function, as the hyperbolic tangent of a differential pair."""
    return [each(call, SIGMOID, Circuit("sigmoid", opamps=2))]


@operator("Tanh", channelwise=OPERANDS)
def tanh(call: Call) -> Parts:
    """Return the transfer function of a differential pair."""
    return [each(call, "tanh(x0)", Circuit("tanh", opamps=2))]


@operator("HardSigmoid", attrs={"alpha": 0.2, "beta": 0.5}, channelwise=OPERANDS)
def hard_sigmoid(call: Call) -> Parts:
    """Return a straight line between two limiters."""
    alpha, beta = float(call.attrs["alpha"]), float(call.attrs["beta"])
    expr = f"max(0,min(1,{alpha!r}*x0+{beta!r}))"
    return [each(call, expr, Circuit("hard_sigmoid", opamps=2, diodes=4))]


@operator("HardSwish", since=14, channelwise=OPERANDS)
def hard_swish(call: Call) -> Parts:
    """Return the input times its own hard sigmoid."""
    circuit = Circuit("hard_swish", opamps=2, diodes=4, multipliers=1)
    return [each(call, "x0*max(0,min(1,x0/6+0.5))", circuit)]


def _bound(call: Call, name: str, index: int) -> float | None:
    value = call.setting(name, index)
    if value is None:
        return None
    bound = float(call.single(value, f"bound {name}"))
    if bound <= -UNBOUNDED if name == "min" else bound >= UNBOUNDED:
        return None
    if not math.isfinite(bound):
        raise call.refuse(f"its bound {name} = {bound} leaves nothing")
    return bound
