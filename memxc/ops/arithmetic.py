"""Add, Sub, Mul, Div and Neg: constants are resistors, two signals meet in a lane's circuit."""

from __future__ import annotations

import numpy as np

from memxc.ir.graph import Tensor
from memxc.ir.stages import Circuit
from memxc.ops._affine import with_constant
from memxc.ops._blocks import DIVIDER, NO_DIVISOR, built
from memxc.ops._call import Call, Parts
from memxc.ops._nets import each, together
from memxc.ops._registry import operator
from memxc.ops._steps import PRODUCT, Steps
from memxc.ops._traits import OPERANDS


@operator("Add", channelwise=OPERANDS)
def add(call: Call) -> Parts:
    """Return a bias for a constant. Two signals meet in a summing amplifier and an inverter."""
    signal, constant = _operands(call)
    if constant is None:
        return [together(call, (0, 1), "x0+x1", Circuit("add", opamps=2))]
    return [with_constant(call, signal, None, constant)]


@operator("Sub", channelwise=OPERANDS)
def sub(call: Call) -> Parts:
    """Return a bias for a constant. Two signals meet in a difference amplifier."""
    signal, constant = _operands(call)
    if constant is None:
        return [together(call, (0, 1), "x0-x1", Circuit("sub", opamps=1))]
    if signal == 1:
        return [with_constant(call, 1, np.array(-1.0), constant)]
    return [with_constant(call, 0, None, -_float(constant))]


@operator("Mul", channelwise=OPERANDS, zero_absorbs=True)
def mul(call: Call) -> Parts:
    """Return a weight for a constant. Two signals meet in an analog multiplier.

    Passes give a product with a constant a third input, a constant that is added.
    """
    signal, constant = _operands(call)
    if call.has(2):
        return [with_constant(call, signal, constant, call.constant(2, "shift"))]
    if constant is None:
        return [together(call, (0, 1), "x0*x1", PRODUCT)]
    return [with_constant(call, signal, constant, None)]


@operator("Div", channelwise=OPERANDS)
def div(call: Call) -> Parts:
    """Return a weight for a constant divisor, else a divider. It gives 0 if the divisor is 0."""
    signal, constant = _operands(call)
    if constant is None or signal == 1:
        steps = Steps(call)
        above = steps.given(0) if constant is None else steps.held("numerator", _float(constant))
        expr = f"x0*x1/max(x1*x1,{NO_DIVISOR!r})"
        return steps.end(steps.lanes("result", expr, built("div", DIVIDER), above, steps.given(1)))
    with np.errstate(divide="ignore"):  # an infinite weight becomes a fault of the model
        return [with_constant(call, 0, 1.0 / _float(constant), None)]


@operator("Neg", channelwise=OPERANDS)
def neg(call: Call) -> Parts:
    """Return an inverter."""
    return [each(call, "0-x0", Circuit("neg", inverters=1), keeps_scale=True)]


def _operands(call: Call) -> tuple[int, Tensor | None]:
    """Return which input is a signal, and the other input if it is a constant."""
    for index in (0, 1):
        if call.is_constant(index):
            call.bus(1 - index)
            return 1 - index, call.constant(index, "operand")
    return 0, None


def _float(tensor: Tensor) -> Tensor:
    return np.asarray(tensor, dtype=np.float64)
