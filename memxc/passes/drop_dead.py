"""drop-dead-channels: channels without effect are removed, and the network keeps its function.

A channel whose weights are all zero has the same value everywhere: its bias, or act(bias) behind
its activation. A layer that reads such a constant adds it to its own bias and needs the row no
more. A channel that nothing reads needs no column, no depthwise crossbar and no activation.

A constant other than zero stays if windows of its reader reach the zeros around the map: there it
is not constant. Channels that are tied together (by a residual Add, by outputs, by operators that
are not known) stay for all readers if one reader needs them. The other readers select their
channels by a Gather, which costs only wires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from memxc import ops
from memxc.analysis import channel_flow
from memxc.analysis.channel_flow import Floats, Mask
from memxc.analysis.layer import Layer, fresh_name, read_layer, without_unread, write_layer
from memxc.analysis.needed import needed_channels, read_by
from memxc.interfaces import Context, GraphPass, Result
from memxc.ir.graph import Graph, Node, Tensor


@dataclass(frozen=True)
class DropDeadChannels(GraphPass):
    """Leave out channels that are constant or that nothing reads; exact."""

    name = "drop-dead-channels"

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the graph with fewer channels, or the graph itself if none can go."""
        known = channel_flow.constants(graph)
        changed = _Rewriting(graph, known, needed_channels(graph, known)).run()
        if changed.nodes == graph.nodes:
            return Result(graph)
        return Result(without_unread(replace(changed, nodes=_read(changed))))


def _read(graph: Graph) -> tuple[Node, ...]:
    """Return the nodes that the outputs need."""
    needed, nodes = {*graph.outputs}, list[Node]()
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            nodes.append(node)
            needed.update(node.inputs)
    return tuple(reversed(nodes))


@dataclass
class _Rewriting:
    """A graph that is rewritten while the nodes of the old graph are walked in order.

    known: the constant channels of each tensor. kept: the channels of each tensor that stay.
    picked: the names of selected channels that exist already.
    """

    graph: Graph
    known: Mapping[str, Floats]
    kept: Mapping[str, Mask]
    nodes: list[Node] = field(default_factory=list)
    picked: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def run(self) -> Graph:
        old = self.graph
        shapes = {
            name: (old.shapes[name][0], int(mask.sum()), *old.shapes[name][2:])
            for name, mask in self.kept.items()
        }
        self.graph = replace(old, shapes={**old.shapes, **shapes})
        for node in old.nodes:
            self._node(node, channel_flow.channel_kind(node, old), old)
        return replace(self.graph, nodes=tuple(self.nodes))

    def _node(self, node: Node, kind: str, old: Graph) -> None:
        signals = [name for name in node.inputs if name and name not in old.weights]
        outs = [self.kept.get(name) for name in node.outputs]
        match kind, outs[0]:
            case _, None:
                self.nodes.append(node)
            case (("dense" | "depthwise"), out):
                self._layer(node, kind, old, out)
            case "split", _:
                self._split(node, signals[0])
            case "concat", out:
                parts = np.split(out, np.cumsum([old.shapes[name][1] for name in signals])[:-1])
                # A part of which no channel is left is not concatenated.
                parts_left = [each for each in zip(signals, parts, strict=True) if each[1].any()]
                self._add(replace(node, inputs=tuple(name for name, _ in parts_left)), parts_left)
            case "flat", out:
                wanted = channel_flow.any_of_block(out, old.shapes[signals[0]][1])
                self._add(self._reshaped(node), [(signals[0], wanted)])
            case "alone", out:
                self._add(self._sliced(node, out, old), [(name, out) for name in signals])
            case _:
                self.nodes.append(node)

    def _layer(self, node: Node, kind: str, old: Graph, out: Mask) -> None:
        layer, src = read_layer(node, old), node.inputs[0]
        assert layer is not None, "the kind of the node is that of a layer"
        if kind == "dense":
            values = channel_flow.constants_of(src, old, self.known)
            wanted = read_by(node, old, values, out)
            gone = ~wanted & channel_flow.absorbed(layer, values)
            layer = channel_flow.response(layer, np.nan_to_num(values), gone)
        else:
            wanted = channel_flow.any_of_block(out, old.shapes[src][1])
        if wanted.all() and out.all():
            self.nodes.append(node)
            return
        source = self._pick(src, wanted)
        written = write_layer(self.graph, _cut(layer, kind, wanted, out), source, node.outputs[0])
        assert written is not None, "the constants of a layer are finite"
        self.graph = written[0]
        self.nodes.append(written[1])

    def _split(self, node: Node, src: str) -> None:
        """Select the channels of each part by a Gather."""
        first = 0
        for name in node.outputs:
            wanted = np.zeros_like(self.kept[src])
            wanted[first : first + len(self.kept[name])] = self.kept[name]
            first += len(self.kept[name])
            self._gather(src, wanted, name)

    def _add(self, node: Node, wanted: Iterable[tuple[str, Mask]]) -> None:
        """Add the node. wanted: for each of its signals, in order, the channels that it reads."""
        picked = iter([self._pick(name, mask) for name, mask in wanted])
        constants = {"", *self.graph.weights}
        inputs = tuple(name if name in constants else next(picked) for name in node.inputs)
        self.nodes.append(node if inputs == node.inputs else replace(node, inputs=inputs))

    def _pick(self, name: str, wanted: Mask) -> str:
        """Return the signal with these channels only, or itself if it has no others."""
        if (wanted == self.kept[name]).all():
            return name
        key = (name, wanted.tobytes())
        if key not in self.picked:
            dst = fresh_name(self.graph, name, "picked")
            shape = self.graph.shapes[name]
            shapes = {**self.graph.shapes, dst: (shape[0], int(wanted.sum()), *shape[2:])}
            kinds = {**self.graph.kinds}
            if name in kinds:
                kinds[dst] = kinds[name]
            self.graph = replace(self.graph, shapes=shapes, kinds=kinds)
            self.picked[key] = dst
            self._gather(name, wanted, dst)
        return self.picked[key]

    def _gather(self, src: str, wanted: Mask, dst: str) -> None:
        assert not (wanted & ~self.kept[src]).any(), f"{dst} wants what {src} no longer has"
        at = self._constant(np.flatnonzero(wanted[self.kept[src]]), dst, "channels")
        self.nodes.append(Node(dst, "Gather", (src, at), (dst,), {"axis": 1}))

    def _reshaped(self, node: Node) -> Node:
        """Return a Reshape with the new shape as its constant."""
        if node.op != "Reshape":
            return node
        shape = np.array(self.graph.shapes[node.outputs[0]], dtype=np.int64)
        wanted = self._constant(shape, node.outputs[0], "shape")
        return replace(node, inputs=(node.inputs[0], wanted), attrs={})

    def _sliced(self, node: Node, out: Mask, old: Graph) -> Node:
        """Return the node with its constants cut to the channels that stay."""
        if out.all():
            return node
        trait = ops.channelwise(node, old)
        assert trait is not None, "a node of the kind alone is channelwise"
        if trait.further == "settings":
            return node
        rank, inputs = len(old.shapes[node.outputs[0]]), []
        for name in node.inputs:
            constant = old.weights.get(name)
            vectors = trait.further == "vectors"
            axis = 0 if vectors else (0 if constant is None else constant.ndim) - rank + 1
            if constant is not None and axis >= 0 and constant.shape[axis : axis + 1] == out.shape:
                name = self._constant(constant.compress(out, axis), name, "cut")  # noqa: PLW2901
            inputs.append(name)
        return replace(node, inputs=tuple(inputs))

    def _constant(self, value: Tensor, beside: str, role: str) -> str:
        name = fresh_name(self.graph, beside, role)
        weights, shapes = self.graph.weights, self.graph.shapes
        self.graph = replace(
            self.graph,
            weights={**weights, name: value},
            shapes={**shapes, name: value.shape},
        )
        return name


def _cut(layer: Layer, kind: str, wanted: Mask, out: Mask) -> Layer:
    """Return the layer with some of its input channels and some of its output channels."""
    node, weight = layer.node, layer.weight
    bias = None if layer.bias is None else channel_flow.bias(layer, len(out))[out]
    if kind == "depthwise":
        rows = out if node.op == "Conv" else wanted
        attrs = {**node.attrs, "group": int(wanted.sum())}
        return replace(layer, node=replace(node, attrs=attrs), weight=weight[rows], bias=bias)
    if node.op == "Conv" or (node.op == "Gemm" and node.attrs.get("transB")):
        return replace(layer, weight=weight[out][:, wanted], bias=bias)
    return replace(layer, weight=weight[wanted][:, out], bias=bias)
