"""Comparisons of signals and constants: comparators, whose output is a bool, 0 or 1.

No amplifier can distinguish numbers that differ by noise only. `near` says what counts as equal:
real numbers within a millionth of the larger one, and within 1e-9 if both are below a thousandth.
"""

from __future__ import annotations

from memxc.ops._blocks import COMPARATOR, built
from memxc.ops._call import Call, Parts
from memxc.ops._registry import operator, refused
from memxc.ops._terms import Terms, near
from memxc.ops._traits import OPERANDS


@operator("Greater", integers=True, channelwise=OPERANDS)
def greater(call: Call) -> Parts:
    """Return a comparator that gives 0 for a tie."""
    return _above(call, 0, 1)


@operator("Less", integers=True, channelwise=OPERANDS)
def less(call: Call) -> Parts:
    """Return a comparator with its inputs swapped, which gives 0 for a tie."""
    return _above(call, 1, 0)


@operator("GreaterOrEqual", since=12, integers=True, channelwise=OPERANDS)
def greater_or_equal(call: Call) -> Parts:
    """Return a comparator that gives 1 for a tie."""
    return _not_below(call, 0, 1)


@operator("LessOrEqual", since=12, integers=True, channelwise=OPERANDS)
def less_or_equal(call: Call) -> Parts:
    """Return a comparator with its inputs swapped, which gives 1 for a tie."""
    return _not_below(call, 1, 0)


@operator("Equal", integers=True, channelwise=OPERANDS)
def equal(call: Call) -> Parts:
    """Return a window comparator."""
    terms = Terms(call)
    one, other = terms.word(0), terms.word(1)
    expr = f"max(sgn({near(_kind(call), one, other)}-abs({one}-{other})),0)"
    return terms.end(expr, built("equal", COMPARATOR, COMPARATOR))


refused(
    "IsInf",
    "IsNaN",
    reason="a voltage is always a finite number, so that there is nothing to find",
    hint="leave the check out of the model (nan_to_num, isnan, isfinite)",
)


def _above(call: Call, upper: int, lower: int) -> Parts:
    terms = Terms(call)
    high, low = terms.word(upper), terms.word(lower)
    expr = f"max(sgn({high}-{low}-{near(_kind(call), high, low)}),0)"
    return terms.end(expr, built("above", COMPARATOR))


def _not_below(call: Call, upper: int, lower: int) -> Parts:
    terms = Terms(call)
    high, low = terms.word(upper), terms.word(lower)
    expr = f"max(sgn({high}-{low}+{near(_kind(call), high, low)}),0)"
    return terms.end(expr, built("not_below", COMPARATOR))


def _kind(call: Call) -> str:
    return call.kind(0) or call.kind(1)
