"""Nodes y = gain x + shift in a Graph: reading, writing, and their constants in another layout.

They are BatchNormalization in inference, Mul by a constant, Div by one, and Add and Sub with a
constant, which does not enlarge the tensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.analysis.layer import Layer, floats, fresh_name
from memxc.ir.graph import Graph, Node

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Affine:
    """y = gain x + shift. Both broadcast to the tensor `src`; a shift of None is zero."""

    src: str
    gain: Floats
    shift: Floats | None = None


def write_affine(graph: Graph, affine: Affine, name: str, dst: str) -> tuple[Graph, Node]:
    """Return the graph with the constants, and the node y = gain x + shift that drives `dst`.

    A product with a constant gets a third input, the constant that is added.
    """
    made = [part for part in (affine.gain, affine.shift) if part is not None]
    names = [fresh_name(graph, dst, role) for role in ("gain", "shift")[: len(made)]]
    constants = dict(zip(names, made, strict=True))
    changed = replace(
        graph,
        weights={**graph.weights, **constants},
        shapes={**graph.shapes, **{name: part.shape for name, part in constants.items()}},
    )
    return changed, Node(name, "Mul", (affine.src, *names), (dst,))


def readers(graph: Graph) -> Mapping[str, int]:
    """Return how many nodes and outputs read each tensor."""
    return Counter([name for node in graph.nodes for name in node.inputs] + [*graph.outputs])


def chained(graph: Graph) -> Graph:
    """Return the graph in which one of these nodes behind another is one node, if that is possible.

    Nothing else reads between them, and the constants of the one are no larger than those of both.
    """
    read = readers(graph)
    nodes: list[Node] = []
    writer: dict[str, int] = {}
    for node in graph.nodes:
        affine = read_affine(node, graph)
        if affine and affine.src in writer and read[affine.src] == 1:
            index = writer[affine.src]
            before = read_affine(nodes[index], graph)
            merged = before and _one(graph, before, affine, nodes[index], node.outputs[0])
            if merged:
                graph, nodes[index] = merged
                writer[node.outputs[0]] = index
                continue
        writer.update(dict.fromkeys(node.outputs, len(nodes)))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _one(
    graph: Graph, first: Affine, then: Affine, node: Node, dst: str
) -> tuple[Graph, Node] | None:
    """Return the node y = gain x + shift from the source of `first` to the output of `then`."""
    gain, shift = then.gain * first.gain, then.shift
    if first.shift is not None:
        moved = then.gain * first.shift
        shift = moved if shift is None else shift + moved
    parts = [first.gain, first.shift, then.gain, then.shift]
    most = max(part.size for part in parts if part is not None)
    made = [part for part in (gain, shift) if part is not None]
    if not all(part.size <= most and np.isfinite(part).all() for part in made):
        return None
    return write_affine(graph, Affine(first.src, gain, shift), node.name, dst)


def per_channel(
    affine: Affine, shape: tuple[int, ...], layer: Layer
) -> tuple[Floats, Floats | None] | None:
    """Return gain and shift with one number for each channel, or None if another axis matters."""
    axis = layer.channel_axis(len(shape))
    parts: list[Floats | None] = []
    for value in (affine.gain, affine.shift):
        if value is None:
            parts.append(None)
            continue
        full = value.reshape((1,) * (len(shape) - value.ndim) + value.shape)
        if any(size > 1 and axis_of_value != axis for axis_of_value, size in enumerate(full.shape)):
            return None
        parts.append(np.broadcast_to(full.reshape(-1), shape[axis : axis + 1]))
    gain, shift = parts
    return None if gain is None else (gain, shift)


def read_affine(node: Node, graph: Graph) -> Affine | None:
    """Return the node as rule 1 says, or None if it is another node or changes the shape."""
    normal = node.op == "BatchNormalization"
    affine = _normalisation(node, graph) if normal else _constant(node, graph)
    if affine is None or graph.shapes[affine.src] != graph.shapes[node.outputs[0]]:
        return None
    finite = [np.isfinite(part).all() for part in (affine.gain, affine.shift) if part is not None]
    return affine if all(finite) else None


def _normalisation(node: Node, graph: Graph) -> Affine | None:
    inference = not node.attrs.get("training_mode") and node.attrs.get("spatial", 1)
    if not inference or any(node.outputs[1:]) or not set(node.inputs[1:]) <= set(graph.weights):
        return None
    shape = graph.shapes[node.inputs[0]]
    scale, bias, mean, var = (floats(graph.weights[name]) for name in node.inputs[1:])
    if len(shape) < 2 or any(part.shape != shape[1:2] for part in (scale, bias, mean, var)):
        return None
    gain = scale / np.sqrt(var + node.attrs.get("epsilon", 1e-5))
    column = (-1, *[1] * (len(shape) - 2))
    return Affine(node.inputs[0], gain.reshape(column), (bias - mean * gain).reshape(column))


def _constant(node: Node, graph: Graph) -> Affine | None:
    if node.op not in ("Add", "Sub", "Mul", "Div"):
        return None
    left, right, *shift = node.inputs
    if (left in graph.weights) == (right in graph.weights):
        return None
    src, name = (right, left) if left in graph.weights else (left, right)
    value, one = floats(graph.weights[name]), np.ones(())
    match node.op:
        case "Add":
            return Affine(src, one, value)
        case "Sub":
            return Affine(src, one, -value) if src == left else Affine(src, -one, value)
        case "Mul":
            return Affine(src, value, floats(graph.weights[shift[0]]) if shift else None)
    return Affine(src, 1.0 / value) if src == left else None
