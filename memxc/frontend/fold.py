"""Fold constants, so that only nodes remain that compute something from the inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import onnx  # noqa: TID251

from memxc import worker
from memxc.errors import Fault, MemxcError, fail
from memxc.frontend import branches, loops, native
from memxc.frontend.check import operator_faults
from memxc.frontend.compute import Budget, value_of
from memxc.frontend.infer import infer
from memxc.frontend.network import Network, Shape
from memxc.frontend.sequences import unpacked
from memxc.frontend.subgraphs import reads
from memxc.frontend.upgrade import upgraded
from memxc.ir.bounds import MOST


def fold(network: Network) -> None:
    """Compute every node that needs no input of the network, then drop what no output needs.

    It visits the nodes once, in topological order. An If is replaced by the branch that
    it takes, or by both with a switch, a Loop or Scan by copies of its body. Raises MemxcError with
    every node whose shapes do not fit or are not known before run time.
    """
    _drop_dead(network)
    walk = _Walk(network)
    for node in network.nodes:
        walk.visit(node, {})
    unknown = [name for name in network.outputs if name not in network.shapes]
    walk.faults += [] if walk.faults else [_no_tensor(name, network) for name in unknown]
    if walk.faults:
        raise MemxcError(walk.faults)
    network.nodes = walk.left
    _drop_dead(network)


class _Walk:
    """The state of one visit of all nodes: `left` are those that still compute something."""

    def __init__(self, network: Network) -> None:
        self.network, self.budget = network, Budget(network)
        self.read = set(network.outputs).union(*map(reads, network.nodes))
        self.faults: list[Fault] = []
        self.left: list[onnx.NodeProto] = []

    def visit(self, node: onnx.NodeProto, names: Mapping[str, str]) -> None:
        """Fold a node or keep it. names: new names for the tensors of the branch that it is in."""
        if not self._known(names.get(name, name) for name in node.input):
            return  # A node before this one is at fault, and is reported.
        try:
            if node.op_type == "If":
                self._enter(node, names)
            elif node.op_type in loops.KINDS:
                self._repeat(node, names)
            else:
                self._settle(self._own(node, names) if names else node)
        except MemxcError as error:
            self.faults += error.faults
        except worker.Died as death:
            # This is the last fault: each further node might take as long again.
            fault = native.fault(f"ONNX's shape inference of {node.op_type}", death, node.name)
            raise MemxcError([*self.faults, *fault.faults]) from death

    def _known(self, tensors: Iterable[str]) -> bool:
        shaped = (self.network.shapes, self.network.sequences)
        return all(any(name in table for table in shaped) for name in tensors if name)

    def _enter(self, node: onnx.NodeProto, names: Mapping[str, str]) -> None:
        """Visit the nodes of the branch that an If takes, then give its results the If's names."""
        condition = names.get(node.input[0], node.input[0])
        if condition not in self.network.constants:
            self._enter_both(node, condition, names)
            return
        graph = branches.taken(node, condition, self.network)
        inner = self._inside(node, graph, {**names, **branches.held(node, graph, self.network)})
        for output, result in branches.results(node, graph):
            ends = [inner.get(result, result)], [names.get(output, output)]
            wire = onnx.helper.make_node("Identity", *ends, name=self.network.fresh(node.name))
            self.visit(wire, {})

    def _enter_both(self, node: onnx.NodeProto, condition: str, names: Mapping[str, str]) -> None:
        """Visit both branches of an If that chooses at run time, then a switch for each output."""
        ends: list[list[str]] = [[names.get(name, name) for name in node.output]]
        for graph in branches.both(node, condition, self.network):
            inner = self._inside(node, graph, {**names, **branches.held(node, graph, self.network)})
            ends.append([inner.get(value.name, value.name) for value in graph.output])
        chosen = [sides for sides in zip(*ends, strict=True) if sides[0]]
        for part in branches.switches(node, condition, chosen, self.network):
            self.visit(part, {})

    def _repeat(self, node: onnx.NodeProto, names: Mapping[str, str]) -> None:
        """Visit a copy of the body of a Loop or Scan for each turn, then its results."""
        turns, faults = loops.KINDS[node.op_type](node, names, self.network), len(self.faults)
        outer = {**names, **branches.held(node, turns.body, self.network)}
        while turns.more():
            for part in turns.nodes():
                self.visit(part, {})
            turns.end(self._inside(node, turns.body, {**outer, **turns.inner()}))
            if len(self.faults) > faults:
                return  # further turns would only repeat them
        for part in turns.results():
            self.visit(part, {})

    def _inside(
        self, node: onnx.NodeProto, graph: onnx.GraphProto, outer: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Visit the nodes of a graph in a node. Return the names of its tensors in the network."""
        inner = {**outer, **branches.entered(node, graph, self.network)}
        self.read |= {inner[n] for part in graph.node for n in reads(part) if n in inner}
        self.read |= {inner[value.name] for value in graph.output if value.name in inner}
        for part in graph.node:
            self.visit(part, inner)
        return inner

    def _own(self, node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
        """Return a branch's node under names of the network, after checking its operator."""
        part = branches.renamed(node, names, self.network)
        faults = list(operator_faults([part], self.network.opset))
        if faults:
            raise MemxcError(faults)
        return part

    def _settle(self, node: onnx.NodeProto) -> None:
        change = upgraded if self.network.old else unpacked
        parts = change(node, self.network)
        self.read.update(*(part.input for part in parts))
        self.read.update(*(self.network.sequences.get(name, ()) for name in node.output))
        for part in parts:
            if self._known(part.input) and not _folded(part, self.network, self.budget):
                self.left.append(part)
                _check_outputs(part, self.network, self.read)


def _no_tensor(name: str, network: Network) -> Fault:
    if name in network.sequences:
        return Fault("unsupported-model", name, "this output is a list of tensors")
    return Fault("broken-model", name, "is an output that nothing makes")


def _folded(node: onnx.NodeProto, network: Network, budget: Budget) -> bool:
    """Fold a node if it can be computed, and return whether it was.

    Its shapes and constants are added to the network.
    """
    infer(node, network)
    try:
        values = value_of(node, network, budget)
    except MemxcError:
        for name in node.output:  # Nodes that read it would only repeat the fault.
            network.shapes.pop(name, None)
        raise
    for name, value in (values or {}).items():
        network.add(name, value)
    return values is not None


def _drop_dead(network: Network) -> None:
    needed, live = set(network.outputs), []
    for node in reversed(network.nodes):
        if needed.intersection(filter(None, node.output)):
            needed.update(reads(node))
            live.append(node)
    network.nodes = live[::-1]


def _check_outputs(node: onnx.NodeProto, network: Network, read: set[str]) -> None:
    """Raise MemxcError if an output that is read has an open, empty or far too large shape."""
    for name in filter(None, node.output):
        what = _unusable(network.shapes.get(name)) if name in read else ""
        if what:
            network.shapes.pop(name, None)
            hint = (
                "export the model with fixed shapes, or fix its inputs with --shape; --digital "
                "auto needs them as well"
            )
            raise fail("unsupported-shape", node.name, f"its output {name!r} {what}", hint)


def _unusable(shape: Shape | None) -> str:
    if shape is None:
        return "has a shape that depends on the data"
    if min(shape, default=1) < 1:
        return f"has the shape {list(shape)}, which holds nothing"
    if prod(shape) > MOST:
        return f"has the shape {list(shape)}: more than the {MOST:,} nets that a signal may have"
    return ""
