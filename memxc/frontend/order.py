"""Check that every tensor is made once, and before it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import onnx  # noqa: TID251

from memxc.errors import Fault, printable
from memxc.frontend.subgraphs import reads

_SHOWN = 8


def order_faults(graph: onnx.GraphProto, where: str) -> list[Fault]:
    """Return faults of tensors that are made twice, never, too late or in a circle."""
    faults = list(_twice(graph))
    circle = _circle(graph)
    if circle:
        more = f" and {len(circle) - _SHOWN} more" if len(circle) > _SHOWN else ""
        names = ", ".join(printable(node.name, 40) for node in circle[:_SHOWN])
        what = f"these nodes wait for each other in a circle: {names}{more}"
        return [*faults, Fault("broken-model", where, what)]
    return [*faults, *_unmade(graph)]


def _twice(graph: onnx.GraphProto) -> Iterator[Fault]:
    """Yield faults of names that two tensors share.

    An initialiser may also be listed as an input.
    """
    weights = {tensor.name for tensor in graph.initializer}
    kinds = {
        "initialisers": [tensor.name for tensor in graph.initializer],
        "inputs": [value.name for value in graph.input],
        "outputs": [value.name for value in graph.output],
    }
    for kind, names in kinds.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield Fault("broken-model", name, f"{count} {kind} have this name")
            if not name:
                yield Fault("broken-model", kind, "one has no name")
    constants = weights | set(kinds["inputs"])
    makers: dict[str, str] = {}
    for node in graph.node:
        for name in filter(None, node.output):
            if name in constants:
                what = f"writes {name!r}, which is an input or a weight"
                yield Fault("broken-model", node.name, what)
            elif name in makers:
                what = f"writes {name!r}, which {printable(makers[name], 40)} has written"
                yield Fault("broken-model", node.name, what)
            makers.setdefault(name, node.name)


def _circle(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes of one circle in their order; an empty list if there is none."""
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for i, node in enumerate(graph.node):
        sorter.add(i, *(makers[name] for name in reads(node) if name in makers))
    try:
        sorter.prepare()
    except CycleError as error:
        return [graph.node[i] for i in error.args[1][:-1]]
    return []


def _unmade(graph: onnx.GraphProto) -> Iterator[Fault]:
    """Yield faults of tensors that are read but are made later or never."""
    written = {value.name for value in graph.input} | {t.name for t in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        for name in reads(node):
            if name not in written:
                later = makers.get(name)
                why = "which nothing makes"
                if later is not None:
                    why = f"which {printable(later.name, 40)} makes only later in the file"
                yield Fault("broken-model", node.name, f"reads {name!r}, {why}")
        written |= set(node.output)
    for value in graph.output:
        if value.name and value.name not in written:
            yield Fault("broken-model", value.name, "is an output that nothing makes")
