"""If: the branch that is taken, and the names of its nodes and tensors in the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx  # noqa: TID251

from memxc.errors import fail
from memxc.frontend.network import Network
from memxc.frontend.subgraphs import made
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


def entered(node: onnx.NodeProto, graph: onnx.GraphProto, network: Network) -> dict[str, str]:
    """Return new names for all tensors of a branch, and add its constants under these names."""
    names = {name: network.fresh(f"{node.name[:_SHOWN]}/{name}") for name in made(graph)}
    for tensor in graph.initializer:
        network.add(names[tensor.name], array(tensor, tensor.name))
    return names


def renamed(node: onnx.NodeProto, names: Mapping[str, str], network: Network) -> onnx.NodeProto:
    """Return a copy of a branch's node under names of the network."""
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
