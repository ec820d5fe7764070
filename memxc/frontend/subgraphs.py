"""Graphs among the attributes of a node (the branches of an If): their nodes and tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx  # noqa: TID251

#: Operators with graphs that are resolved before there is a circuit.
RESOLVED = frozenset({"If", "Loop", "Scan"})


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs among a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def walk(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield the nodes, and the nodes of graphs among their attributes, at any depth."""
    for node in nodes:
        yield node
        for graph in subgraphs(node):
            yield from walk(graph.node)


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph, and the graphs among the attributes of its nodes, at any depth."""
    yield graph
    for node in walk(graph.node):
        yield from subgraphs(node)


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the tensors that a node reads, also those that its branches read from outside."""
    yield from filter(None, node.input)
    for graph in subgraphs(node):
        inside = {*made(graph), *(value.name for value in graph.input)}
        results = (value.name for value in graph.output)
        for name in (*(name for inner in graph.node for name in reads(inner)), *results):
            if name not in inside:
                yield name


def made(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield the tensors that a graph holds or computes."""
    yield from (tensor.name for tensor in graph.initializer)
    yield from (name for node in graph.node for name in node.output if name)
