"""Softmax, LogSoftmax and ArgMax: a processor computes them behind the last circuit.

If a circuit reads them, Softmax and LogSoftmax are circuits, too.
"""

from __future__ import annotations

from memxc.ir.stages import Digital
from memxc.ops._blocks import DIFFERENCE, LOGARITHM, SUM, built
from memxc.ops._call import Call, Parts, axes_of, axis_of
from memxc.ops._registry import operator
from memxc.ops._softmax import exponentials, normalised
from memxc.ops._steps import Steps


@operator("Softmax", attrs={"axis": None})
def softmax(call: Call) -> Parts:
    """Return a digital stage behind the network's last circuit, otherwise a circuit."""
    if not call.inside:
        return [_along(call, "softmax")]
    steps = Steps(call)
    return steps.end(normalised(steps, steps.given(0), _axes(call)))


@operator("LogSoftmax", attrs={"axis": None})
def log_softmax(call: Call) -> Parts:
    """Return a digital stage behind the network's last circuit, otherwise a circuit."""
    if not call.inside:
        return [_along(call, "log-softmax")]
    steps = Steps(call)
    x, axes = steps.given(0), _axes(call)
    top, _, total = exponentials(steps, x, axes)
    # The largest number adds exp(0), so the sum is never below 1.
    circuit = built("log_softmax", LOGARITHM, SUM, DIFFERENCE)
    return steps.end(steps.lanes("result", "x0-x1-ln(max(x2,1))", circuit, x, top, total))


@operator(
    "ArgMax",
    attrs={"axis": 0, "keepdims": 1, "select_last_index": 0},
    integers=True,
)
def arg_max(call: Call) -> Parts:
    """Return a digital stage, behind the network's last circuit."""
    shape = call.shape_of(0)
    options = {
        "shape": list(shape),
        "axis": axis_of(call, "axis"),
        "keepdims": bool(call.attrs["keepdims"]),
        "last": bool(call.attrs["select_last_index"]),
    }
    return [Digital(call.name, (call.bus(0),), call.dst, "argmax", options)]


def _along(call: Call, function: str) -> Digital:
    options = {"shape": list(call.shape_of(0)), "axes": list(_axes(call))}
    return Digital(call.name, (call.bus(0),), call.dst, function, options)


def _axes(call: Call) -> tuple[int, ...]:
    shape, given = call.shape_of(0), call.attrs["axis"]
    # Up to opset 12, all axes from this one on are flattened into one.
    alone = call.graph.opset >= 13
    default = -1 if alone else min(1, len(shape) - 1)
    (first,) = axes_of(call, "axis", [default if given is None else given])
    return (first,) if alone else tuple(range(first, len(shape)))
