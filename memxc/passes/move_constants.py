"""move-constants: constants move along wires to a layer, where fold-batchnorm takes them.

A constant is y = gain x + shift, as in analysis/affine. Between it and the layer there are only
operators that rename nets, and nothing else reads there. All rules are exact.

1. Behind a layer and Reshape, Flatten, Squeeze, Unsqueeze, Identity or Transpose, a constant moves
   in front of these, if it has one number for each channel of the layer.
2. In front of them and a layer, it moves behind them, if fold-batchnorm takes it there.
3. Behind a Concat of layers it is cut, and each layer gets its part.

A constant that no layer can take stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from memxc.analysis.affine import (
    Affine,
    Floats,
    chained,
    per_channel,
    read_affine,
    readers,
    write_affine,
)
from memxc.analysis.layer import fresh_name, read_layer, without_unread
from memxc.interfaces import Context, GraphPass, Result
from memxc.ir.graph import Graph, Node

#: Operators after which the nets are in the same order.
_IN_ORDER = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity")
#: The largest tensor along which constants that differ are followed through a Reshape.
_LARGEST = 1 << 22


@dataclass(frozen=True)
class MoveConstants(GraphPass):
    """Move constants along wires to a layer that takes them."""

    name = "move-constants"

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the graph with its constants beside layers."""
        with np.errstate(all="ignore"):  # what is not finite stays, and is refused later
            short = chained(graph)
        moved = _Moving(short)
        for node in short.nodes:
            affine = read_affine(node, short)
            if affine is not None:
                moved.move(node, affine)
        return Result(without_unread(moved.result()) if moved.changed else graph)


class _Moving:
    """A graph whose nodes change while constants move, by the first tensor that they write."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes = {node.outputs[0]: node for node in graph.nodes}
        self._count = readers(graph)
        self._reader = {name: node.outputs[0] for node in graph.nodes for name in node.inputs}
        #: Constants that stand behind the node that writes a tensor.
        self._behind: dict[str, list[Node]] = {}
        self.changed = False

    def result(self) -> Graph:
        nodes = [
            made
            for name, node in self._nodes.items()
            for made in (node, *self._behind.get(name, ()))
        ]
        return replace(self._graph, nodes=tuple(nodes))

    def move(self, node: Node, affine: Affine) -> None:
        """Move one constant if there is a layer for it."""
        wires = list(self._wires_before(affine.src))
        origin = wires[-1].inputs[0] if wires else affine.src
        if self._up(node, affine, wires, origin) or wires:
            return
        concat = self._nodes.get(origin)
        if concat is not None and concat.op == "Concat" and self._count[origin] == 1:
            self._split(node, affine, concat)
            return
        self._down(node, affine)

    def _wires_before(self, name: str) -> Iterator[Node]:
        """Yield the renaming nodes in front of a tensor, the last one first."""
        while (node := self._nodes.get(name)) and self._count[name] == 1 and _renames(node):
            yield node
            name = node.inputs[0]

    def _wires_behind(self, name: str) -> Iterator[Node]:
        """Yield the renaming nodes behind a tensor, in order."""
        while self._count[name] == 1 and name in self._reader:
            node = self._nodes[self._reader[name]]
            if not _renames(node) or node.inputs[0] != name:
                return
            yield node
            name = node.outputs[0]

    def _up(self, node: Node, affine: Affine, wires: list[Node], origin: str) -> bool:
        """Apply rule 1."""
        layer = self._nodes.get(origin)
        if not wires or layer is None or self._count[origin] != 1 or not self._is_layer(layer):
            return False
        moved: Affine | None = affine
        for wire in wires:
            moved = moved and self._through(moved, wire, wire.outputs[0], wire.inputs[0])
        if moved is None or not self._fits(layer, moved, origin):
            return False
        self._place(node, moved, origin, wires[-1])
        first = replace(self._nodes[wires[0].outputs[0]], outputs=node.outputs)
        self._renamed(wires[0].outputs[0], first)
        return True

    def _split(self, node: Node, affine: Affine, concat: Node) -> None:
        """Apply rule 3."""
        graph, shape = self._graph, self._graph.shapes[concat.outputs[0]]
        axis = int(concat.attrs.get("axis", 0)) % max(len(shape), 1)
        layers = [self._nodes.get(name) for name in concat.inputs]
        ends = np.cumsum([graph.shapes[name][axis] for name in concat.inputs])[:-1]
        gains = _cut(affine.gain, axis, len(shape), ends)
        shifts = _cut(affine.shift, axis, len(shape), ends)
        parts = [
            Affine(name, np.ones(()) if gain is None else gain, shift)
            for name, gain, shift in zip(concat.inputs, gains, shifts, strict=True)
        ]
        for part, layer in zip(parts, layers, strict=True):
            alone = layer is not None and self._count[part.src] == 1 and self._is_layer(layer)
            if layer is None or not alone or not self._fits(layer, part, part.src):
                return
        for number, part in enumerate(parts):
            one = replace(node, name=f"{node.name}/{number}")
            self._place(one, part, part.src, self._nodes[concat.outputs[0]])
        self._renamed(
            concat.outputs[0], replace(self._nodes[concat.outputs[0]], outputs=node.outputs)
        )

    def _down(self, node: Node, affine: Affine) -> None:
        """Apply rule 2."""
        wires = list(self._wires_behind(node.outputs[0]))
        end = wires[-1].outputs[0] if wires else node.outputs[0]
        if not wires or self._count[end] != 1 or end not in self._reader:
            return
        layer = self._nodes[self._reader[end]]
        moved: Affine | None = affine
        for wire in wires:
            moved = moved and self._through(moved, wire, wire.inputs[0], wire.outputs[0])
        if moved is None or not self._takes(layer, moved, end):
            return
        first = wires[0].outputs[0]
        self._nodes[first] = replace(
            self._nodes[first], inputs=(affine.src, *self._nodes[first].inputs[1:])
        )
        self._place(node, moved, end, layer)
        del self._nodes[node.outputs[0]]

    def _is_layer(self, node: Node) -> bool:
        return read_layer(node, self._graph) is not None

    def _fits(self, layer: Node, affine: Affine, name: str) -> bool:
        found = read_layer(layer, self._graph)
        shape = self._graph.shapes[name]
        return found is not None and per_channel(affine, shape, found) is not None

    def _takes(self, node: Node, affine: Affine, name: str) -> bool:
        """Return whether fold-batchnorm puts a constant in front of a layer into the layer."""
        layer = read_layer(node, self._graph)
        if layer is None or node.inputs[0] != name or node.op == "ConvTranspose":
            return False
        open_border = affine.shift is not None and layer.has_border()
        return not node.attrs.get("transA") and not open_border and self._fits(node, affine, name)

    def _through(self, affine: Affine, wire: Node, this: str, that: str) -> Affine | None:
        """Return a constant of the tensor `this` of a renaming node as one of `that`."""
        one, other = self._graph.shapes[this], self._graph.shapes[that]
        parts: list[Floats | None] = []
        for part in (affine.gain, affine.shift):
            if part is None or part.size == 1:
                parts.append(None if part is None else part.reshape(-1)[:1])
                continue
            full = part.reshape((1,) * (len(one) - part.ndim) + part.shape)
            if wire.op == "Transpose":
                order = _order(wire, len(one))
                parts.append(full.transpose(np.argsort(order) if that in wire.inputs else order))
            elif prod(one) > _LARGEST:
                return None
            else:
                parts.append(_narrowed(np.broadcast_to(full, one).reshape(other)))
        gain, shift = parts
        return None if gain is None else Affine(that, gain, shift)

    def _place(self, node: Node, affine: Affine, name: str, reader: Node) -> None:
        """Put a constant behind the tensor `name`, for the one node that reads it."""
        graph, dst = self._graph, fresh_name(self._graph, name, "constant")
        shapes = {**graph.shapes, dst: graph.shapes[name]}
        at = replace(affine, src=name)
        self._graph, made = write_affine(replace(graph, shapes=shapes), at, node.name, dst)
        self._behind.setdefault(name, []).append(made)
        key = reader.outputs[0]
        inputs = tuple(dst if given == name else given for given in self._nodes[key].inputs)
        self._nodes[key] = replace(self._nodes[key], inputs=inputs)
        self.changed = True

    def _renamed(self, old: str, node: Node) -> None:
        """Let a node drive another tensor, that of a constant that is gone."""
        del self._nodes[node.outputs[0]]
        self._nodes = {
            (node.outputs[0] if name == old else name): (node if name == old else kept)
            for name, kept in self._nodes.items()
        }


def _renames(node: Node) -> bool:
    return node.op in _IN_ORDER or node.op == "Transpose"


def _order(node: Node, rank: int) -> tuple[int, ...]:
    return tuple(node.attrs.get("perm") or reversed(range(rank)))


def _narrowed(part: Floats) -> Floats:
    """Return numbers without the axes along which they do not change, which keep the size 1."""
    for axis in range(part.ndim):
        first = part.take([0], axis=axis)
        if (part == first).all():
            part = first
    return part


def _cut(part: Floats | None, axis: int, rank: int, ends: Floats) -> list[Floats | None]:
    """Return the numbers for each part of an axis."""
    if part is None:
        return [None] * (len(ends) + 1)
    full = part.reshape((1,) * (rank - part.ndim) + part.shape)
    if full.shape[axis] == 1:
        return [full] * (len(ends) + 1)
    return [*np.split(full, ends, axis)]
