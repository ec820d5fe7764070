"""Add, Sub, Mul, Div, Sum and Neg: constants become resistors, signals meet in a lane's circuit."""

from __future__ import annotations

import numpy as np

from memxc.ir.graph import Tensor
from memxc.ir.stages import Circuit
from memxc.ops._affine import with_constant
from memxc.ops._nets import each, rename, together
from memxc.ops._registry import Call, Parts, operator


@operator("Add")
def add(call: Call) -> Parts:
    """A constant is a bias; two signals meet in a summing amplifier and an inverter."""
    signal, constant = _operands(call)
    if constant is None:
        return [together(call, (0, 1), "x0+x1", Circuit("add", opamps=2))]
    return [with_constant(call, signal, None, constant)]


@operator("Sub")
def sub(call: Call) -> Parts:
    """A constant is a bias; two signals meet in a difference amplifier."""
    signal, constant = _operands(call)
    if constant is None:
        return [together(call, (0, 1), "x0-x1", Circuit("sub", opamps=1))]
    if signal == 1:
        return [with_constant(call, 1, np.array(-1.0), constant)]
    return [with_constant(call, 0, None, -_float(constant))]


@operator("Mul")
def mul(call: Call) -> Parts:
    """A constant is a weight; two signals meet in an analog multiplier."""
    signal, constant = _operands(call)
    if constant is None:
        return [together(call, (0, 1), "x0*x1", Circuit("mul", multipliers=1))]
    return [with_constant(call, signal, constant, None)]


@operator("Div")
def div(call: Call) -> Parts:
    """Division by a constant is a weight."""
    signal, constant = _operands(call)
    if constant is None or signal == 1:
        raise call.refuse(
            "division by a signal has no circuit",
            "only a constant of the model can divide",
            "unsupported-op",
        )
    with np.errstate(divide="ignore"):  # an infinite weight becomes a fault of the model
        return [with_constant(call, 0, 1.0 / _float(constant), None)]


@operator("Neg")
def neg(call: Call) -> Parts:
    """An inverter."""
    return [each(call, "0-x0", Circuit("neg", inverters=1), keeps_scale=True)]


@operator("Sum")
def sum_(call: Call) -> Parts:
    """Any number of signals in one summing amplifier; of one signal, constants are its bias."""
    count = range(len(call.inputs))
    signals = tuple(i for i in count if not call.is_constant(i))
    constants = [call.constant(i, "summand") for i in count if call.is_constant(i)]
    if len(signals) == 1 and not constants:
        return [rename(call, call.nets(0))]
    if len(signals) == 1:
        bias: Tensor | None = None
        for constant in constants:
            bias = constant if bias is None else _float(bias) + _float(constant)
        return [with_constant(call, signals[0], None, bias)]
    if constants or not signals:
        raise call.refuse("a sum of several signals and a constant", "write the constant as an Add")
    expr = "+".join(f"x{i}" for i in range(len(signals)))
    return [together(call, signals, expr, Circuit("add", opamps=2))]


def _operands(call: Call) -> tuple[int, Tensor | None]:
    """Which input is a signal, and the other one if it is a constant."""
    for index in (0, 1):
        if call.is_constant(index):
            call.bus(1 - index)
            return 1 - index, call.constant(index, "operand")
    return 0, None


def _float(tensor: Tensor) -> Tensor:
    return np.asarray(tensor, dtype=np.float64)
