"""Graphs in a node: the branches of an If, and names in the network for what is in a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

import numpy as np
import onnx  # noqa: TID251

from memxc.errors import MemxcError, fail
from memxc.frontend.network import Network
from memxc.frontend.tensors import array

#: The first opset with Where, which is the switch between two branches.
_SWITCH_SINCE = 9
#: Characters of an If's name that become the prefix of every name in its branch.
_SHOWN = 40


def taken(node: onnx.NodeProto, condition: str, network: Network) -> onnx.GraphProto:
    """Return the branch that an If always takes; `condition` is the name of a constant.

    Raises MemxcError (broken-model, unsupported-model) if there is none.
    """
    value = network.constants[condition]
    if value.size != 1:
        raise _none(node, condition)
    return _branch(node, "then_branch" if bool(value.reshape(())) else "else_branch", condition)


def both(node: onnx.NodeProto, condition: str, network: Network) -> list[onnx.GraphProto]:
    """Return the branches of an If whose condition is a signal: if it is true, and if it is not.

    Raises MemxcError (broken-model, unsupported-model, unsupported-op).
    """
    if condition not in network.shapes or prod(network.shapes[condition]) != 1:
        raise _none(node, condition)
    if network.opset < _SWITCH_SINCE:
        what = f"If chooses at run time, and opset {network.opset} has no operator for a switch"
        hint = f"export the model for opset {_SWITCH_SINCE} or newer"
        raise fail("unsupported-op", node.name, what, hint)
    return [_branch(node, name, condition) for name in ("then_branch", "else_branch")]


def switches(
    node: onnx.NodeProto, condition: str, ends: Iterable[tuple[str, str, str]], network: Network
) -> Iterator[onnx.NodeProto]:
    """Yield nodes that choose the outputs of an If at run time.

    ends: for each output its name, and its tensor in either branch. Raises MemxcError
    (unsupported-op) if these have different shapes or types.
    """
    single, shape = (network.fresh(f"{node.name[:_SHOWN]}/{word}") for word in ("on", "single"))
    network.add(shape, np.array([], np.int64))
    name = network.fresh(node.name)
    yield onnx.helper.make_node("Reshape", [condition, shape], [single], name=name)
    for output, *sides in ends:
        shapes = [network.shapes.get(name) for name in sides]
        kinds = {network.types.get(name) for name in sides}
        if None not in shapes and (shapes[0] != shapes[1] or len(kinds) > 1):
            what = f"If gives {output!r} another shape or type in its other branch"
            raise fail("unsupported-op", node.name, what, "a circuit has one shape for each signal")
        name = network.fresh(node.name)
        yield onnx.helper.make_node("Where", [single, *sides], [output], name=name)


def _branch(node: onnx.NodeProto, name: str, condition: str) -> onnx.GraphProto:
    graphs: list[onnx.GraphProto] = [
        a.g for a in node.attribute if a.name == name and a.HasField("g")
    ]
    if len(graphs) != 1 or len(graphs[0].output) != len(node.output):
        raise _none(node, condition)
    if graphs[0].sparse_initializer:
        raise fail("unsupported-model", node.name, "its branch holds sparse tensors")
    return graphs[0]


def _none(node: onnx.NodeProto, condition: str) -> MemxcError:
    what = f"its condition {condition!r} chooses none of its branches"
    return fail("broken-model", node.name, what)


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
