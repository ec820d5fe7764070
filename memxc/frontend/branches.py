"""If: which branch is taken, and what its nodes and tensors are called in the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx  # noqa: TID251

from memxc.errors import fail
from memxc.frontend.network import Network
from memxc.frontend.subgraphs import made
from memxc.frontend.tensors import array

#: The name of an If stands before those of its branch; cut, for a branch may have many.
_SHOWN = 40


def taken(node: onnx.NodeProto, condition: str, network: Network) -> onnx.GraphProto:
    """The branch that an If takes whatever the inputs are; `condition` is a tensor's name.

    Raises MemxcError (unsupported-op, broken-model) where only the data tells, or nothing does.
    """
    value = network.constants.get(condition)
    if value is None:
        what = "If chooses its path at run time, and a circuit has one path"
        raise fail("unsupported-op", node.name, what)
    wanted = "then_branch" if value.size == 1 and bool(value.reshape(())) else "else_branch"
    found: list[onnx.GraphProto] = [
        a.g for a in node.attribute if a.name == wanted and a.HasField("g")
    ]
    if value.size != 1 or len(found) != 1 or len(found[0].output) != len(node.output):
        what = f"its condition {condition!r} chooses none of its branches"
        raise fail("broken-model", node.name, what)
    if found[0].sparse_initializer:
        raise fail("unsupported-model", node.name, "its branch holds sparse tensors")
    return found[0]


def entered(node: onnx.NodeProto, graph: onnx.GraphProto, network: Network) -> dict[str, str]:
    """New names of all tensors that a branch makes; its constants are noted under them."""
    names = {name: network.fresh(f"{node.name[:_SHOWN]}/{name}") for name in made(graph)}
    for tensor in graph.initializer:
        network.add(names[tensor.name], array(tensor, tensor.name))
    return names


def renamed(node: onnx.NodeProto, names: Mapping[str, str], network: Network) -> onnx.NodeProto:
    """A copy of a branch's node under names of the network."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = network.fresh(node.name or node.op_type)
    copy.input[:] = [names.get(tensor, tensor) for tensor in node.input]
    copy.output[:] = [names.get(tensor, tensor) for tensor in node.output]
    return copy


def results(node: onnx.NodeProto, graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    """Each output of an If with the branch's own name of what it is."""
    for output, result in zip(node.output, graph.output, strict=True):
        if output:
            yield output, result.name
