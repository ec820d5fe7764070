"""fold-batchnorm: constants beside a layer go into its weights and bias.

All rules are exact; the arithmetic is in float64.

1. These nodes are y = gain x + shift, with one pair for each channel: BatchNormalization in
   inference, Mul by a constant, Div by one, and Add and Sub with a constant. The constant is one
   number, or one for each channel, and does not enlarge the tensor.
2. A layer is a Conv, ConvTranspose, Gemm or MatMul. It has a constant weight on the right, and a
   constant bias or none. Its channels are axis 1; those of a MatMul are the last axis.
3. Behind a layer, if nothing else reads the layer's result: W <- gain W, b <- gain b + shift. A
   MatMul of a matrix becomes a Gemm if it gets a bias. With several matrices it takes a gain only.
4. Before a layer, if nothing else reads the node's result: W <- W gain, b <- b + W shift. This does
   not hold before a ConvTranspose; and a shift cannot go into a Conv with a border, because the
   border is zero and not shifted.
5. One of them behind another, if nothing else reads between them: one node, with the product of the
   gains. This does not hold if its constants would be larger than those of both.
6. What would not be finite is left as it is, and refused under its own name later.

Rule 3 goes first and is repeated along chains (Conv, Mul, Add). Then rule 4 is, too, and rule 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.analysis.layer import (
    Layer,
    floats,
    fresh_name,
    read_layer,
    without_unread,
    write_layer,
)
from memxc.interfaces import Context, GraphPass, Result
from memxc.ir.graph import Graph, Node

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FoldBatchnorm(GraphPass):
    """Fold batch normalisation, and other constants a channel, into the layer beside them."""

    name = "fold-batchnorm"

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the graph with fewer nodes."""
        return Result(fold_normalisations(graph))


def fold_normalisations(graph: Graph) -> Graph:
    """Return the graph with normalisations and constants in the weights of their layers."""
    with np.errstate(all="ignore"):  # rule 6
        return without_unread(_chained(_fold_before(_fold_behind(graph))))


@dataclass(frozen=True, eq=False)
class _Affine:
    """y = gain x + shift. Both broadcast to the tensor `src`; a shift of None is zero."""

    src: str
    gain: Floats
    shift: Floats | None = None


def _fold_behind(graph: Graph) -> Graph:
    """Apply rule 3. A layer takes over the output of the folded node, so that chains fold."""
    readers = _readers(graph)
    nodes: list[Node] = []
    writer: dict[str, int] = {}
    for node in graph.nodes:
        affine = _affine(node, graph)
        if affine and affine.src in writer and readers[affine.src] == 1:
            index = writer[affine.src]
            merged = _behind(graph, nodes[index], affine, node.outputs[0])
            if merged:
                graph, nodes[index] = merged
                writer[node.outputs[0]] = index
                continue
        writer.update(dict.fromkeys(node.outputs, len(nodes)))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _fold_before(graph: Graph) -> Graph:
    """Apply rule 4, from the last node to the first, so that chains fold."""
    readers = _readers(graph)
    reader = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    nodes = dict(enumerate(graph.nodes))
    for place, node in reversed(list(enumerate(graph.nodes))):
        affine, middle = _affine(node, graph), node.outputs[0]
        if affine and middle in reader and readers[middle] == 1:
            index = reader[middle]
            merged = _before(graph, nodes[index], affine, middle)
            if merged:
                graph, nodes[index] = merged
                reader[affine.src] = index
                del nodes[place]
    return replace(graph, nodes=tuple(nodes.values()))


def _chained(graph: Graph) -> Graph:
    """Apply rule 5, from the first node to the last."""
    readers = _readers(graph)
    nodes: list[Node] = []
    writer: dict[str, int] = {}
    for node in graph.nodes:
        affine = _affine(node, graph)
        if affine and affine.src in writer and readers[affine.src] == 1:
            index = writer[affine.src]
            before = _affine(nodes[index], graph)
            merged = before and _one(graph, before, affine, nodes[index], node.outputs[0])
            if merged:
                graph, nodes[index] = merged
                writer[node.outputs[0]] = index
                continue
        writer.update(dict.fromkeys(node.outputs, len(nodes)))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _one(
    graph: Graph, first: _Affine, then: _Affine, node: Node, dst: str
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
    names = [fresh_name(graph, dst, role) for role in ("gain", "shift")[: len(made)]]
    constants = dict(zip(names, made, strict=True))
    changed = replace(
        graph,
        weights={**graph.weights, **constants},
        shapes={**graph.shapes, **{name: part.shape for name, part in constants.items()}},
    )
    return changed, Node(node.name, "Mul", (first.src, *names), (dst,))


def _behind(graph: Graph, node: Node, affine: _Affine, dst: str) -> tuple[Graph, Node] | None:
    layer = read_layer(node, graph)
    if layer is None:
        return None
    parts = _per_channel(affine, graph.shapes[affine.src], layer)
    return write_layer(graph, layer.behind(*parts), node.inputs[0], dst) if parts else None


def _before(graph: Graph, node: Node, affine: _Affine, middle: str) -> tuple[Graph, Node] | None:
    layer = read_layer(node, graph)
    if layer is None or node.inputs[0] != middle or node.op == "ConvTranspose":
        return None
    if node.attrs.get("transA") or (affine.shift is not None and layer.has_border()):
        return None
    parts = _per_channel(affine, graph.shapes[middle], layer)
    return write_layer(graph, layer.before(*parts), affine.src, node.outputs[0]) if parts else None


def _per_channel(
    affine: _Affine, shape: tuple[int, ...], layer: Layer
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


def _affine(node: Node, graph: Graph) -> _Affine | None:
    """Return the node as rule 1 says, or None if it is another node or changes the shape."""
    normal = node.op == "BatchNormalization"
    affine = _normalisation(node, graph) if normal else _constant(node, graph)
    if affine is None or graph.shapes[affine.src] != graph.shapes[node.outputs[0]]:
        return None
    finite = [np.isfinite(part).all() for part in (affine.gain, affine.shift) if part is not None]
    return affine if all(finite) else None


def _normalisation(node: Node, graph: Graph) -> _Affine | None:
    inference = not node.attrs.get("training_mode") and node.attrs.get("spatial", 1)
    if not inference or any(node.outputs[1:]) or not set(node.inputs[1:]) <= set(graph.weights):
        return None
    shape = graph.shapes[node.inputs[0]]
    scale, bias, mean, var = (floats(graph.weights[name]) for name in node.inputs[1:])
    if len(shape) < 2 or any(part.shape != shape[1:2] for part in (scale, bias, mean, var)):
        return None
    gain = scale / np.sqrt(var + node.attrs.get("epsilon", 1e-5))
    column = (-1, *[1] * (len(shape) - 2))
    return _Affine(node.inputs[0], gain.reshape(column), (bias - mean * gain).reshape(column))


def _constant(node: Node, graph: Graph) -> _Affine | None:
    if node.op not in ("Add", "Sub", "Mul", "Div"):
        return None
    left, right, *shift = node.inputs
    if (left in graph.weights) == (right in graph.weights):
        return None
    src, name = (right, left) if left in graph.weights else (left, right)
    value, one = floats(graph.weights[name]), np.ones(())
    match node.op:
        case "Add":
            return _Affine(src, one, value)
        case "Sub":
            return _Affine(src, one, -value) if src == left else _Affine(src, -one, value)
        case "Mul":
            return _Affine(src, value, floats(graph.weights[shift[0]]) if shift else None)
    return _Affine(src, 1.0 / value) if src == left else None


def _readers(graph: Graph) -> Mapping[str, int]:
    return Counter([name for node in graph.nodes for name in node.inputs] + [*graph.outputs])
