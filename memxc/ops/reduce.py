"""Reductions along axes: sums are fixed resistors, extrema are diode selectors, norms are both."""

from __future__ import annotations

from math import prod

from memxc.ir.stages import Circuit
from memxc.ops import _blocks
from memxc.ops._call import Call, Parts
from memxc.ops._power import MOST_FACTORS, magnitudes, root
from memxc.ops._registry import operator
from memxc.ops._softmax import exponentials, extreme, total
from memxc.ops._steps import Steps
from memxc.ops._traits import beside_channels
from memxc.ops._windows import Axes

_ATTRS = {"axes": None, "keepdims": 1, "noop_with_empty_axes": 0}


def _axes(call: Call) -> Axes:
    """Return the axes to reduce: all if none are given, or on request none."""
    rank = len(call.shape_of(0))
    given = call.listed("axes", 1)
    if not given:
        return () if call.attrs["noop_with_empty_axes"] else tuple(range(rank))
    if not all(-rank <= axis < rank for axis in given):
        raise call.refuse(f"axes = {list(given[:8])} of a tensor of {rank} axes")
    return tuple(sorted({axis % rank for axis in given}))


_PER_CHANNEL = beside_channels(_axes)


@operator("ReduceMean", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_mean(call: Call) -> Parts:
    """Return one resistor for each number that is averaged."""
    steps, axes = Steps(call), _axes(call)
    count = prod(call.shape_of(0)[axis] for axis in axes)
    return steps.end(total(steps, steps.given(0), axes, 1.0 / count))


@operator("ReduceSum", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_sum(call: Call) -> Parts:
    """Return one resistor for each number that is added."""
    steps = Steps(call)
    return steps.end(total(steps, steps.given(0), _axes(call)))


@operator("ReduceMax", attrs=_ATTRS, integers=True, channelwise=_PER_CHANNEL)
def reduce_max(call: Call) -> Parts:
    """Return a diode selector."""
    return _chosen(call, "max")


@operator("ReduceMin", attrs=_ATTRS, integers=True, channelwise=_PER_CHANNEL)
def reduce_min(call: Call) -> Parts:
    """Return a diode selector with reversed diodes."""
    return _chosen(call, "min")


@operator("ReduceProd", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_prod(call: Call) -> Parts:
    """Return a chain of multipliers."""
    steps, axes = Steps(call), _axes(call)
    count = prod(call.shape_of(0)[axis] for axis in axes)
    if count > MOST_FACTORS:
        raise call.refuse(
            f"a product of {count} signals",
            f"a chain of more than {MOST_FACTORS} multipliers is no circuit that could be built",
            "unsupported-op",
        )
    if count == 1:
        return steps.end(steps.given(0))
    expr = "*".join(f"x{k}" for k in range(count))
    chain = Circuit("product", multipliers=count - 1)
    return steps.end(steps.along("product", expr, chain, steps.given(0), axes))


@operator("ReduceL1", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_l1(call: Call) -> Parts:
    """Return a full-wave rectifier for each number, and their sum by resistors."""
    steps = Steps(call)
    return steps.end(total(steps, magnitudes(steps, steps.given(0), 1), _axes(call)))


@operator("ReduceSumSquare", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_sum_square(call: Call) -> Parts:
    """Return a multiplier for each number, and their sum by resistors."""
    steps = Steps(call)
    return steps.end(total(steps, magnitudes(steps, steps.given(0), 2), _axes(call)))


@operator("ReduceL2", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_l2(call: Call) -> Parts:
    """Return a multiplier for each number, their sum by resistors, and its root."""
    steps = Steps(call)
    whole = total(steps, magnitudes(steps, steps.given(0), 2), _axes(call))
    return steps.end(root(steps, whole, 2))


@operator("ReduceLogSum", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_log_sum(call: Call) -> Parts:
    """Return a sum by resistors, and its logarithm."""
    steps = Steps(call)
    whole = total(steps, steps.given(0), _axes(call))
    expr, circuit = f"ln(max(x0,{_blocks.LEAST!r}))", _blocks.built("log", _blocks.LOGARITHM)
    return steps.end(steps.lanes("logarithm", expr, circuit, whole))


@operator("ReduceLogSumExp", attrs=_ATTRS, channelwise=_PER_CHANNEL)
def reduce_log_sum_exp(call: Call) -> Parts:
    """Return max + ln(sum of exp(x - max)), so that the volts stay in range."""
    steps, axes = Steps(call), _axes(call)
    x = steps.given(0)
    top, _, whole = exponentials(steps, x, axes)
    above = _blocks.built("logarithm_above", _blocks.LOGARITHM, _blocks.SUM)
    # The largest number adds exp(0), so the sum is never below 1.
    return steps.end(steps.lanes("logarithm", "ln(max(x0,1))+x1", above, whole, top))


def _chosen(call: Call, function: str) -> Parts:
    steps = Steps(call)
    return steps.end(extreme(steps, function, steps.given(0), _axes(call)))
