"""Smooth functions of a signal: exponentials, logarithms, roots, differential pairs, dividers.

Each is written such that no argument overflows. If ONNX's answer is infinite or no number, the
circuit stays at its last voltage; _blocks has the limits.
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
from memxc.ops._call import Call, Parts
from memxc.ops._nets import each, rename, widened
from memxc.ops._power import power
from memxc.ops._registry import operator
from memxc.ops._traits import OPERANDS

#: ln(1 + exp(x)), with exponentials of negative numbers only.
_SOFTPLUS = "(max(x0,0)+ln(1+exp(-abs(x0))))"
_GELU_BY_TANH = "0.5*x0*(1+tanh(0.7978845608028654*(x0+0.044715*x0*x0*x0)))"


@operator("Exp", channelwise=OPERANDS)
def exp(call: Call) -> Parts:
    """Return a junction in front of an op-amp. A signal above 88.7 gives exp(88.7)."""
    return [each(call, f"exp(min(x0,{MOST_EXPONENT!r}))", built("exp", EXPONENTIAL))]


@operator("Log", channelwise=OPERANDS)
def log(call: Call) -> Parts:
    """Return a junction in the feedback of an op-amp. A signal below 1e-38 gives ln(1e-38)."""
    return [each(call, f"ln(max(x0,{LEAST!r}))", built("log", LOGARITHM))]


@operator("Pow", channelwise=OPERANDS)
def pow_(call: Call) -> Parts:
    """Return multipliers for a whole exponent, else an exponential of the scaled logarithm."""
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
    """Return a squarer in the feedback of an op-amp. A signal below 0 gives 0."""
    return [each(call, *power(0.5))]


@operator("Reciprocal", channelwise=OPERANDS)
def reciprocal(call: Call) -> Parts:
    """Return a divider of one. A signal of 0 gives 0."""
    return [each(call, *power(-1.0))]


@operator("Erf", since=9, channelwise=OPERANDS)
def erf(call: Call) -> Parts:
    """Return the error function: a differential pair with a trimmed curve."""
    return [each(call, "erf(x0)", built("erf", PAIR))]


@operator("Softplus", channelwise=OPERANDS)
def softplus(call: Call) -> Parts:
    """Return ln(1 + exp(x))."""
    return [each(call, _SOFTPLUS, built("softplus", EXPONENTIAL, LOGARITHM))]


@operator("Softsign", channelwise=OPERANDS)
def softsign(call: Call) -> Parts:
    """Return x / (1 + |x|)."""
    return [each(call, "x0/(1+abs(x0))", built("softsign", FULL_WAVE, DIVIDER))]


@operator("Swish", since=24, attrs={"alpha": 1.0}, channelwise=OPERANDS)
def swish(call: Call) -> Parts:
    """Return the signal times its own logistic function."""
    half = 0.5 * float(call.attrs["alpha"])
    return [each(call, f"x0*(0.5+0.5*tanh({half!r}*x0))", built("swish", PAIR, MULTIPLIER))]


@operator("Mish", since=18, channelwise=OPERANDS)
def mish(call: Call) -> Parts:
    """Return the signal times the hyperbolic tangent of its softplus."""
    circuit = built("mish", EXPONENTIAL, LOGARITHM, PAIR, MULTIPLIER)
    return [each(call, f"x0*tanh{_SOFTPLUS}", circuit)]


@operator("Gelu", since=20, attrs={"approximate": "none"}, channelwise=OPERANDS)
def gelu(call: Call) -> Parts:
    """Return the signal times the normal distribution's integral, or its approximation by tanh."""
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
    """Return a rectifier, and an exponential for signals below zero."""
    alpha = float(call.attrs["alpha"])
    return [each(call, _elu(alpha), _bent("elu"))]


@operator("Celu", since=12, attrs={"alpha": 1.0}, channelwise=OPERANDS)
def celu(call: Call) -> Parts:
    """Return an Elu with a continuous slope."""
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
    """Return an Elu with a gain."""
    alpha, gamma = float(call.attrs["alpha"]), float(call.attrs["gamma"])
    return [each(call, f"{gamma!r}*({_elu(alpha)})", _bent("selu"))]


def _elu(alpha: float) -> str:
    return f"max(x0,0)+{alpha!r}*(exp(min(x0,0))-1)"


def _bent(name: str) -> Circuit:
    return built(name, RECTIFIER, LIMITER, EXPONENTIAL, SUM)
