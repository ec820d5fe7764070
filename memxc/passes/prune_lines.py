"""prune-lines: whole lines of crossbars, or whole crossbars, become zero.

crossbar: one channel of a depthwise convolution (Wen et al., IEEE TNSE 7(3), 2020: redundant
crossbars of depthwise separable layers).
word-line: one input line of a layer, which is a tap of a channel.
bit-line: one output line, which is a filter (the sister papers on GoogLeNet).

The papers' scores are not public, so the scores are ours. drop-dead-channels then removes what the
zeros leave without effect, and drop-lines removes the word lines without a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memxc.analysis import channel_flow, prune, refit
from memxc.analysis.importance import Importance, measured_importance
from memxc.analysis.layer import Layer, floats, layers_of, with_layers
from memxc.analysis.needed import needed_channels
from memxc.errors import fail
from memxc.interfaces import Context, GraphPass, Result
from memxc.ir.graph import Graph

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Unit = Literal["crossbar", "word-line", "bit-line"]


@dataclass(frozen=True)
class PruneLines(GraphPass):
    """Zero the units of the lowest score: a share of all, or as many as a wanted loss allows.

    unit: crossbar, word-line or bit-line. share: of all units of the network. loss: the largest
    share that loses no more on the samples. score: `l1`, the sum of the magnitudes of a unit's
    weights, or `bn`, the scale of the BatchNormalization behind the layer, which has to be there
    still, each over the mean of its layer; or `samples`, how much of the answers passes through a
    unit, and then what it gave on average goes into the bias. One unit stays in every layer, and so
    do crossbars and bit lines that cannot leave the network. rest: whether the weights that stay
    are `kept`, or `refitted` to answer on the samples as the whole network did.
    """

    name = "prune-lines"
    exact = False
    unit: Unit = "crossbar"
    share: float = 0.0
    loss: float = 0.0
    score: Literal["l1", "bn", "samples"] = "l1"
    rest: prune.Rest = "kept"

    @property
    def fits(self) -> bool:
        """Where the weights that stay are refitted."""
        return self.rest == "refitted"

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the graph with zeros in its weights."""
        warnings = prune.check_amounts(self, ("share", "loss"), ctx)
        units = _units(graph, self.unit)
        if not units:
            words = "depthwise convolution" if self.unit == "crossbar" else "layer"
            what = f"the network has no {words} that could lose a {self.unit}"
            raise fail("usage", self.name, what)
        importance = measured_importance(graph, ctx) if self.score == "samples" else None
        scores = self._scores(graph, units, importance)
        free = {index: _free(graph, units, index, self.unit) for index in scores}
        order = _ranked(scores, free)
        total = sum(map(len, scores.values()))

        def pruned(share: float) -> Graph:
            masks = {index: np.zeros(len(score), dtype=bool) for index, score in scores.items()}
            for index, number in order[: round(share * total)]:
                masks[index][number] = True
            zeroed = _zeroed(graph, units, masks, self.unit, importance)
            return refit.rest(self.rest, graph, zeroed, ctx)

        if not self.share:
            within_loss = prune.most(graph, pruned, self.loss, ctx)
            return Result(within_loss.ir, (*warnings, *within_loss.warnings))
        if round(self.share * total) > len(order):
            warnings += (
                f"{self.name}: {len(order)} of {total} units ({self.unit}) can go, fewer than the "
                f"share of {self.share:g} asked for; the others are tied to what stays",
            )
        return Result(pruned(self.share), warnings)

    def _scores(
        self,
        graph: Graph,
        units: Mapping[int, Layer],
        importance: Importance | None,
    ) -> dict[int, Floats]:
        """Return the score of each unit of each layer, (units,) by the layer's position."""
        if importance is not None:
            return {i: _through(importance, layer, self.unit) for i, layer in units.items()}
        if self.score == "l1":
            scores = {index: _magnitudes(layer, self.unit) for index, layer in units.items()}
        else:
            gammas = {index: _scale(graph, layer) for index, layer in units.items()}
            scores = {
                index: _by_unit(scale, units[index], self.unit)
                for index, scale in gammas.items()
                if scale is not None
            }
            if self.unit == "word-line" or not scores:
                what = "there is no BatchNormalization behind a layer that has such units"
                hint = "l1 and samples need none"
                raise fail("usage", self.name, what, hint)
        return {index: value / max(float(value.mean()), 1e-300) for index, value in scores.items()}


def _units(graph: Graph, unit: Unit) -> dict[int, Layer]:
    """Return the layers that have such units, by the position of their node."""
    wanted = "depthwise" if unit == "crossbar" else "dense"
    return {
        index: layer
        for index, layer in layers_of(graph).items()
        if channel_flow.channel_kind(layer.node, graph) == wanted
        and (unit != "crossbar" or layer.node.op == "Conv")
    }


def _magnitudes(layer: Layer, unit: Unit) -> Floats:
    """Return the sum of the magnitudes of each unit of a layer."""
    weight = np.abs(layer.weight)
    if unit == "word-line":
        return np.asarray(weight.sum(axis=_columns(layer)).reshape(-1))
    lines = np.moveaxis(weight, _columns(layer), 0)
    return _by_unit(lines.reshape(len(lines), -1).sum(axis=1), layer, unit)


def _by_unit(lines: Floats, layer: Layer, unit: Unit) -> Floats:
    """Return bit lines' numbers as units' numbers: a crossbar has all filters of a channel."""
    return lines.reshape(layer.node.attrs["group"], -1).sum(axis=1) if unit == "crossbar" else lines


def _through(importance: Importance, layer: Layer, unit: Unit) -> Floats:
    """Return how much of the network's answers passes through each unit of a layer."""
    if unit == "word-line":
        return np.asarray(importance.weights(layer).sum(axis=_columns(layer)).reshape(-1))
    none = np.zeros(layer.weight.shape[_columns(layer)])
    return _by_unit(importance.channels.get(layer.node.outputs[0], none), layer, unit)


def _columns(layer: Layer) -> int:
    """Return the axis of the weight that is its bit lines. The other axes are its word lines."""
    node = layer.node
    return 0 if node.op == "Conv" or (node.op == "Gemm" and node.attrs.get("transB")) else 1


def _zeroed(
    graph: Graph,
    units: Mapping[int, Layer],
    masks: Mapping[int, Mask],
    unit: Unit,
    importance: Importance | None,
) -> Graph:
    """Return the graph with the masked units at zero."""
    changed = {}
    for index, gone in masks.items():
        layer = units[index]
        shape = list(layer.weight.shape)
        if unit == "word-line":
            shape[_columns(layer)] = 1
        else:
            shape = [1] * len(shape)
            shape[_columns(layer)] = -1
            if unit == "crossbar":  # it has all bit lines of a channel
                count = layer.weight.shape[_columns(layer)] // len(gone)
                gone = np.repeat(gone, count)  # noqa: PLW2901
        if gone.any():
            weight = np.where(gone.reshape(shape), 0.0, layer.weight)
            changed[index] = (
                importance.corrected(layer, weight) if importance else replace(layer, weight=weight)
            )
    return with_layers(graph, changed)


def _scale(graph: Graph, layer: Layer) -> Floats | None:
    """Return |gamma| of the BatchNormalization that reads the layer, or None without one."""
    for node in graph.nodes:
        if node.op == "BatchNormalization" and node.inputs[0] == layer.node.outputs[0]:
            gamma = graph.weights.get(node.inputs[1])
            return None if gamma is None else np.abs(floats(gamma))
    return None


def _free(graph: Graph, units: Mapping[int, Layer], index: int, unit: Unit) -> Mask:
    """Return which units of a layer can leave the network, (units,).

    To find out, the whole layer is set to zero. Word lines can always leave.
    """
    count = len(_magnitudes(units[index], unit))
    if unit == "word-line":
        return np.ones(count, dtype=bool)
    empty = _zeroed(graph, units, {index: np.ones(count, dtype=bool)}, unit, None)
    node = empty.nodes[index]
    kept = needed_channels(empty, channel_flow.constants(empty))[node.outputs[0]]
    if kept.sum() == 1:
        kept = np.zeros_like(kept)  # one channel of a signal always stays
    return np.asarray(_by_unit(kept.astype(np.float64), units[index], unit) == 0)


def _ranked(scores: Mapping[int, Floats], free: Mapping[int, Mask]) -> list[tuple[int, int]]:
    """Return (layer, unit) for each unit that may go, lowest score first. One of a layer stays."""
    ranked = []
    for index, score in scores.items():
        may_go = free[index].copy()
        may_go[int(np.argmax(score))] = False
        ranked += [(float(score[number]), index, int(number)) for number in np.flatnonzero(may_go)]
    return [(index, number) for _, index, number in sorted(ranked)]
