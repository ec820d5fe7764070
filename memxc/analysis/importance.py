"""How much of a network's answers passes through each channel and each weight, on the samples.

An output channel is a sum of terms w x. Its importance is divided among the terms in proportion to
their variance:

    importance of w  =  importance of the output * w^2 var(x) / sum of all w^2 var(x)

So importance goes back through the layers, from the outputs of the network, whose channels are
equally important. It has no unit and is comparable between layers: if everything passes through one
signal, its channels add up to one. What is constant has no importance, because it can be a bias.
The rule is ours, in the manner of relevance propagation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from memxc.analysis import channel_flow
from memxc.analysis.layer import Layer, read_layer, takes_bias
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChannelMoments:
    """Mean and variance of each channel of a signal, over the samples and the map."""

    mean: Floats
    variance: Floats


@dataclass(frozen=True, eq=False)
class Importance:
    """The importance of everything in a graph, measured on samples.

    moments: of each signal.
    sources: of the signal that a layer reads, along the layer's channels, by the layer's output.
    """

    graph: Graph
    moments: Mapping[str, ChannelMoments]
    sources: Mapping[str, ChannelMoments]

    @cached_property
    def channels(self) -> dict[str, Floats]:
        """The importance of each channel, for each signal that is needed."""
        found: dict[str, Floats] = {}
        for name in self.graph.outputs:
            if name in self.moments:
                count = len(self.moments[name].mean)
                found[name] = np.full(count, 1 / count)
        for node in reversed(self.graph.nodes):
            for name, part in self._back(node, found):
                found[name] = found.get(name, 0.0) + part
        return found

    def weights(self, layer: Layer) -> Floats:
        """Return the importance of each weight, in the shape of the weight."""
        name = layer.node.outputs[0]
        found = self.channels.get(name, np.zeros(1))
        shape = self.graph.shapes[name]
        axis = layer.channel_axis(len(shape))
        if axis != _axis(shape):
            # Importance is known along another axis only, so these channels share it equally.
            found = np.full(shape[axis], found.sum() / shape[axis])
        return self._weights(layer, np.broadcast_to(found, shape[axis]))

    def _weights(self, layer: Layer, wanted: Floats) -> Floats:
        """Return the importance of a layer's weights, given that of its outputs."""
        variance = self.sources[layer.node.outputs[0]].variance
        terms = layer.weight**2 * _inputs(layer, variance)
        total = channel_flow.by_output(replace(layer, weight=terms), len(wanted)).sum(axis=1)
        factor = np.where(total > 0, wanted / np.where(total > 0, total, 1.0), 0.0)
        return terms * _outputs(layer, factor)

    def corrected(self, layer: Layer, weight: Floats) -> Layer:
        """Return the layer with other weights and a bias that keeps its mean outputs.

        The bias stays as it is if the layer has no place for one.
        """
        if not takes_bias(layer, self.graph):
            return replace(layer, weight=weight)
        gone = replace(layer, weight=layer.weight - weight)
        mean = self.sources[layer.node.outputs[0]].mean
        if layer.node.op != "ConvTranspose":
            return replace(layer, weight=weight, bias=gone.before(np.ones_like(mean), mean).bias)
        src, dst = (self.graph.shapes[name] for name in (layer.node.inputs[0], *layer.node.outputs))
        each = channel_flow.by_output(
            replace(gone, weight=gone.weight * _inputs(gone, mean)), dst[1]
        )
        # Each pixel of the input adds to some pixels of the output only: the shift is their mean.
        shift = each.sum(axis=1) * prod(src[2:]) / prod(dst[2:])
        return replace(layer, weight=weight, bias=channel_flow.bias(layer, dst[1]) + shift)

    def _back(self, node: Node, found: Mapping[str, Floats]) -> list[tuple[str, Floats]]:
        """Return what a node passes back to its signals of the importance of its outputs."""
        signals = [name for name in node.inputs if name in self.moments]
        counts = [len(self.moments[name].mean) for name in signals]
        outs = [found.get(name, np.zeros(1)) for name in node.outputs if name in self.moments]
        if not signals or not any(out.any() for out in outs):
            return []
        kind = channel_flow.channel_kind(node, self.graph)
        if kind == "alone":
            return self._shared(signals, outs[0])
        if kind == "concat":
            parts = np.split(outs[0], np.cumsum(counts)[:-1])
        elif kind == "split":
            parts = [np.concatenate(outs)]
        elif kind == "flat":
            parts = [outs[0].reshape(counts[0], -1).sum(axis=1)]
        elif kind == "other":
            total = sum(float(out.sum()) for out in outs)
            parts = [np.full(count, total / count) for count in counts]
        else:
            layer = read_layer(node, self.graph)
            assert layer is not None, "the kind of the node is that of a layer"
            parts = [_by_input(layer, self._weights(layer, outs[0]), counts[0])]
        return list(zip(signals, parts, strict=True))

    def _shared(self, signals: list[str], out: Floats) -> list[tuple[str, Floats]]:
        """Divide importance among several signals by their variance."""
        parts = np.stack([self.moments[name].variance for name in signals])
        total = parts.sum(axis=0)
        shares = np.where(total > 0, parts / np.where(total > 0, total, 1.0), 1 / len(parts))
        return [(name, share * out) for name, share in zip(signals, shares, strict=True)]


def measured_importance(graph: Graph, ctx: Context) -> Importance:
    """Return the importance of everything in a graph, on the samples of the context."""
    design = lower(graph)
    layers = [layer for node in graph.nodes if (layer := read_layer(node, graph)) is not None]
    reads = {layer.node.outputs[0]: _reads(layer, graph) for layer in layers}
    sums: dict[tuple[str, int], Floats] = {}
    for batch in evaluate.batches(design, ctx.samples):
        for name, values in evaluate.walk(design, batch):
            if name in graph.shapes:
                for axis in {
                    _axis(graph.shapes[name]),
                    *(a for n, a in reads.values() if n == name),
                }:
                    maps = _by_channel(values, graph.shapes[name], axis)
                    parts = np.stack([maps.sum(axis=(0, 2)), (maps**2).sum(axis=(0, 2))])
                    sums[name, axis] = sums.get((name, axis), 0.0) + parts
    count = len(next(iter(ctx.samples.values())))
    measured = {}
    for (name, axis), (first, second) in sums.items():
        size = count * max(1, prod(graph.shapes[name])) // len(first)
        mean = first / size
        measured[name, axis] = ChannelMoments(mean, np.maximum(second / size - mean**2, 0.0))
    moments = {
        name: each for (name, axis), each in measured.items() if axis == _axis(graph.shapes[name])
    }
    return Importance(graph, moments, {name: measured[read] for name, read in reads.items()})


def _axis(shape: Sequence[int]) -> int:
    """Return the axis of a signal's channels: 1, or 0 if there is no batch axis of one."""
    return 1 if len(shape) > 1 and shape[0] == 1 else 0


def _reads(layer: Layer, graph: Graph) -> tuple[str, int]:
    """Return the signal that a layer reads, and the axis of the layer's channels in it."""
    name = layer.node.inputs[0]
    if layer.node.attrs.get("transA"):
        return name, 0
    return name, layer.channel_axis(len(graph.shapes[name]))


def _by_channel(values: Floats, shape: Sequence[int], axis: int) -> Floats:
    """Return a signal of (samples, width) as (samples, channels, the rest)."""
    maps = values.reshape(len(values), *(shape or (1,)))
    return np.moveaxis(maps, axis + 1, 1).reshape(len(values), maps.shape[axis + 1], -1)


def _inputs(layer: Layer, channels: Floats) -> Floats:
    """Return numbers of input channels, shaped to be multiplied with the weight."""
    weight = layer.weight
    if layer.node.op == "ConvTranspose":
        return channels.reshape(-1, *[1] * (weight.ndim - 1))
    ones = replace(layer, weight=np.ones_like(weight), bias=None)
    return ones.before(channels, None).weight


def _outputs(layer: Layer, channels: Floats) -> Floats:
    """Return numbers of output channels, in the shape of the weight."""
    ones = replace(layer, weight=np.ones_like(layer.weight), bias=None)
    return ones.behind(channels, None).weight


def _by_input(layer: Layer, each: Floats, count: int) -> Floats:
    """Return sums of numbers of weights, one for each input channel."""
    node = layer.node
    if node.op == "Conv" and node.attrs.get("group", 1) == 1:
        return np.asarray(np.moveaxis(each, 1, 0).reshape(count, -1).sum(axis=1))
    if node.op == "Gemm" and node.attrs.get("transB"):
        each = each.T
    return np.asarray(each.reshape(count, -1).sum(axis=1))
