"""Softmax as a circuit: exponentials below the largest signal, their sum, and dividers."""

from __future__ import annotations

from math import prod

from memxc.ir.bounds import TERM, reckon
from memxc.ir.stages import Circuit
from memxc.ops._blocks import DIFFERENCE, DIVIDER, EXPONENTIAL, NO_DIVISOR, built
from memxc.ops._steps import ShapedNets, Steps
from memxc.ops._windows import Axes

#: A quotient, which is 0 where the divisor is 0.
QUOTIENT = f"x0*x1/max(x1*x1,{NO_DIVISOR!r})"


def extreme(steps: Steps, function: str, src: ShapedNets, axes: Axes) -> ShapedNets:
    """Return the largest (max) or smallest (min) along some axes; a diode selector."""
    count = prod(src.nets.shape[axis] for axis in axes)
    if count == 1:
        return src
    reckon(count, TERM)
    expr = f"{function}({','.join(f'x{k}' for k in range(count))})"
    selector = Circuit(function, opamps=count, diodes=count)
    return steps.along(function, expr, selector, src, axes, keeps_scale=True)


def total(steps: Steps, src: ShapedNets, axes: Axes, weight: float = 1.0) -> ShapedNets:
    """Return `weight` times the sum along some axes; the signal itself if there is only one."""
    alone = prod(src.nets.shape[axis] for axis in axes) == 1
    return src if alone else steps.sums("sum", src, axes, weight)


def exponentials(
    steps: Steps, src: ShapedNets, axes: Axes
) -> tuple[ShapedNets, ShapedNets, ShapedNets]:
    """Return the largest signal along some axes, exp(x - largest), and the sum of these."""
    top = extreme(steps, "max", src, axes)
    below = built("exponential_below", DIFFERENCE, EXPONENTIAL)
    powers = steps.lanes("exponentials", "exp(x0-x1)", below, src, top)
    return top, powers, total(steps, powers, axes)


def normalised(steps: Steps, src: ShapedNets, axes: Axes) -> ShapedNets:
    """Return the softmax along some axes."""
    _, powers, whole = exponentials(steps, src, axes)
    return steps.lanes("quotient", QUOTIENT, built("div", DIVIDER), powers, whole)
