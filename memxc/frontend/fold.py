"""Constants folded: what is left are the nodes that compute something from the inputs."""

from __future__ import annotations

from math import prod

from memxc.errors import Fault, MemxcError
from memxc.frontend.compute import Budget, value_of
from memxc.frontend.infer import infer
from memxc.frontend.network import LARGEST_TENSOR, Network, Shape


def fold(network: Network) -> None:
    """Fold until nothing changes, then drop the nodes that no output needs.

    A node is folded whose inputs are all constant, and Shape and Size of a known shape. What
    that makes known is handed to shape inference, and so on. Raises MemxcError.
    """
    budget = Budget(network)
    _drop_dead(network)
    infer(network)
    while _fold_once(network, budget):
        infer(network)
    _drop_dead(network)
    _check_static(network)


def _fold_once(network: Network, budget: Budget) -> bool:
    """One walk in topological order; whether anything was folded."""
    left, changed = [], False
    for node in network.nodes:
        values = value_of(node, network, budget)
        if values is None:
            left.append(node)
        else:
            network.constants.update(values)
            network.shapes.update({name: value.shape for name, value in values.items()})
            changed = True
    network.nodes = left
    return changed


def _drop_dead(network: Network) -> None:
    needed, live = set(network.outputs), []
    for node in reversed(network.nodes):
        if needed.intersection(filter(None, node.output)):
            needed.update(node.input)
            live.append(node)
    network.nodes = live[::-1]


def _check_static(network: Network) -> None:
    """Raise MemxcError with every node that makes a tensor of open, empty or absurd shape."""
    read = set(network.outputs).union(*(node.input for node in network.nodes))
    faults = []
    for node in network.nodes:
        if not all(name in network.shapes for name in filter(None, node.input)):
            continue  # Not the cause: a node before it is.
        for name in filter(None, node.output):
            what = _unusable(network.shapes.get(name)) if name in read else ""
            if what:
                hint = "export the model with fixed shapes, or fix its inputs with --shape"
                faults.append(Fault("unsupported-shape", node.name, f"{name!r} {what}", hint))
    if faults:
        raise MemxcError(faults)


def _unusable(shape: Shape | None) -> str:
    if shape is None:
        return "has a shape that only the data tells"
    if min(shape, default=1) < 1:
        return f"has the shape {list(shape)}, which holds nothing"
    if prod(shape) > LARGEST_TENSOR:
        return f"has the shape {list(shape)}: more elements than a circuit can have nets"
    return ""
