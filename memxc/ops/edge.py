"""The functions that a processor computes behind the last circuit: Softmax, LogSoftmax, ArgMax."""

from __future__ import annotations

from memxc.ir.stages import Digital
from memxc.ops._call import Call, Parts, axes_of, axis_of
from memxc.ops._registry import operator


@operator("Softmax", attrs={"axis": None})
def softmax(call: Call) -> Parts:
    """Return a digital stage, behind the network's last circuit."""
    return [_along(call, "softmax")]


@operator("LogSoftmax", attrs={"axis": None})
def log_softmax(call: Call) -> Parts:
    """Return a digital stage, behind the network's last circuit."""
    return [_along(call, "log-softmax")]


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
    shape, given = call.shape_of(0), call.attrs["axis"]
    # Up to opset 12, all axes from this one on are flattened into one.
    alone = call.graph.opset >= 13
    default = -1 if alone else min(1, len(shape) - 1)
    (first,) = axes_of(call, "axis", [default if given is None else given])
    axes = [first] if alone else list(range(first, len(shape)))
    options = {"shape": list(shape), "axes": axes}
    return Digital(call.name, (call.bus(0),), call.dst, function, options)
