"""Smooth functions of a signal: exponentials, logarithms, roots, differential pairs, dividers.

Each is written so that no argument overflows; where ONNX's answer would be infinite or no number
at all, the circuit ends at its last voltage (_blocks has the limits).
"""

from __future__ import annotations

import numpy as np

from memxc.ir.stages import Circuit
from memxc.ops._blocks import (
    DIVIDER,
    EXPONENTIAL,
    FULL_WAVE,
    LEAST,
    LIMITER,
    LOGARITHM,
    MOST_EXPONENT,
    MULTIPLIER,
    PAIR,
    RECTIFIER,
    SUM,
    built,
)
from memxc.ops._nets import each, rename, widened
from memxc.ops._power import power
from memxc.ops._registry import Call, Parts, operator
from memxc.ops._traits import OPERANDS

#: ln(1 + exp(x)) without an exponential of anything above zero.
_SOFTPLUS = "(max(x0,0)+ln(1+exp(-abs(x0))))"
_GELU_BY_TANH = "0.5*x0*(1+tanh(0.7978845608028654*(x0+0.044715*x0*x0*x0)))"


@operator("Exp", channelwise=OPERANDS)
def exp(call: Call) -> Parts:
    """A junction in front of an op-amp; a signal above 88.7 gives what 88.7 gives."""
    return [each(call, f"exp(min(x0,{MOST_EXPONENT!r}))", built("exp", EXPONENTIAL))]


@operator("Log", channelwise=OPERANDS)
def log(call: Call) -> Parts:
    """A junction in the feedback of an op-amp; a signal below 1e-38 gives what 1e-38 gives."""
    return [each(call, f"ln(max(x0,{LEAST!r}))", built("log", LOGARITHM))]


@operator("Pow", channelwise=OPERANDS)
def pow_(call: Call) -> Parts:
    """Multipliers for a whole exponent, else the exponential of a multiple of the logarithm."""
    if call.is_constant(0) or not call.is_constant(1):
        what, hint = "its exponent is a signal", "only a constant exponent has a circuit"
        raise call.refuse(what, hint, "unsupported-op")
    exponents = np.unique(call.constant(1, "exponent").astype(np.float64))
    if not np.isfinite(exponents).all():
        raise call.refuse("its exponents are not all finite numbers", code="unsupported-model")
    if len(exponents) != 1:
        what = f"exponents that differ, from {exponents[0]:g} to {exponents[-1]:g}"
        raise call.refuse(what, "one number for all lanes has a circuit", "unsupported-op")
    exponent = float(exponents[0])
    if exponent == 0:
        raise call.refuse("an exponent of 0 leaves nothing of the signal")
    if exponent == 1:
        return [rename(call, widened(call, call.nets(0)))]
    return [each(call, *power(exponent))]


@operator("Sqrt", channelwise=OPERANDS)
def sqrt(call: Call) -> Parts:
    """A squarer in the feedback of an op-amp; a signal below 0 gives 0."""
    return [each(call, *power(0.5))]


@operator("Reciprocal", channelwise=OPERANDS)
def reciprocal(call: Call) -> Parts:
    """A divider of one; a signal of 0 gives 0."""
    return [each(call, *power(-1.0))]


@operator("Erf", since=9, channelwise=OPERANDS)
def erf(call: Call) -> Parts:
    """The error function: a differential pair, its curve trimmed."""
    return [each(call, "erf(x0)", built("erf", PAIR))]


@operator("Softplus", channelwise=OPERANDS)
def softplus(call: Call) -> Parts:
    """The logarithm of one more than the exponential."""
    return [each(call, _SOFTPLUS, built("softplus", EXPONENTIAL, LOGARITHM))]


@operator("Softsign", channelwise=OPERANDS)
def softsign(call: Call) -> Parts:
    """The signal, divided by one more than its magnitude."""
    return [each(call, "x0/(1+abs(x0))", built("softsign", FULL_WAVE, DIVIDER))]


@operator("Swish", since=24, attrs={"alpha": 1.0}, channelwise=OPERANDS)
def swish(call: Call) -> Parts:
    """The signal times its own logistic function."""
    half = 0.5 * float(call.attrs["alpha"])
    return [each(call, f"x0*(0.5+0.5*tanh({half!r}*x0))", built("swish", PAIR, MULTIPLIER))]


@operator("Mish", since=18, channelwise=OPERANDS)
def mish(call: Call) -> Parts:
    """The signal times the hyperbolic tangent of its softplus."""
    circuit = built("mish", EXPONENTIAL, LOGARITHM, PAIR, MULTIPLIER)
    return [each(call, f"x0*tanh{_SOFTPLUS}", circuit)]


@operator("Gelu", since=20, attrs={"approximate": "none"}, channelwise=OPERANDS)
def gelu(call: Call) -> Parts:
    """The signal times the normal distribution's integral, or what the model has in its place."""
    match call.attrs["approximate"]:
        case "none":
            expr = "0.5*x0*(1+erf(0.7071067811865476*x0))"
            return [each(call, expr, built("gelu", PAIR, MULTIPLIER))]
        case "tanh":
            circuit = built("gelu_by_tanh", MULTIPLIER, MULTIPLIER, SUM, PAIR, MULTIPLIER)
            return [each(call, _GELU_BY_TANH, circuit)]
        case other:
            raise call.refuse(f"approximate = {other!r} is not one of none, tanh")


@operator("Elu", attrs={"alpha": 1.0}, channelwise=OPERANDS)
def elu(call: Call) -> Parts:
    """A rectifier, and an exponential for what is below zero."""
    alpha = float(call.attrs["alpha"])
    return [each(call, _elu(alpha), _bent("elu"))]


@operator("Celu", since=12, attrs={"alpha": 1.0}, channelwise=OPERANDS)
def celu(call: Call) -> Parts:
    """An Elu whose slope does not jump."""
    alpha = float(call.attrs["alpha"])
    if alpha <= 0:
        raise call.refuse(f"alpha = {alpha:g} has to be positive")
    return [each(call, f"max(x0,0)+{alpha!r}*(exp(min(x0,0)/{alpha!r})-1)", _bent("celu"))]


@operator(
    "Selu",
    attrs={"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    channelwise=OPERANDS,
)
def selu(call: Call) -> Parts:
    """An Elu with a gain."""
    alpha, gamma = float(call.attrs["alpha"]), float(call.attrs["gamma"])
    return [each(call, f"{gamma!r}*({_elu(alpha)})", _bent("selu"))]


def _elu(alpha: float) -> str:
    return f"max(x0,0)+{alpha!r}*(exp(min(x0,0))-1)"


def _bent(name: str) -> Circuit:
    return built(name, RECTIFIER, LIMITER, EXPONENTIAL, SUM)
