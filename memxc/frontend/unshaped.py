"""The nodes of a file whose shapes cannot be told: enough to judge operators and attributes by."""

from __future__ import annotations

from pathlib import Path

import onnx  # noqa: TID251

from memxc.errors import MemxcError
from memxc.frontend.bound import SHALLOW
from memxc.frontend.convert import plain
from memxc.frontend.part import Part
from memxc.frontend.read import PLAIN_OPSET, opset_of, read
from memxc.frontend.sequences import KNOWN
from memxc.frontend.subgraphs import reads
from memxc.ir.graph import Node

#: Gone before there is a circuit, whatever they read.
_RESOLVED = KNOWN | {"If"}


def nodes(path: Path | Part) -> tuple[list[Node], int]:
    """The nodes that no folding takes away, and the opset they are read as.

    They compute with the numbers of the inputs, and an output needs them. Those in the branches of
    an If are left out. Nothing where the file cannot be read at all.
    """
    try:
        model = read(path)
    except MemxcError:
        return [], PLAIN_OPSET
    opset = opset_of(model)
    found = []
    for node in _depending(model.graph, _needed(model.graph)):
        if node.op_type not in _RESOLVED:
            # What opset 6 says with attributes is rewritten where shapes are known.
            attributes = node.attribute if opset >= PLAIN_OPSET else ()
            try:
                attrs = {a.name: plain(a, node.name) for a in attributes}
            except MemxcError:
                continue
            found.append(
                Node(node.name, node.op_type, tuple(node.input), tuple(node.output), attrs)
            )
    return found, max(opset, PLAIN_OPSET)


def _needed(graph: onnx.GraphProto) -> set[str]:
    """Tensors that an output is computed from."""
    needed = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if needed.intersection(filter(None, node.output)):
            needed.update(reads(node))
    return needed


def _depending(graph: onnx.GraphProto, needed: set[str]) -> list[onnx.NodeProto]:
    """Needed nodes that read more of the inputs than their shapes."""
    given = {tensor.name for tensor in graph.initializer}
    known = {value.name for value in graph.input} - given
    found = []
    for node in graph.node:
        shallow = {node.input[i] for i in SHALLOW.get(node.op_type, ()) if i < len(node.input)}
        if known.intersection(set(reads(node)) - shallow):
            known.update(filter(None, node.output))
            if needed.intersection(node.output):
                found.append(node)
    return found
