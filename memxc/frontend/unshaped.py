"""The nodes of a file with unknown shapes: enough to judge operators and attributes."""

from __future__ import annotations

from pathlib import Path

import onnx  # noqa: TID251

from memxc.errors import MemxcError
from memxc.frontend.bound import SHALLOW
from memxc.frontend.convert import plain
from memxc.frontend.part import ModelPart
from memxc.frontend.read import PLAIN_OPSET, opset_of, read
from memxc.frontend.sequences import KNOWN
from memxc.frontend.subgraphs import RESOLVED, reads
from memxc.ir.graph import Node

#: Operators that are always resolved before there is a circuit.
_RESOLVED = KNOWN | RESOLVED


def nodes(path: Path | ModelPart) -> tuple[list[Node], int]:
    """Return the nodes that folding cannot remove, and the opset that they are read as.

    These nodes use the numbers of the inputs, and an output needs them. Nodes in the branches of an
    If are left out. The list is empty if the file cannot be read.
    """
    try:
        model = read(path)
    except MemxcError:
        return [], PLAIN_OPSET
    opset = opset_of(model)
    remaining = []
    for node in _depending(model.graph, _needed(model.graph)):
        if node.op_type not in _RESOLVED:
            # The attributes of opset 6 are left out, because upgrading them needs known shapes.
            attributes = node.attribute if opset >= PLAIN_OPSET else ()
            try:
                attrs = {a.name: plain(a, node.name) for a in attributes}
            except MemxcError:
                continue
            remaining.append(
                Node(node.name, node.op_type, tuple(node.input), tuple(node.output), attrs)
            )
    return remaining, max(opset, PLAIN_OPSET)


def _needed(graph: onnx.GraphProto) -> set[str]:
    """Return the tensors that an output is computed from."""
    needed = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if needed.intersection(filter(None, node.output)):
            needed.update(reads(node))
    return needed


def _depending(graph: onnx.GraphProto, needed: set[str]) -> list[onnx.NodeProto]:
    """Return needed nodes that read more of the inputs than their shapes."""
    weights = {tensor.name for tensor in graph.initializer}
    reached = {value.name for value in graph.input} - weights
    nodes = []
    for node in graph.node:
        shallow = {node.input[i] for i in SHALLOW.get(node.op_type, ()) if i < len(node.input)}
        if reached.intersection(set(reads(node)) - shallow):
            reached.update(filter(None, node.output))
            if needed.intersection(node.output):
                nodes.append(node)
    return nodes
