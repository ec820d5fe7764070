"""Functions of a signal in straight pieces: rectifiers, comparators, converters."""

from __future__ import annotations

from memxc.ops._blocks import CODES, COMPARATOR, FULL_WAVE, MULTIPLIER, RECTIFIER, SUM, built
from memxc.ops._call import Call, Parts
from memxc.ops._nets import each
from memxc.ops._registry import operator
from memxc.ops._traits import OPERANDS

#: A number that is so little below a whole number counts as that: noise must not move a code.
_WHOLE = "1e-6"


@operator("Abs", channelwise=OPERANDS)
def abs_(call: Call) -> Parts:
    """Return a full-wave rectifier."""
    return [each(call, "abs(x0)", built("abs", FULL_WAVE), keeps_scale=True)]


@operator("Sign", since=9, channelwise=OPERANDS)
def sign(call: Call) -> Parts:
    """Return a comparator that gives 0 for a signal of 0."""
    return [each(call, "sgn(x0)", built("sign", COMPARATOR))]


@operator("Floor", channelwise=OPERANDS)
def floor(call: Call) -> Parts:
    """Return a converter to whole numbers and back. Within 1e-6 below one, it is that one."""
    return [each(call, f"floor(x0+{_WHOLE})", built("floor", CODES))]


@operator("Ceil", channelwise=OPERANDS)
def ceil(call: Call) -> Parts:
    """Return a converter to whole numbers and back. Within 1e-6 above one, it is that one."""
    return [each(call, f"-floor({_WHOLE}-x0)", built("ceil", CODES))]


@operator("Round", since=11, channelwise=OPERANDS)
def round_(call: Call) -> Parts:
    """Return a converter to whole numbers and back; halves go to the even number."""
    return [each(call, "round(x0)", built("round", CODES))]


@operator("ThresholdedRelu", since=10, attrs={"alpha": 1.0}, channelwise=OPERANDS)
def thresholded_relu(call: Call) -> Parts:
    """Return a comparator that switches the signal."""
    alpha = float(call.attrs["alpha"])
    circuit = built("thresholded_relu", COMPARATOR, MULTIPLIER)
    return [each(call, f"x0*max(sgn(x0-{alpha!r}),0)", circuit)]


@operator("Shrink", since=9, attrs={"bias": 0.0, "lambd": 0.5}, channelwise=OPERANDS)
def shrink(call: Call) -> Parts:
    """Return a dead zone: two rectifiers if the rest starts at 0, else two switched signals."""
    bias, edge = float(call.attrs["bias"]), float(call.attrs["lambd"])
    if edge < 0:
        raise call.refuse(f"lambd = {edge:g}, so that both sides overlap")
    if bias == edge:
        circuit = built("soft_shrink", RECTIFIER, RECTIFIER, SUM)
        return [each(call, f"max(x0-{edge!r},0)+min(x0+{edge!r},0)", circuit)]
    above, below = f"max(sgn(x0-{edge!r}),0)", f"max(sgn(-x0-{edge!r}),0)"
    circuit = built("hard_shrink", COMPARATOR, COMPARATOR, MULTIPLIER, MULTIPLIER, SUM)
    return [each(call, f"(x0-{bias!r})*{above}+(x0+{bias!r})*{below}", circuit)]
