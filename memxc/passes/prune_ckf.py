"""prune-ckf: weights of small magnitude become zero, wherever they stand.

Kernel elements first: an element of a kernel is multiplied with the whole map before the next one
is taken, so a weight of zero saves one product a pixel whatever its place (after Chen et al., IEEE
TNNLS 33(4), 2022, and CKFO, IEEE TCAD 40(8), 2021; the rule of choice is ours). Biases stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail
from memxc.ir.graph import Graph
from memxc.passes import Context, GraphPass, _layers, _prune

SCOPES = ("all", "layer")
COUNTS = ("weights", "multiplications")

Keep = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class PruneCkf(GraphPass):
    """Zero weights by magnitude: a share of them, those up to a threshold, or for a wanted loss.

    share: of `count`, weights or multiplications, that goes. scope: `all` ranks the weights of all
    layers together, each over the root mean square of its layer; `layer` takes the share in every
    layer. threshold: weights of a magnitude up to it go. loss: the largest share that loses no
    more on the samples. Exactly one of share, threshold and loss is above zero.
    """

    name = "prune-ckf"
    exact = False
    share: float = 0.0
    threshold: float = 0.0
    loss: float = 0.0
    scope: str = "all"
    count: str = "weights"

    def run(self, graph: Graph, ctx: Context) -> Graph:
        """The graph with zeros in its weights."""
        _prune.check(self, ("share", "threshold", "loss"))
        for key, value, known in (("scope", self.scope, SCOPES), ("count", self.count, COUNTS)):
            if value not in known:
                what = f"there is no {key} {value!r}"
                raise fail("usage", f"{self.name}.{key}", what, f"one of {', '.join(known)}")
        layers = _prune.layers(graph)
        weights = {str(index): layer.weight for index, layer in layers.items()}
        if self.threshold:
            keep = {name: np.abs(weight) > self.threshold for name, weight in weights.items()}
            return _zeroed(graph, layers, keep)
        uses = None
        if self.count == "multiplications":
            uses = {str(index): _uses(layer, graph) for index, layer in layers.items()}

        def pruned(share: float) -> Graph:
            return _zeroed(graph, layers, masks(weights, share, self.scope, uses))

        return pruned(self.share) if self.share else _prune.largest(graph, pruned, self.loss, ctx)


def masks(
    weights: Mapping[str, NDArray[Any]],
    share: float,
    scope: str = "all",
    uses: Mapping[str, int] | None = None,
) -> Keep:
    """Which weights of each layer stay, True, where a share of all goes.

    Nothing but numpy, so that training can hold its weights to the same rule. scope: `all` ranks
    |w| over the root mean square of its layer; `layer` takes the share in each. uses: how often a
    weight of a layer is multiplied; the share is of the multiplications then. Of equal weights the
    first go.
    """
    if scope == "layer":
        return {name: _keep([np.abs(w)], share, [1])[0] for name, w in weights.items()}
    scores = [
        np.abs(w) / max(float(np.sqrt(np.mean(np.square(w)))), 1e-300) for w in weights.values()
    ]
    kept = _keep(scores, share, [1 if uses is None else uses[name] for name in weights])
    return dict(zip(weights, kept, strict=True))


def _keep(scores: list[NDArray[Any]], share: float, uses: list[int]) -> list[NDArray[np.bool_]]:
    """All but the smallest scores, which make up the share of all uses as nearly as can be."""
    flat = np.concatenate([score.reshape(-1) for score in scores])
    each = np.repeat(uses, [score.size for score in scores])
    order = np.argsort(flat, kind="stable")
    gone = np.cumsum(each[order]) - each[order] / 2 < share * each.sum()
    keep = np.ones(flat.size, dtype=bool)
    keep[order[gone]] = False
    parts = np.split(keep, np.cumsum([score.size for score in scores])[:-1])
    return [part.reshape(score.shape) for part, score in zip(parts, scores, strict=True)]


def _uses(layer: _layers.Layer, graph: Graph) -> int:
    """Multiplications of one weight: pixels of the output, of the input of a ConvTranspose."""
    node = layer.node
    if node.op == "ConvTranspose":
        return prod(graph.shapes[node.inputs[0]][2:])
    shape = graph.shapes[node.outputs[0]]
    return prod(shape[2:]) if node.op == "Conv" else prod(shape[:-1])


def _zeroed(graph: Graph, layers: Mapping[int, _layers.Layer], keep: Keep) -> Graph:
    return _prune.rewritten(
        graph,
        {
            index: replace(layer, weight=np.where(keep[str(index)], layer.weight, 0.0))
            for index, layer in layers.items()
        },
    )
