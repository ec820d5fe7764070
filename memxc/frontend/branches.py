"""Graphs in a node: the branch that an If takes, and names in the network for what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx  # noqa: TID251

from memxc.errors import fail
from memxc.frontend.network import Network
from memxc.frontend.tensors import array

#: Characters of an If's name that become the prefix of every name in its branch.
_SHOWN = 40


def taken(node: onnx.NodeProto, condition: str, network: Network) -> onnx.GraphProto:
    """Return the branch that an If always takes; `condition` is a tensor's name.

    Raises MemxcError: unsupported-op if the branch depends on the data, broken-model if there is
    none.
    """
    value = network.constants.get(condition)
    if value is None:
        what = "If chooses its path at run time, and a circuit has one path"
        raise fail("unsupported-op", node.name, what)
    wanted = "then_branch" if value.size == 1 and bool(value.reshape(())) else "else_branch"
    candidates: list[onnx.GraphProto] = [
        a.g for a in node.attribute if a.name == wanted and a.HasField("g")
    ]
    if value.size != 1 or len(candidates) != 1 or len(candidates[0].output) != len(node.output):
        what = f"its condition {condition!r} chooses none of its branches"
        raise fail("broken-model", node.name, what)
    if candidates[0].sparse_initializer:
        raise fail("unsupported-model", node.name, "its branch holds sparse tensors")
    return candidates[0]


def held(node: onnx.NodeProto, graph: onnx.GraphProto, network: Network) -> dict[str, str]:
    """Return new names for the constants of a graph in a node, after adding them to the network."""
    names = {}
    for tensor in graph.initializer:
        names[tensor.name] = network.fresh(f"{node.name[:_SHOWN]}/{tensor.name}")
        network.add(names[tensor.name], array(tensor, tensor.name))
    return names


def entered(node: onnx.NodeProto, graph: onnx.GraphProto, network: Network) -> dict[str, str]:
    """Return new names for all tensors that a graph in a node computes."""
    made = (name for part in graph.node for name in part.output if name)
    return {name: network.fresh(f"{node.name[:_SHOWN]}/{name}") for name in made}


def renamed(node: onnx.NodeProto, names: Mapping[str, str], network: Network) -> onnx.NodeProto:
    """Return a copy of a node of a graph in a node, under names of the network."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = network.fresh(node.name or node.op_type)
    copy.input[:] = [names.get(tensor, tensor) for tensor in node.input]
    copy.output[:] = [names.get(tensor, tensor) for tensor in node.output]
    return copy


def results(node: onnx.NodeProto, graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    """Yield each output of an If with the branch's own name for it."""
    for output, result in zip(node.output, graph.output, strict=True):
        if output:
            yield output, result.name
