"""Take lists of tensors apart, which PyTorch writes for a split or for a list that a loop fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx  # noqa: TID251

from memxc.errors import MemxcError, fail
from memxc.frontend.network import Network

#: The operators on lists that are taken apart.
KNOWN = frozenset({
    "ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase",
    "SequenceInsert", "SequenceLength", "SplitToSequence",
})  # fmt: skip
#: Most members of all lists of a network; each of them becomes a tensor.
_MOST = 2**16
#: From this opset on sizes and axes are inputs, not attributes.
_AS_INPUTS = 13


def unpacked(node: onnx.NodeProto, network: Network) -> list[onnx.NodeProto]:
    """Return nodes on tensors for a node on lists; any other node as it is.

    Raises MemxcError (unsupported-op, unsupported-shape, broken-model).
    """
    members = _listed(node, network)
    if members is not None:
        network.sequences[node.output[0]] = _counted(members, node, network)
        return []
    settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    match node.op_type:
        case "SplitToSequence":
            return _split(node, settings, network)
        case "SequenceAt":
            ends = [_member(node, network)], [node.output[0]]
            return [onnx.helper.make_node("Identity", *ends, name=network.fresh(node.name))]
        case "SequenceLength":
            network.add(node.output[0], np.array(len(_members(node, network))))
            return []
        case "ConcatFromSequence":
            return _joined(node, settings, network)
    if any(name in network.sequences for name in node.input):
        what = f"{node.op_type} works on a list of tensors, a circuit on tensors"
        raise fail("unsupported-op", node.name, what)
    return [node]


def _split(
    node: onnx.NodeProto, settings: dict[str, Any], network: Network
) -> list[onnx.NodeProto]:
    source, target = node.input[0], node.output[0]
    axis, size = _axis(node, settings, network)
    given = node.input[1] if len(node.input) > 1 and node.input[1] else ""
    sizes = _sizes(node, network.constants.get(given) if given else np.array(1), size)
    count = range(len(sizes))
    parts = _counted(tuple(network.fresh(f"{target}/{i}") for i in count), node, network)
    network.sequences[target] = parts
    keep = given or settings.get("keepdims", 1)
    cuts = parts if keep else tuple(network.fresh(f"{part}/cut") for part in parts)
    split = with_numbers("Split", [source], list(cuts), "split", sizes, network, axis=axis)
    pairs = [] if keep else zip(cuts, parts, strict=True)
    return [
        split,
        *(with_numbers("Squeeze", [cut], [part], "axes", [axis], network) for cut, part in pairs),
    ]


def _axis(node: onnx.NodeProto, settings: dict[str, Any], network: Network) -> tuple[int, int]:
    """Return the axis that is split, counted from the front, and its size."""
    shape, axis = network.shapes[node.input[0]], int(settings.get("axis", 0))
    if not -len(shape) <= axis < len(shape):
        raise fail("broken-model", node.name, f"splits axis {axis} of {list(shape)}")
    return axis % len(shape), shape[axis]


def _sizes(node: onnx.NodeProto, given: Any, size: int) -> list[int]:
    """Return the sizes of the parts: as given, or equal ones with a smaller last one."""
    if given is None:
        raise fail("unsupported-op", node.name, "the sizes of its parts are computed at run time")
    if given.dtype.kind not in "iu":
        raise fail("broken-model", node.name, "the sizes of its parts are not whole numbers")
    if not size:
        raise fail("broken-model", node.name, "splits an axis of size 0")
    if given.ndim == 0:
        step = int(given)
        if step < 1 or -(-size // step) > _MOST:
            raise _absurd(node, size)
        return [min(step, size - start) for start in range(0, size, step)]
    sizes = [int(part) for part in given.reshape(-1)]
    if min(sizes, default=0) < 0 or sum(sizes) != size:
        raise _absurd(node, size)
    return sizes


def _absurd(node: onnx.NodeProto, size: int) -> MemxcError:
    return fail("broken-model", node.name, f"its parts do not make up the {size} it splits")


def _listed(node: onnx.NodeProto, network: Network) -> tuple[str, ...] | None:
    """Return the members of the list that a node gives, or None if it gives tensors."""
    match node.op_type:
        case "SequenceEmpty":
            return ()
        case "SequenceConstruct":
            return tuple(node.input)
        case "Identity" if node.input[0] in network.sequences:
            return network.sequences[node.input[0]]
        case "SequenceInsert":
            members = [*_members(node, network), ""]
            place = _place(node, node.input[2:], members, network)
            last = len(members) - 1
            return (*members[:place], node.input[1], *members[place:last])
        case "SequenceErase":
            members = [*_members(node, network)]
            place = _place(node, node.input[1:], members, network)
            return (*members[:place], *members[place + 1 :])
    return None


def _member(node: onnx.NodeProto, network: Network) -> str:
    members = _members(node, network)
    return members[_place(node, node.input[1:], members, network)]


def _place(
    node: onnx.NodeProto, given: Sequence[str], members: Sequence[str], network: Network
) -> int:
    """Return a constant place in a list, the last one if none is given.

    For an insertion the list has an empty member at its end, which does not count from behind.
    """
    count = len(members)
    if not members:
        raise fail("broken-model", node.name, "takes a member of a list that holds nothing")
    if not any(given):
        return count - 1
    place = network.constants.get(given[0])
    if place is None or place.size != 1:
        raise fail("unsupported-op", node.name, "which member it takes is computed at run time")
    index = int(place.reshape(()))
    behind = count - 1 if node.op_type == "SequenceInsert" else count
    if not -behind <= index < count:
        raise fail("broken-model", node.name, f"takes member {index} of {count}")
    return index if index >= 0 else index + behind


def _joined(
    node: onnx.NodeProto, settings: dict[str, Any], network: Network
) -> list[onnx.NodeProto]:
    members, axis = _counted(_members(node, network), node, network), settings["axis"]
    if not members:
        raise fail("unsupported-shape", node.name, "joins a list that holds nothing")
    stacked = list(members)
    nodes = []
    if settings.get("new_axis"):
        stacked = [network.fresh(f"{node.output[0]}/{i}") for i in range(len(members))]
        nodes = [
            with_numbers("Unsqueeze", [member], [name], "axes", [axis], network)
            for member, name in zip(members, stacked, strict=True)
        ]
    name = network.fresh(node.name)
    return [*nodes, onnx.helper.make_node("Concat", stacked, node.output, name=name, axis=axis)]


def _members(node: onnx.NodeProto, network: Network) -> tuple[str, ...]:
    if node.input[0] not in network.sequences:
        raise fail("broken-model", node.name, f"{node.input[0]!r} is not a list of tensors")
    return network.sequences[node.input[0]]


def _counted(names: tuple[str, ...], node: onnx.NodeProto, network: Network) -> tuple[str, ...]:
    network.members += len(names)
    if network.members > _MOST:
        raise fail("unsupported-shape", node.name, f"lists of more than {_MOST:,} tensors in all")
    return names


def with_numbers(
    kind: str,
    inputs: list[str],
    outputs: list[str],
    role: str,
    numbers: list[int],
    network: Network,
    **settings: Any,
) -> onnx.NodeProto:
    """Return a node with numbers as an attribute or as an input, as its opset requires."""
    name = network.fresh(outputs[0])
    if network.opset < _AS_INPUTS:
        settings[role] = numbers
        return onnx.helper.make_node(kind, inputs, outputs, name=name, **settings)
    held = network.fresh(f"{outputs[0]}/{role}")
    network.add(held, np.array(numbers, np.int64))
    return onnx.helper.make_node(kind, [*inputs, held], outputs, name=name, **settings)
