"""Constants folded: what is left are the nodes that compute something from the inputs."""

from __future__ import annotations

from math import prod

import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError, fail
from memxc.frontend.compute import Budget, value_of
from memxc.frontend.infer import infer
from memxc.frontend.network import LARGEST_TENSOR, Network, Shape
from memxc.frontend.upgrade import upgraded


def fold(network: Network) -> None:
    """Compute every node that needs no input of the network, then drop what no output needs.

    One walk in topological order. Raises MemxcError with every node whose shapes do not fit, or
    cannot be told before it runs.
    """
    _drop_dead(network)
    read = set(network.outputs).union(*(node.input for node in network.nodes))
    budget, faults, left = Budget(network), list[Fault](), list[onnx.NodeProto]()
    for node in network.nodes:
        if not all(name in network.shapes for name in filter(None, node.input)):
            continue  # A node before it has its fault.
        try:
            for part in upgraded(node, network) if network.old else [node]:
                if not _folded(part, network, budget):
                    left.append(part)
                    _check_outputs(part, network, read)
        except MemxcError as error:
            faults += error.faults
    if faults:
        raise MemxcError(faults)
    network.nodes = left
    _drop_dead(network)


def _folded(node: onnx.NodeProto, network: Network, budget: Budget) -> bool:
    """Whether a node is computed now; its shapes and constants are noted."""
    infer(node, network)
    values = value_of(node, network, budget)
    for name, value in (values or {}).items():
        network.add(name, value)
    return values is not None


def _drop_dead(network: Network) -> None:
    needed, live = set(network.outputs), []
    for node in reversed(network.nodes):
        if needed.intersection(filter(None, node.output)):
            needed.update(node.input)
            live.append(node)
    network.nodes = live[::-1]


def _check_outputs(node: onnx.NodeProto, network: Network, read: set[str]) -> None:
    """Raise MemxcError where an output that is read has an open, empty or absurd shape."""
    for name in filter(None, node.output):
        what = _unusable(network.shapes.get(name)) if name in read else ""
        if what:
            network.shapes.pop(name, None)
            hint = "export the model with fixed shapes, or fix its inputs with --shape"
            raise fail("unsupported-shape", node.name, f"its output {name!r} {what}", hint)


def _unusable(shape: Shape | None) -> str:
    if shape is None:
        return "has a shape that only the data tells"
    if min(shape, default=1) < 1:
        return f"has the shape {list(shape)}, which holds nothing"
    if prod(shape) > LARGEST_TENSOR:
        return f"has the shape {list(shape)}: more elements than a circuit can have nets"
    return ""
