"""Sum, Mean, Max and Min of any number of signals and constants, broadcast as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from memxc.ir.stages import Circuit
from memxc.ops._affine import with_constant
from memxc.ops._blocks import SUM, UNBOUNDED, built
from memxc.ops._call import Call, Parts
from memxc.ops._nets import widened
from memxc.ops._registry import operator
from memxc.ops._steps import ShapedNets, Steps
from memxc.ops._traits import OPERANDS


@operator("Sum", channelwise=OPERANDS)
def sum_(call: Call) -> Parts:
    """Return one summing amplifier. Constants beside a single signal are a bias."""
    signals = [i for i in range(len(call.inputs)) if not call.is_constant(i)]
    if len(signals) == 1 < len(call.inputs):
        return [with_constant(call, signals[0], None, _constant(call, np.add))]
    return _combined(call, np.add, lambda terms: ("+".join(terms), built("add", SUM)))


@operator("Mean", channelwise=OPERANDS)
def mean(call: Call) -> Parts:
    """Return one summing amplifier, with resistors as many times larger as there are inputs."""
    count = len(call.inputs)
    return _combined(
        call, np.add, lambda terms: (f"({'+'.join(terms)})/{count}", built("mean", SUM))
    )


@operator("Max", integers=True, channelwise=OPERANDS)
def max_(call: Call) -> Parts:
    """Return a diode selector."""
    return _combined(call, np.maximum, lambda terms: _selector("max", terms))


@operator("Min", integers=True, channelwise=OPERANDS)
def min_(call: Call) -> Parts:
    """Return a diode selector with reversed diodes."""
    return _combined(call, np.minimum, lambda terms: _selector("min", terms))


def _selector(function: str, terms: list[str]) -> tuple[str, Circuit]:
    circuit = Circuit(function, opamps=len(terms), diodes=len(terms))
    return f"{function}({','.join(terms)})", circuit


def _combined(
    call: Call, fold: Callable[..., Any], words: Callable[[list[str]], tuple[str, Circuit]]
) -> Parts:
    """Return a function of all inputs, with the constants folded into one.

    A constant that is one number is part of the circuit. Others are voltages, one for each lane.
    """
    steps = Steps(call)
    constant = _constant(call, fold)
    signals = [steps.given(i) for i in range(len(call.inputs)) if not call.is_constant(i)]
    if not signals:
        call.bus(0)
    literal = []
    if constant is not None and (constant == constant.flat[0]).all():
        literal = [repr(float(constant.flat[0]))]
    elif constant is not None:
        signals.append(steps.held("constants", constant))
    terms = [f"x{k}" for k in range(len(signals))] + literal
    wide = [ShapedNets(s.bus, widened(call, s.nets)) for s in signals]
    if len(terms) == 1:
        return steps.end(wide[0])
    keeps = fold is not np.add and not literal
    return steps.end(steps.lanes("result", *words(terms), *wide, keeps_scale=keeps))


def _constant(call: Call, fold: Callable[..., Any]) -> Any:
    """Return all constant inputs as one, or None if there are none or if they change nothing.

    Exporters write the largest of a signal and -inf, because they start to compare at -inf.
    """
    constants = [
        np.asarray(call.constant(i, "operand"), dtype=np.float64)
        for i in range(len(call.inputs))
        if call.is_constant(i)
    ]
    if not constants:
        return None
    try:
        value = np.asarray(reduce(fold, constants))
    except ValueError as error:
        shapes = " and ".join(str(part.shape) for part in constants)
        what = f"its constants of {shapes} do not fit each other"
        raise call.refuse(what, code="unsupported-shape") from error
    if not value.size:
        raise call.refuse("a constant of it is empty", code="unsupported-shape")
    if (_beyond(fold, value) >= UNBOUNDED).all():
        return None
    if not np.isfinite(value).all():
        what = "its constants are not all finite numbers"
        raise call.refuse(what, "train or export it again", "unsupported-model")
    return value


def _beyond(fold: Callable[..., Any], value: Any) -> Any:
    """Return how far constants are on the side that never wins."""
    match fold:
        case np.maximum:
            return -value
        case np.minimum:
            return value
    return np.zeros_like(value)
