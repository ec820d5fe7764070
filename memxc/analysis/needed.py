"""Which channels of a graph are needed: a walk from the outputs against the signals.

A channel is needed if a node reads it that cannot take it into its bias.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from memxc.analysis import channel_flow
from memxc.analysis.channel_flow import Floats, Mask
from memxc.analysis.layer import read_layer
from memxc.ir.graph import Graph, Node


def needed_channels(graph: Graph, known: Mapping[str, Floats]) -> dict[str, Mask]:
    """Return for each signal of two axes or more which channels are needed, (channels,).

    known: the constants of the signals (channel_flow.constants). At least one channel of each
    signal stays.
    """
    masks: dict[str, Mask] = {}
    for name in graph.outputs:
        _need(masks, name, graph, True)
    for node in reversed(graph.nodes):
        kind = channel_flow.channel_kind(node, graph)
        if kind in ("other", "concat", "split"):
            # An unknown operator gives all of its channels. Wires can leave out any.
            for name in filter(None, node.outputs):
                _need(masks, name, graph, kind == "other")
        else:
            _need(masks, node.outputs[0], graph, False)
        if kind in ("depthwise", "flat"):
            # Everything that one channel becomes stays or goes together.
            channels = graph.shapes[node.inputs[0]][1]
            mask = masks[node.outputs[0]]
            whole = np.repeat(channel_flow.any_of_block(mask, channels), len(mask) // channels)
            masks[node.outputs[0]] = whole
        for name, wanted in _wanted(node, kind, graph, known, masks):
            _need(masks, name, graph, wanted)
    for name in graph.inputs:
        _need(masks, name, graph, True)
    return masks


def _need(masks: dict[str, Mask], name: str, graph: Graph, wanted: Mask | bool) -> None:
    """Add channels to the needed ones. If none is needed, the first one is."""
    shape = graph.shapes[name]
    if name in graph.weights or len(shape) < 2:
        return
    mask = masks.get(name, np.zeros(shape[1], dtype=bool)) | wanted
    if not mask.any():
        mask[:1] = True
    masks[name] = mask


def _wanted(
    node: Node, kind: str, graph: Graph, known: Mapping[str, Floats], masks: Mapping[str, Mask]
) -> list[tuple[str, Mask | bool]]:
    """Return what a node reads of its inputs, given what is read of its outputs."""
    signals = [name for name in node.inputs if name and name not in graph.weights]
    if kind == "other":
        return [(name, True) for name in signals]
    outs = [masks[name] for name in node.outputs if name]
    channels = [graph.shapes[name][1] for name in signals]
    match kind:
        case "dense":
            values = channel_flow.constants_of(signals[0], graph, known)
            return [(signals[0], read_by(node, graph, values, outs[0]))]
        case "depthwise" | "flat":
            return [(signals[0], channel_flow.any_of_block(outs[0], channels[0]))]
        case "concat":
            parts = np.split(outs[0], np.cumsum(channels)[:-1])
            return list(zip(signals, parts, strict=True))
        case "split":
            return [(signals[0], np.concatenate(outs))]
    return [(name, outs[0]) for name in signals]


def read_by(node: Node, graph: Graph, values: Floats, out: Mask) -> Mask:
    """Return which input channels a dense layer needs for its outputs `out`.

    values: the constants of the input channels. If none is needed, the first one is, because no
    layer is without inputs.
    """
    layer = read_layer(node, graph)
    assert layer is not None, "a dense node is a layer"
    weight = channel_flow.by_output(layer, len(out))[out].reshape(int(out.sum()), len(values), -1)
    needed = np.asarray(weight.any(axis=(0, 2)) & ~channel_flow.absorbed(layer, values))
    needed[0] |= not needed.any()
    return needed
