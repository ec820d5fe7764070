"""prune-ckf: weights of small magnitude become zero, wherever they are (CKF).

An element of a kernel is multiplied with the whole map before the next element is taken. So a
weight of zero saves one product a pixel, wherever it is in the kernel. After Chen et al., IEEE
TNNLS 33(4), 2022, and CKFO, IEEE TCAD 40(8), 2021; the rule that chooses the weights is ours.
Biases stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memxc.analysis import prune, refit
from memxc.analysis.importance import Importance, measured_importance
from memxc.analysis.layer import Layer, layers_of, with_layers
from memxc.errors import fail
from memxc.interfaces import Context, GraphPass, Result
from memxc.ir.graph import Graph

Keep = dict[str, NDArray[np.bool_]]

Scope = Literal["all", "layer"]


@dataclass(frozen=True)
class PruneCkf(GraphPass):
    """Zero weights by their size: a share of them, those up to a threshold, or for a wanted loss.

    share: of `count`, weights or multiplications, that goes. scope: `all` ranks the weights of all
    layers together, by `magnitude` each over the root mean square of its layer; `layer` takes the
    share in every layer. score: `samples` ranks by how much of the answers passes through a weight,
    for a multiplication where these are counted, and puts what the pruned ones gave on average into
    the bias. threshold: weights of a magnitude
    up to it go. loss: the largest share that loses no more on the samples. Exactly one of share,
    threshold and loss is above zero. rest: whether the weights that stay are `kept`, or `refitted`
    to answer on the samples as the whole network did.
    """

    name = "prune-ckf"
    exact = False
    share: float = 0.0
    threshold: float = 0.0
    loss: float = 0.0
    score: Literal["magnitude", "samples"] = "magnitude"
    scope: Scope = "all"
    count: Literal["weights", "multiplications"] = "weights"
    rest: prune.Rest = "kept"

    @property
    def fits(self) -> bool:
        """Where the weights that stay are refitted."""
        return self.rest == "refitted"

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the graph with zeros in its weights."""
        warnings = prune.check_amounts(self, ("share", "threshold", "loss"), ctx)
        layers = layers_of(graph)
        if not layers:
            raise fail("usage", self.name, "the network has no layer of constant weights")
        values = {str(index): layer.weight for index, layer in layers.items()}
        if self.threshold:
            keep = {name: np.abs(value) > self.threshold for name, value in values.items()}
            zeroed = _zeroed(graph, layers, keep, None)
            return Result(refit.rest(self.rest, graph, zeroed, ctx), warnings)
        uses = None
        if self.count == "multiplications":
            uses = {str(index): _uses(layer, graph) for index, layer in layers.items()}
        importance = None
        if self.score == "samples":
            importance = measured_importance(graph, ctx)
            values = {
                str(index): importance.weights(layer) / (uses[str(index)] if uses else 1)
                for index, layer in layers.items()
            }

        def pruned(share: float) -> Graph:
            choose = masks if importance is None else largest
            keep = choose(values, share, self.scope, uses)
            return refit.rest(self.rest, graph, _zeroed(graph, layers, keep, importance), ctx)

        if self.share:
            return Result(pruned(self.share), warnings)
        within_loss = prune.most(graph, pruned, self.loss, ctx)
        return Result(within_loss.ir, (*warnings, *within_loss.warnings))


def masks(
    weights: Mapping[str, NDArray[Any]],
    share: float,
    scope: Scope = "all",
    uses: Mapping[str, int] | None = None,
) -> Keep:
    """Return which weights of each layer stay (True) if a share of all is pruned.

    This needs numpy only, so that training can use the same rule.

    scope: `all` ranks |w| over the root mean square of its layer; `layer` takes the share of each.
    uses: how often each weight of a layer is multiplied. Then the share is of multiplications.

    Of equal weights, the first ones are pruned first.
    """
    sizes = {name: np.abs(value) for name, value in weights.items()}
    if scope == "all":
        sizes = {
            name: size / max(float(np.sqrt(np.mean(np.square(size)))), 1e-300)
            for name, size in sizes.items()
        }
    return largest(sizes, share, scope, uses)


def largest(
    scores: Mapping[str, NDArray[Any]],
    share: float,
    scope: Scope = "all",
    uses: Mapping[str, int] | None = None,
) -> Keep:
    """Return which weights stay, as `masks` does, by scores that can be compared as they are."""
    if scope == "layer":
        return {name: _keep([score], share, [1])[0] for name, score in scores.items()}
    each = [1 if uses is None else uses[name] for name in scores]
    return dict(zip(scores, _keep(list(scores.values()), share, each), strict=True))


def _keep(scores: list[NDArray[Any]], share: float, uses: list[int]) -> list[NDArray[np.bool_]]:
    """Return which scores stay: the smallest ones go, about `share` of all uses."""
    flat = np.concatenate([score.reshape(-1) for score in scores])
    each = np.repeat(uses, [score.size for score in scores])
    order = np.argsort(flat, kind="stable")
    gone = np.cumsum(each[order]) - each[order] / 2 < share * each.sum()
    keep = np.ones(flat.size, dtype=bool)
    keep[order[gone]] = False
    parts = np.split(keep, np.cumsum([score.size for score in scores])[:-1])
    return [part.reshape(score.shape) for part, score in zip(parts, scores, strict=True)]


def _uses(layer: Layer, graph: Graph) -> int:
    """Return how often each weight is multiplied: pixels of the output.

    For a ConvTranspose, these are pixels of the input.
    """
    node = layer.node
    if node.op == "ConvTranspose":
        return prod(graph.shapes[node.inputs[0]][2:])
    shape = graph.shapes[node.outputs[0]]
    return prod(shape[2:]) if node.op == "Conv" else prod(shape[:-1])


def _zeroed(
    graph: Graph,
    layers: Mapping[int, Layer],
    keep: Keep,
    importance: Importance | None,
) -> Graph:
    """Return the graph with pruned weights at zero. With importance, the biases are corrected."""
    changed = {}
    for index, layer in layers.items():
        weight = np.where(keep[str(index)], layer.weight, 0.0)
        changed[index] = (
            importance.corrected(layer, weight) if importance else replace(layer, weight=weight)
        )
    return with_layers(graph, changed)
