"""Channels (axis 1 of a tensor): which are constant over the whole map, and which are needed.

Two walks over a graph. `constants` goes with the signals: a channel whose weights are zero is its
bias everywhere, and stays constant through what works on every channel alone. `kept` goes against
them: a channel is needed where something reads it that cannot take it as part of a bias.
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
    """How channels go through a node.

    dense: a layer that mixes all of them; depthwise: one kernel, or a block of them, a channel;
    alone: each as it is; flat: each as a run of positions; concat, split: moved; other: unknown.
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
    """(1, C, ...) as (1, C, ...) of other axes, or as (1, C x the rest)."""
    return prod(src) == prod(dst) and (dst[1] == src[1] or prod(dst[2:]) == 1)


def _is_alone(node: Node, graph: Graph) -> bool:
    trait = ops.channelwise(node, graph)
    if trait is None or len([n for n in node.outputs if n]) != 1:
        return False
    shape, operands = graph.shapes[node.outputs[0]], trait.further == "operands"
    for index, name in enumerate(node.inputs):
        own = graph.shapes[name] if name else ()
        if name in graph.weights:
            if operands and len(own) > len(shape):
                return False
        elif name:
            aligned = own[:2] == (1, shape[1]) and (len(own) == len(shape) or not operands)
            if not aligned or (index > 0 and not operands):
                return False
    return any(name and name not in graph.weights for name in node.inputs)


def constants(graph: Graph) -> dict[str, Floats]:
    """For each signal the value of each channel where it is constant, NaN where it is not.

    Signals without such channels are left out.
    """
    found: dict[str, Floats] = {}
    for node in graph.nodes:
        for name, values in zip(node.outputs, _through(node, graph, found), strict=False):
            if name and not np.isnan(values).all():
                found[name] = values
    return found


def any_of_block(mask: Mask, channels: int) -> Mask:
    """Whether any of what each channel becomes is in a mask of as many equal blocks."""
    return np.asarray(mask.reshape(channels, -1).any(axis=1))


def constants_of(name: str, graph: Graph, known: Mapping[str, Floats]) -> Floats:
    """The constants of a signal, (channels,), NaN for each that has none."""
    return known.get(name, np.full(graph.shapes[name][1], np.nan))


def absorbed(layer: Layer, values: Floats) -> Mask:
    """Input channels that a layer can take as part of its bias, given their constants.

    Of a window that reaches zeros around the map, and of a ConvTranspose, whose border pixels have
    fewer taps, only those that are zero.
    """
    if layer.node.op == "ConvTranspose" or layer.has_border():
        return np.asarray(values == 0)
    return np.isfinite(values)


def response(layer: Layer, values: Floats, which: Mask) -> Layer:
    """The layer without the input channels `which`, what they give put into its bias."""
    if layer.node.op == "ConvTranspose":
        rows = which.reshape(-1, *[1] * (layer.weight.ndim - 1))
        return replace(layer, weight=np.where(rows, 0.0, layer.weight))
    shift = np.where(which, values, 0.0)
    return layer.before((~which).astype(np.float64), shift if shift.any() else None)


def by_output(layer: Layer, channels: int) -> Floats:
    """The weights as (output channels, input channels of a group x taps)."""
    node, weight = layer.node, layer.weight
    if node.op == "ConvTranspose" and node.attrs.get("group", 1) == 1:
        weight = weight.swapaxes(0, 1)
    elif node.op == "MatMul" or (node.op == "Gemm" and not node.attrs.get("transB")):
        weight = weight.T
    return weight.reshape(channels, -1)


def bias(layer: Layer, channels: int) -> Floats:
    """One number an output channel."""
    return np.broadcast_to(0.0 if layer.bias is None else layer.bias.reshape(-1), channels)


def _through(node: Node, graph: Graph, known: Mapping[str, Floats]) -> list[Floats]:
    if channel_kind(node, graph) == "other":
        return []
    signals = [name for name in node.inputs if name and name not in graph.weights]
    ins = [constants_of(name, graph, known) for name in signals]
    match channel_kind(node, graph):
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
    """The bias of the output channels whose every weight is zero or on a constant."""
    layer = read_layer(node, graph)
    assert layer is not None, "the kind of the node is that of a layer"
    layer = response(layer, values, absorbed(layer, values))
    channels = graph.shapes[node.outputs[0]][1]
    dead = ~by_output(layer, channels).any(axis=1)
    return np.where(dead, bias(layer, channels), np.nan)


def _alone(node: Node, graph: Graph, signals: list[str], ins: list[Floats]) -> Floats:
    """What the node makes of constants, by its own circuit; NaN where that is no constant."""
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
    maps = {name: _map(np.nan_to_num(filled[name]), graph.shapes[name]) for name in names}
    found = evaluate.outputs(lower(alone), maps)[node.outputs[0]].reshape(len(constant), -1)
    # A mean of equal numbers may be off by its last bit.
    even = constant & np.isclose(found, found[:, :1], rtol=1e-12, atol=0.0).all(axis=1)
    return np.where(even, found[:, 0], out)


def _map(values: Floats, shape: Sequence[int]) -> Floats:
    """One sample, (1, channels, ...), each channel at its constant."""
    return np.broadcast_to(values.reshape(1, -1, *[1] * (len(shape) - 2)), shape)
