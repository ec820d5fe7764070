"""Powers of a signal, and the two parts of a norm: powers of magnitudes, and the root of a sum."""

from __future__ import annotations

from memxc.ir.stages import Circuit
from memxc.ops._blocks import (
    DIVIDER,
    EXPONENTIAL,
    FULL_WAVE,
    LEAST,
    LOGARITHM,
    MOST_EXPONENT,
    MULTIPLIER,
    NO_DIVISOR,
    ROOT,
    built,
)
from memxc.ops._call import Call
from memxc.ops._steps import ShapedNets, Steps

#: The most factors of one product. Every further multiplier of a chain adds its own error.
MOST_FACTORS = 16
_NAMES = {2: "square", 3: "cube"}


def power(exponent: float) -> tuple[str, Circuit]:
    """Return x0 to a power as an expression, and its circuit. The exponent is neither 0 nor 1.

    A whole power is a product. Any other power is an exponential of a logarithm, of a signal above
    zero. If ONNX gives no number or infinity, the circuit stays at its last voltage.
    """
    count = abs(int(exponent))
    if exponent == count <= MOST_FACTORS:
        return _product("x0", count), _products(_NAMES.get(count, "whole_power"), count)
    if exponent == -count >= -MOST_FACTORS:
        below = _product("x0", count)
        inverse = built("inverse_power", _products("", count), DIVIDER)
        return f"{below}/max({below}*{below},{NO_DIVISOR!r})", inverse
    if exponent == 0.5:
        return "sqrt(max(x0,0))", built("sqrt", ROOT)
    raised = f"exp(min({exponent!r}*ln(max(x0,{LEAST!r})),{MOST_EXPONENT!r}))"
    expr = f"sgn(max(x0,0))*{raised}" if exponent > 0 else raised
    return expr, built("power", LOGARITHM, EXPONENTIAL)


def magnitudes(steps: Steps, src: ShapedNets, p: int) -> ShapedNets:
    """Return |x| to the power of p, of every lane."""
    if p == 1:
        return steps.lanes("magnitudes", "abs(x0)", built("abs", FULL_WAVE), src, keeps_scale=True)
    if p % 2 == 0:
        return steps.lanes("powers", *power(p), src)
    circuit = built("odd_power", FULL_WAVE, _products("", p))
    return steps.lanes("powers", _product("abs(x0)", p), circuit, src)


def root(steps: Steps, src: ShapedNets, p: int) -> ShapedNets:
    """Return the p-th root of every lane; it is 0 for a signal below zero."""
    return src if p == 1 else steps.lanes("root", *power(1.0 / p), src)


def norm_of(call: Call) -> int:
    """Return the attribute p of a norm. Raises MemxcError if it has no circuit."""
    p = call.attrs["p"]
    if not 1 <= p <= MOST_FACTORS:
        raise call.refuse(
            f"p = {p}: norms of 1 to {MOST_FACTORS} have a circuit",
            f"a chain of more than {MOST_FACTORS} multipliers is no circuit that could be built",
        )
    return int(p)


def _product(factor: str, count: int) -> str:
    return f"({'*'.join([factor] * count)})"


def _products(name: str, count: int) -> Circuit:
    return built(name, *[MULTIPLIER] * (count - 1))
