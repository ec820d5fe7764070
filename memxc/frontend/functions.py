"""Local functions put in place of their calls; first counted, for they can multiply without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

import onnx  # noqa: TID251
from onnx import inliner  # noqa: TID251

from memxc.errors import fail

_Key = tuple[str, str, str]
#: Nodes of the inlined network. The largest trained networks have some ten thousand.
_MOST_NODES = 200_000


def inlined(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The model without local functions. Raises MemxcError (broken-model, unsupported-model)."""
    if not model.functions:
        return model
    nodes = _nodes_when_inlined(model, where)
    if nodes > _MOST_NODES:
        raise fail("unsupported-model", where, f"its functions unfold to {nodes:.3g} nodes")
    try:
        return inliner.inline_local_functions(model)
    # The inliner throws C++ errors of many kinds, and what it reads is hostile input.
    except Exception as error:
        raise fail("broken-model", where, f"its functions cannot be inlined: {error}") from error


def _nodes_when_inlined(model: onnx.ModelProto, where: str) -> int:
    functions = {(f.domain, f.name, f.overload): list(_walk(f.node)) for f in model.functions}
    sorter = TopologicalSorter(
        {key: {_key(node) for node in nodes} for key, nodes in functions.items()}
    )
    sizes: dict[_Key, int] = {}
    try:
        for key in sorter.static_order():
            sizes[key] = (
                sum(sizes[_key(node)] for node in functions[key]) if key in functions else 1
            )
    except CycleError as error:
        names = " -> ".join(name for _, name, _ in error.args[1])
        raise fail("broken-model", where, f"its functions call each other: {names}") from error
    return sum(sizes.get(_key(node), 1) for node in _walk(model.graph.node))


def _key(node: onnx.NodeProto) -> _Key:
    return node.domain, node.op_type, node.overload


def _walk(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes, and those of the subgraphs in their attributes."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _walk(graph.node)
