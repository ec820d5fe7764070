"""fold-batchnorm: constants beside a layer go into its weights and bias.

All rules are exact; the arithmetic is in float64.

1. The constants are those of analysis/affine: y = gain x + shift, with one pair for each channel.
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

from dataclasses import dataclass, replace

import numpy as np

from memxc.analysis.affine import Affine, chained, per_channel, read_affine, readers
from memxc.analysis.layer import read_layer, without_unread, write_layer
from memxc.interfaces import Context, GraphPass, Result
from memxc.ir.graph import Graph, Node


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
        return without_unread(chained(_fold_before(_fold_behind(graph))))


def _fold_behind(graph: Graph) -> Graph:
    """Apply rule 3. A layer takes over the output of the folded node, so that chains fold."""
    read = readers(graph)
    nodes: list[Node] = []
    writer: dict[str, int] = {}
    for node in graph.nodes:
        affine = read_affine(node, graph)
        if affine and affine.src in writer and read[affine.src] == 1:
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
    read = readers(graph)
    reader = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    nodes = dict(enumerate(graph.nodes))
    for place, node in reversed(list(enumerate(graph.nodes))):
        affine, middle = read_affine(node, graph), node.outputs[0]
        if affine and middle in reader and read[middle] == 1:
            index = reader[middle]
            merged = _before(graph, nodes[index], affine, middle)
            if merged:
                graph, nodes[index] = merged
                reader[affine.src] = index
                del nodes[place]
    return replace(graph, nodes=tuple(nodes.values()))


def _behind(graph: Graph, node: Node, affine: Affine, dst: str) -> tuple[Graph, Node] | None:
    layer = read_layer(node, graph)
    if layer is None:
        return None
    parts = per_channel(affine, graph.shapes[affine.src], layer)
    return write_layer(graph, layer.behind(*parts), node.inputs[0], dst) if parts else None


def _before(graph: Graph, node: Node, affine: Affine, middle: str) -> tuple[Graph, Node] | None:
    layer = read_layer(node, graph)
    if layer is None or node.inputs[0] != middle or node.op == "ConvTranspose":
        return None
    if node.attrs.get("transA") or (affine.shift is not None and layer.has_border()):
        return None
    parts = per_channel(affine, graph.shapes[middle], layer)
    return write_layer(graph, layer.before(*parts), affine.src, node.outputs[0]) if parts else None
