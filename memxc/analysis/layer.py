"""Layers of constant weights in a Graph: reading, writing, and folding y = gain x + shift.

A layer is a Conv, ConvTranspose or Gemm, or a MatMul with the constant on the right. Its channels
are axis 1; those of a MatMul are the last axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.ir.graph import Graph, Node, Tensor

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layer:
    """A node with its constants in float64: `weight` in the file's shape, `bias` times beta."""

    node: Node
    weight: Floats
    bias: Floats | None

    def behind(self, gain: Floats, shift: Floats | None) -> Layer:
        """Return the layer followed by gain y + shift, one number for each output channel.

        W <- gain W,  b <- gain b + shift
        """
        bias = None if self.bias is None else self.bias * gain
        if shift is not None:
            bias = shift if bias is None else bias + shift
        return replace(self, weight=self.weight * self._outputs(gain), bias=bias)

    def before(self, gain: Floats, shift: Floats | None) -> Layer:
        """Return the layer that reads gain x + shift, one number for each input channel.

        W <- W gain,  b <- b + W shift
        """
        bias = self.bias
        if shift is not None:
            more = self._response(self.weight * self._inputs(shift))
            bias = more if bias is None else bias + more
        return replace(self, weight=self.weight * self._inputs(gain), bias=bias)

    def channel_axis(self, rank: int) -> int:
        """Return which axis of an input or output of this rank is the channels."""
        return rank - 1 if self.node.op == "MatMul" else 1

    def has_border(self) -> bool:
        """Return whether the windows reach zeros around the map."""
        mode = self.node.attrs.get("auto_pad", "NOTSET")
        padded = mode == "NOTSET" and any(self.node.attrs.get("pads") or ())
        return padded or str(mode).startswith("SAME")

    def _outputs(self, channels: Floats) -> Floats:
        """Return numbers of output channels, shaped to be multiplied with the weight."""
        match self.node.op:
            case "Conv":
                return channels.reshape(-1, *[1] * (self.weight.ndim - 1))
            case "ConvTranspose":
                return self._blocks(channels)
            case "Gemm" if self.node.attrs.get("transB"):
                return channels[:, None]
        return channels

    def _inputs(self, channels: Floats) -> Floats:
        """Return numbers of input channels, shaped to be multiplied with the weight."""
        if self.node.op == "Conv":
            return self._blocks(channels)
        transposed = self.node.op == "Gemm" and self.node.attrs.get("transB")
        return channels if transposed else channels[:, None]

    def _blocks(self, channels: Floats) -> Floats:
        """Return channels along axis 1 of the weight; each group along axis 0 has its own."""
        blocks = channels.reshape(self.node.attrs.get("group", 1), -1)
        each = np.repeat(blocks, len(self.weight) // len(blocks), axis=0)
        return each.reshape(*each.shape, *[1] * (self.weight.ndim - 2))

    def _response(self, weight: Floats) -> Floats:
        """Return what a weight gives for inputs of 1, one number for each output channel."""
        match self.node.op:
            case "Conv":
                total = weight.sum(axis=tuple(range(1, weight.ndim)))
            case "Gemm":
                axis = 1 if self.node.attrs.get("transB") else 0
                total = weight.sum(axis=axis) * float(self.node.attrs.get("alpha", 1.0))
            case _:
                total = weight.sum(axis=-2)
        return np.asarray(total)


def read_layer(node: Node, graph: Graph) -> Layer | None:
    """Return the layer that a node is, or None for another node or shapes that do not fit."""
    if node.op not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return None
    src, weight, *rest = node.inputs
    bias = [name for name in rest if name]
    if src in graph.weights or not {weight, *bias} <= set(graph.weights):
        return None
    if len(graph.shapes[node.outputs[0]]) < 2 or graph.weights[weight].ndim < 2:
        return None
    beta = float(node.attrs.get("beta", 1.0)) if node.op == "Gemm" else 1.0
    layer = Layer(
        node, floats(graph.weights[weight]), floats(graph.weights[bias[0]]) * beta if bias else None
    )
    return layer if _fits(layer, graph.shapes[src], graph.shapes[node.outputs[0]]) else None


def _fits(layer: Layer, src: tuple[int, ...], dst: tuple[int, ...]) -> bool:
    """Return whether the constants fit input and output. If not, lowering says what is wrong."""
    attrs, shape = layer.node.attrs, layer.weight.shape
    group = attrs.get("group", 1)
    bias = () if layer.bias is None else layer.bias.shape
    if group < 1:
        return False
    divides = src[1:2] == () or src[1] % group == dst[1] % group == 0
    match layer.node.op:
        case "Conv":
            fits = divides and shape[:2] == (dst[1], src[1] // group)
        case "ConvTranspose":
            fits = divides and shape[:2] == (src[1], dst[1] // group)
        case "Gemm":
            rows, columns = shape[::-1] if attrs.get("transB") else shape
            fits = (src[0 if attrs.get("transA") else 1], dst[1]) == (rows, columns)
            return fits and all(n in (1, m) for n, m in zip(bias[::-1], dst[::-1], strict=False))
        case _:
            return True
    return fits and bias in ((), dst[1:2])


def takes_bias(layer: Layer, graph: Graph) -> bool:
    """Return whether a layer's node can have a bias: a MatMul of several matrices cannot."""
    return layer.node.op != "MatMul" or layer.weight.ndim == 2


def write_layer(graph: Graph, layer: Layer, src: str, dst: str) -> tuple[Graph, Node] | None:
    """Return the graph with the constants of a layer, and its node from `src` to `dst`.

    The old constants stay. A MatMul of two matrices with a bias becomes a Gemm. A MatMul with more
    axes gets a third input, which ONNX does not have. Returns None if a constant is not finite, or
    if there is no place for a bias.
    """
    node, parts = layer.node, {"weight": layer.weight, "bias": layer.bias}
    tensors = {fresh_name(graph, dst, role): t for role, t in parts.items() if t is not None}
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        return None
    if node.op == "MatMul" and layer.bias is not None:
        if not takes_bias(layer, graph):
            return None
        if len(graph.shapes[node.outputs[0]]) == 2:
            node = replace(node, op="Gemm")
    attrs = {key: value for key, value in node.attrs.items() if key != "beta"}
    changed = replace(
        graph,
        weights={**graph.weights, **tensors},
        shapes={**graph.shapes, **{name: tensor.shape for name, tensor in tensors.items()}},
    )
    return changed, replace(node, attrs=attrs, inputs=(src, *tensors), outputs=(dst,))


def floats(tensor: Tensor) -> Floats:
    """Return a constant in float64."""
    return np.asarray(tensor, dtype=np.float64)


def fresh_name(graph: Graph, tensor: str, role: str) -> str:
    """Return a name beside a tensor's that no other tensor has."""
    name = f"{tensor}/{role}"
    while name in graph.shapes:
        name += "'"
    return name


def without_unread(graph: Graph) -> Graph:
    """Return the graph without constants that nothing reads and shapes of tensors that are gone."""
    read = {name for node in graph.nodes for name in node.inputs} | {*graph.outputs}
    weights = {name: value for name, value in graph.weights.items() if name in read}
    written = {name for node in graph.nodes for name in node.outputs}
    known = {*graph.inputs, *weights, *written}
    shapes = {name: shape for name, shape in graph.shapes.items() if name in known}
    return replace(graph, weights=weights, shapes=shapes)


def layers_of(graph: Graph) -> dict[int, Layer]:
    """Return the layers of constant weights, by the position of their node."""
    read = {index: read_layer(node, graph) for index, node in enumerate(graph.nodes)}
    return {index: layer for index, layer in read.items() if layer is not None}


def with_layers(graph: Graph, changed: Mapping[int, Layer]) -> Graph:
    """Return the graph with some layers changed, without weights that nothing reads any more."""
    nodes: list[Node] = []
    for index, node in enumerate(graph.nodes):
        layer = changed.get(index)
        if layer is not None and not _same_constants(layer, read_layer(node, graph)):
            written = write_layer(graph, layer, node.inputs[0], node.outputs[0])
            assert written is not None, f"{node.name}: there is no such layer"
            graph, node = written  # noqa: PLW2901
        nodes.append(node)
    return without_unread(replace(graph, nodes=tuple(nodes)))


def _same_constants(layer: Layer, other: Layer | None) -> bool:
    if other is None or not np.array_equal(layer.weight, other.weight):
        return False
    if layer.bias is None or other.bias is None:
        return layer.bias is other.bias
    return np.array_equal(layer.bias, other.bias)
