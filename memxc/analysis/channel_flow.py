"""Channels (axis 1 of a tensor): how they go through nodes, and which are constant over the map.

`constants` walks with the signals. A channel whose weights are all zero is its bias everywhere, and
it stays constant through nodes that work on every channel alone. `needed` has the walk in the other
direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from memxc import ops
from memxc.analysis.layer import Layer, read_layer
from memxc.evaluation import evaluate
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def channel_kind(node: Node, graph: Graph) -> str:
    """Return how channels go through a node.

    dense: a layer that mixes all of them. depthwise: each channel has a kernel or a block of
    kernels.
    alone: each channel by itself. flat: each channel becomes a run of positions.
    concat, split: channels are only moved. other: not known.
    """
    ends = (*node.inputs[:1], *node.outputs[:1])
    shapes = [graph.shapes[name] for name in ends if name]
    if len(shapes) < len(ends) or any(len(shape) < 2 or shape[0] != 1 for shape in shapes):
        return "other"
    layer = read_layer(node, graph)
    if layer is not None:
        return _layer_kind(layer, shapes[0])
    if node.op in ("Concat", "Split"):
        signals = node.inputs if node.op == "Concat" else node.inputs[:1]
        given = all(node.outputs) and not any(name in graph.weights for name in signals)
        along = int(node.attrs.get("axis", 0)) % len(shapes[0]) == 1
        return node.op.lower() if along and given else "other"
    keeps_order = ops.column(node.op).keeps_order
    if keeps_order and _is_flat(*shapes) and node.inputs[0] not in graph.weights:
        return "flat"
    return "alone" if _is_alone(node, graph) else "other"


def _layer_kind(layer: Layer, shape: Sequence[int]) -> str:
    node, group = layer.node, layer.node.attrs.get("group", 1)
    if node.op in ("Gemm", "MatMul") and (len(shape) != 2 or node.attrs.get("transA")):
        return "other"
    if group == 1:
        return "dense"
    return "depthwise" if group == shape[1] else "other"


def _is_flat(src: Sequence[int], dst: Sequence[int]) -> bool:
    """Return whether (1, C, ...) becomes (1, C, ...) with other axes, or (1, C x the rest)."""
    return prod(src) == prod(dst) and (dst[1] == src[1] or prod(dst[2:]) == 1)


def _is_alone(node: Node, graph: Graph) -> bool:
    trait = ops.channelwise(node, graph)
    if trait is None or len([n for n in node.outputs if n]) != 1:
        return False
    shape, operands = graph.shapes[node.outputs[0]], trait.further == "operands"
    for index, name in enumerate(node.inputs):
        own_shape = graph.shapes[name] if name else ()
        if name in graph.weights:
            if operands and len(own_shape) > len(shape):
                return False
        elif name:
            aligned = own_shape[:2] == (1, shape[1]) and (
                len(own_shape) == len(shape) or not operands
            )
            if not aligned or (index > 0 and not operands):
                return False
    return any(name and name not in graph.weights for name in node.inputs)


def constants(graph: Graph) -> dict[str, Floats]:
    """Return for each signal the value of each constant channel, and NaN for other channels.

    Signals without constant channels are left out.
    """
    known: dict[str, Floats] = {}
    for node in graph.nodes:
        for name, values in zip(node.outputs, _through(node, graph, known), strict=False):
            if name and not np.isnan(values).all():
                known[name] = values
    return known


def any_of_block(mask: Mask, channels: int) -> Mask:
    """Return for each channel whether anything of its block is in a mask of equal blocks."""
    return np.asarray(mask.reshape(channels, -1).any(axis=1))


def constants_of(name: str, graph: Graph, known: Mapping[str, Floats]) -> Floats:
    """Return the constants of a signal, (channels,), NaN for channels that are not constant."""
    return known.get(name, np.full(graph.shapes[name][1], np.nan))


def absorbed(layer: Layer, values: Floats) -> Mask:
    """Return which input channels a layer can take into its bias, given their constants.

    If its windows reach the zeros around the map, or if it is a ConvTranspose, whose border pixels
    have fewer taps, then only channels that are zero.
    """
    if layer.node.op == "ConvTranspose" or layer.has_border():
        return np.asarray(values == 0)
    return np.isfinite(values)


def response(layer: Layer, values: Floats, which: Mask) -> Layer:
    """Return the layer without the input channels `which`. Its bias has what these would give."""
    if layer.node.op == "ConvTranspose":
        rows = which.reshape(-1, *[1] * (layer.weight.ndim - 1))
        return replace(layer, weight=np.where(rows, 0.0, layer.weight))
    shift = np.where(which, values, 0.0)
    return layer.before((~which).astype(np.float64), shift if shift.any() else None)


def by_output(layer: Layer, channels: int) -> Floats:
    """Return the weights as (output channels, input channels of a group x taps)."""
    node, weight = layer.node, layer.weight
    if node.op == "ConvTranspose" and node.attrs.get("group", 1) == 1:
        weight = weight.swapaxes(0, 1)
    elif node.op == "MatMul" or (node.op == "Gemm" and not node.attrs.get("transB")):
        weight = weight.T
    return weight.reshape(channels, -1)


def bias(layer: Layer, channels: int) -> Floats:
    """Return the bias as one number for each output channel."""
    return np.broadcast_to(0.0 if layer.bias is None else layer.bias.reshape(-1), channels)


def _through(node: Node, graph: Graph, known: Mapping[str, Floats]) -> list[Floats]:
    kind = channel_kind(node, graph)
    if kind == "other":
        return []
    signals = [name for name in node.inputs if name and name not in graph.weights]
    ins = [constants_of(name, graph, known) for name in signals]
    match kind:
        case "dense" | "depthwise":
            return [_of_layer(node, graph, ins[0])]
        case "flat":
            out = graph.shapes[node.outputs[0]][1]
            return [np.repeat(ins[0], out // len(ins[0]))]
        case "concat":
            return [np.concatenate(ins)]
        case "split":
            sizes = [graph.shapes[name][1] for name in node.outputs]
            return np.split(ins[0], np.cumsum(sizes)[:-1])
    return [_alone(node, graph, signals, ins)]


def _of_layer(node: Node, graph: Graph, values: Floats) -> Floats:
    """Return the bias of output channels whose weights are all zero or on a constant, else NaN."""
    layer = read_layer(node, graph)
    assert layer is not None, "the kind of the node is that of a layer"
    layer = response(layer, values, absorbed(layer, values))
    channels = graph.shapes[node.outputs[0]][1]
    dead = ~by_output(layer, channels).any(axis=1)
    return np.where(dead, bias(layer, channels), np.nan)


def _alone(node: Node, graph: Graph, signals: list[str], ins: list[Floats]) -> Floats:
    """Return what the node makes of constants, by its own circuit, and NaN for other channels."""
    constant = np.all([np.isfinite(values) for values in ins], axis=0)
    zero = np.zeros_like(constant)
    if ops.column(node.op).zero_absorbs and len(ins) > 1:
        zero = np.any([values == 0 for values in ins], axis=0)
    out = np.where(zero, 0.0, np.nan)
    if not constant.any():
        return out
    names = tuple(dict.fromkeys(signals))
    alone = replace(graph, inputs=names, outputs=node.outputs[:1], nodes=(node,))
    filled = dict(zip(signals, ins, strict=True))
    # One sample, (1, channels, ...), with each channel at its constant.
    maps = {
        name: np.broadcast_to(
            np.nan_to_num(filled[name]).reshape(1, -1, *[1] * (len(graph.shapes[name]) - 2)),
            graph.shapes[name],
        )
        for name in names
    }
    answer = evaluate.outputs(lower(alone), maps)[node.outputs[0]].reshape(len(constant), -1)
    # A mean of equal numbers may differ from them in its last bit.
    even = constant & np.isclose(answer, answer[:, :1], rtol=1e-12, atol=0.0).all(axis=1)
    return np.where(even, answer[:, 0], out)
