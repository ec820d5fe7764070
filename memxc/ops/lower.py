"""Graph -> Design: the column of each operator gives its stages. No operator has its name here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from memxc import frontend, ops, units
from memxc.errors import Fault, MemxcError
from memxc.ir.bounds import MOST_IN_ALL
from memxc.ir.design import Bus, Design
from memxc.ir.graph import Graph, Node
from memxc.ir.sizes import DesignSize
from memxc.ir.stages import Digital, Rename, Stage
from memxc.ops import _digital
from memxc.ops._islands import Island
from memxc.ops._rows import NodeRow, row

__all__ = ["NodeRow", "islands_of", "load_graph", "lower", "survey"]


@dataclass(frozen=True)
class _Lowered:
    """The stages and inner buses of each node, and the faults of each, by the node's position."""

    parts: Mapping[int, ops.Parts]
    faults: Mapping[int, tuple[Fault, ...]]


def load_graph(
    path: Path | frontend.ModelPart,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    digital: Sequence[str] = (),
) -> Graph:
    """Return the network of a file, as `frontend.load` does.

    digital: what stays digital, as in `islands_of`. If the shapes of the network cannot be
    computed, MemxcError also has the faults of operators and attributes that are refused whatever
    the shapes are.
    """
    computed: list[Graph] = []

    def parts(graph: Graph) -> list[tuple[int, ...]]:
        computed.append(graph)
        return [island.nodes for island in islands_of(graph, digital)]

    try:
        return frontend.load(path, shapes, parts if digital else None)
    except MemxcError as error:
        if computed:
            raise
        told = {fault.where.removeprefix(f"{path}:") for fault in error.faults}
        nodes, opset = frontend.nodes(path)
        more = [f for node in nodes if node.name not in told for f in ops.judge(node, opset)]
        raise MemxcError([*error.faults, *more]) from error


def islands_of(graph: Graph, digital: Sequence[str]) -> list[Island]:
    """Return the parts of a graph that stay digital, as `_digital.chosen` does."""
    lowered = _walk(graph)
    return _digital.chosen(graph, digital, lowered.parts, lowered.faults)


def lower(graph: Graph) -> Design:
    """Return the stages of all nodes, over buses that have the names of the tensors.

    Raises MemxcError with the faults of all nodes at once.
    """
    lowered = _walk(graph)
    faults = _all_faults(graph, lowered)
    if faults:
        raise MemxcError(faults)
    parts = list(_named(graph, lowered))
    stages = tuple(part for part in parts if not isinstance(part, Bus))
    inner = {part.name: part for part in parts if isinstance(part, Bus)}
    names = dict.fromkeys([*graph.inputs, *(stage.dst for stage in stages)])
    design = Design(
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        buses={name: inner.get(name) or Bus(name, graph.shapes[name]) for name in names},
        stages=stages,
    )
    design.verify()
    return design


def _named(graph: Graph, lowered: _Lowered) -> Iterator[Stage | Bus]:
    """Yield all parts, each stage with a unique name. The name of a node goes before others."""
    nodes, taken = {node.name for node in graph.nodes}, set[str]()
    for index, node in enumerate(graph.nodes):
        for part in lowered.parts[index]:
            if isinstance(part, Bus):
                yield part
                continue
            name = part.name
            while name in taken or (name in nodes and name != node.name):
                name += "'"
            taken.add(name)
            yield part if name == part.name else replace(part, name=name)


def survey(graph: Graph, digital: Sequence[str] = ()) -> tuple[list[NodeRow], list[Fault]]:
    """Return what becomes of each node, in the order of the graph, and every fault.

    digital: what stays digital, as in `islands_of`.
    """
    lowered = _walk(graph)
    island = {
        number: f"island {count}, {units.some(part.adcs, 'ADC')}, {units.some(part.dacs, 'DAC')}"
        for count, part in enumerate(islands_of(graph, digital) if digital else (), 1)
        for number in part.nodes
    }
    faults = {number: found for number, found in lowered.faults.items() if number not in island}
    rows = [
        NodeRow(node.name, node.op, "digital", island[index])
        if index in island
        else row(node, lowered.parts.get(index, ()), faults.get(index, ()))
        for index, node in enumerate(graph.nodes)
    ]
    return rows, _all_faults(graph, _Lowered(lowered.parts, faults))


def _walk(graph: Graph) -> _Lowered:
    """Lower each node by itself, so that a node that fails adds no faults to its readers.

    A function that a processor could compute behind the last circuit becomes one if a circuit reads
    it, as far as it can.
    """
    read = frozenset(name for node in graph.nodes for name in node.inputs if name)
    used = read | {*graph.outputs}
    parts: dict[int, ops.Parts] = {}
    faults: dict[int, tuple[Fault, ...]] = {}
    inside: set[int] = set()
    todo, size = {*range(len(graph.nodes))}, DesignSize()
    while todo:
        for index in sorted(todo):
            node = graph.nodes[index]
            try:
                parts[index] = ops.lower_node(node, graph, used, index in inside)
            except MemxcError as error:
                faults[index] = error.faults
                parts.pop(index, None)
                continue
            size.add(stage for stage in parts[index] if not isinstance(stage, Bus))
            if size.largest > MOST_IN_ALL:
                limit = f"{MOST_IN_ALL:,} connections or table entries"
                what = f"up to here the network takes over {limit}"
                hint = "what a circuit may take is in docs/cli.md, under Limits"
                faults[index] = (Fault("unsupported-shape", node.name, what, hint),)
                return _Lowered(parts, faults)
        todo = {index for index, _ in _misplaced(graph, parts)} - inside
        inside |= todo
    for index, fault in _misplaced(graph, parts):
        faults[index] = (fault,)
    return _Lowered(parts, faults)


def _all_faults(graph: Graph, lowered: _Lowered) -> list[Fault]:
    """Return all faults; the hint of a node's says what would keep it digital."""
    instead = _digital.instead(graph, lowered.parts, lowered.faults)
    faults = [
        replace(fault, hint="; ".join(filter(None, (fault.hint, instead.get(number)))))
        for number, of_node in sorted(lowered.faults.items())
        for fault in of_node
    ]
    for name in graph.outputs:
        if name in graph.weights:
            what = "this output does not depend on the input"
            faults.append(Fault("unsupported-model", name, what))
    return list(dict.fromkeys(faults))


def _misplaced(graph: Graph, parts: Mapping[int, ops.Parts]) -> Iterator[tuple[int, Fault]]:
    """Yield a fault for each function at the edge that a circuit reads: only outputs may follow."""
    origin: dict[str, int] = {}
    wrong: set[int] = set()
    for index, stages in sorted(parts.items()):
        for stage in stages:
            if isinstance(stage, Bus) or (isinstance(stage, Digital) and stage.subgraph):
                continue
            digital = [src for src in stage.srcs if src in origin]
            if isinstance(stage, Digital):
                origin[stage.dst] = index
            elif isinstance(stage, Rename) and len(digital) == len(stage.srcs):
                origin[stage.dst] = origin[digital[0]]
            else:
                for src in digital:
                    if origin[src] not in wrong:
                        wrong.add(origin[src])
                        yield origin[src], _too_early(graph.nodes[origin[src]], graph.nodes[index])


def _too_early(node: Node, reader: Node) -> Fault:
    return Fault(
        "unsupported-op",
        node.name,
        f"{node.op} stays digital, so only the network's output may come behind it; "
        f"{reader.name!r} ({reader.op}) reads it",
        "end the network before it, or compile the parts on their own",
    )
