"""Read opset 6 as opset 7: write out broadcasting along an axis, refuse training modes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx  # noqa: TID251

from memxc.errors import MemxcError, fail
from memxc.frontend.network import Network, Shape

#: From opset 7 on these broadcast as numpy does; before, along an axis that they name.
_BINARY = frozenset({
    "Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor",
})  # fmt: skip
_MODES = frozenset({"BatchNormalization", "Dropout"})
#: Other operators that opset 7 changed.
_CHANGED = frozenset({"GRU", "LSTM", "Multinomial", "RNN", "Upsample"})


def upgraded(node: onnx.NodeProto, network: Network) -> list[onnx.NodeProto]:
    """Return nodes of opset 7 for a node of opset 6; the shapes of its inputs are known.

    Raises MemxcError (broken-model, unsupported-model, unsupported-op).
    """
    kind = node.op_type
    settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if kind in _CHANGED:
        what = f"{kind} has another meaning in opset 6"
        raise fail("unsupported-op", node.name, what, "export the model for a newer opset")
    if kind in _MODES:
        if not settings.get("is_test"):
            what = f"{kind} without is_test = 1 works as in training"
            raise fail("unsupported-model", node.name, what, "export the model for inference")
        return [_without(node, "is_test")]
    if kind == "PRelu":
        return _second_as(node, _slope(*_shapes(node, network)), network)
    if kind in _BINARY:
        return _second_as(node, _operand(node, settings, network), network)
    return [_without(node, "broadcast")] if kind == "Gemm" else [node]


def _shapes(node: onnx.NodeProto, network: Network) -> tuple[Shape, Shape]:
    if len(node.input) != 2 or not all(node.input):
        raise fail("broken-model", node.name, f"{node.op_type} does not have two inputs")
    first, second = (network.shapes[name] for name in node.input)
    return first, second


def _slope(signal: Shape, slope: Shape) -> Shape:
    """Return the shape of one slope a channel; numpy would take it for the last axis."""
    return slope + (1,) * (len(signal) - 2) if len(slope) == 1 and slope[0] > 1 else slope


def _operand(node: onnx.NodeProto, settings: dict[str, Any], network: Network) -> Shape:
    """Return the second operand's shape for which numpy does what `broadcast` and `axis` say."""
    first, second = _shapes(node, network)
    if not settings.get("broadcast"):
        if first != second:
            raise _misfit(node, first, second, "without broadcast = 1")
        return second
    if prod(second) == 1:
        return second if len(second) <= len(first) else ()
    axis = int(settings.get("axis", len(first) - len(second)))
    axis += len(first) if axis < 0 else 0
    behind = len(first) - axis - len(second)
    # A size of 1 is broadcast, too: the operators' specification does not say so, but exporters
    # did.
    fits = (size in (1, whole) for size, whole in zip(second, first[axis:], strict=False))
    if axis < 0 or behind < 0 or not all(fits):
        raise _misfit(node, first, second, f"at axis {axis}")
    return second + (1,) * behind


def _misfit(node: onnx.NodeProto, first: Shape, second: Shape, how: str) -> MemxcError:
    what = f"{node.op_type} does not fit what it reads: {list(first)} and {list(second)} {how}"
    return fail("broken-model", node.name, what)


def _second_as(node: onnx.NodeProto, shape: Shape, network: Network) -> list[onnx.NodeProto]:
    """Return the node with numpy's broadcasting, with its second input reshaped."""
    plain = _without(node, "axis", "broadcast")
    name = node.input[1]
    if shape == network.shapes[name]:
        return [plain]
    sizes, other = network.fresh(f"{name}/sizes"), network.fresh(f"{name}/aligned")
    network.add(sizes, np.array(shape, np.int64))
    reshape = onnx.helper.make_node(
        "Reshape", [name, sizes], [other], name=network.fresh(f"{node.name}/align")
    )
    plain.input[1] = other
    return [reshape, plain]


def _without(node: onnx.NodeProto, *names: str) -> onnx.NodeProto:
    """Return a copy of the node without some attributes."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    copy.attribute.extend(a for a in node.attribute if a.name not in names)
    return copy
