"""What the pruning passes share: reading their options, writing layers, and how far to go."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from memxc.analysis.layer import Layer, read_layer, without_unread, write_layer
from memxc.errors import Fault, MemxcError, fail
from memxc.evaluation.losses import Judge
from memxc.evaluation.samples import Samples
from memxc.interfaces import Context, Pass, Result
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower

#: What a pass does with the weights that stay.
REST = ("kept", "refitted")
#: For a wanted loss, the share is chosen in steps of one in so many.
_STEPS = 512


def check_amounts(
    change: Pass, amounts: tuple[str, ...], choices: Mapping[str, tuple[str, ...]], ctx: Context
) -> tuple[str, ...]:
    """Raise MemxcError (usage) unless exactly one of the amounts is given and all make sense.

    Return a warning if the pruning scores come from generated samples.
    """
    given = {key: value for key, value in change.options().items() if key in amounts and value}
    faults = []
    if len(given) != 1:
        what = "exactly one is above 0" if given else "one of them is above 0"
        faults.append(Fault("usage", f"{change.name}: {', '.join(amounts)}", what))
    for key, value in given.items():
        limit = math.inf if key == "threshold" else 1.0
        if not 0 < float(str(value)) < limit:
            words = "above 0" if key == "threshold" else "between 0 and 1, without these"
            faults.append(Fault("usage", f"{change.name}.{key}", f"{value} is not {words}"))
    for key, known in choices.items():
        if change.options()[key] not in known:
            what = f"there is no {key} {change.options()[key]!r}"
            faults.append(Fault("usage", f"{change.name}.{key}", what, f"one of {known}"))
    if faults:
        raise MemxcError(faults)
    options = change.options()
    by_samples = (options["loss"], options["score"] == "samples", options["rest"] == "refitted")
    if ctx.assumed_inputs and any(by_samples):
        return (
            f"{change.name} ranks by random inputs, which say little about what can be pruned; "
            "give real ones with --samples",
        )
    return ()


def layers(graph: Graph) -> dict[int, Layer]:
    """Return the layers of constant weights, by the position of their node."""
    read = {index: read_layer(node, graph) for index, node in enumerate(graph.nodes)}
    return {index: layer for index, layer in read.items() if layer is not None}


def rewritten(graph: Graph, changed: Mapping[int, Layer]) -> Graph:
    """Return the graph with some layers changed, without weights that nothing reads any more."""
    nodes: list[Node] = []
    for index, node in enumerate(graph.nodes):
        layer = changed.get(index)
        if layer is not None and not _equal(layer, read_layer(node, graph)):
            written = write_layer(graph, layer, node.inputs[0], node.outputs[0])
            assert written is not None, f"{node.name}: there is no such layer"
            graph, node = written  # noqa: PLW2901
        nodes.append(node)
    return without_unread(replace(graph, nodes=tuple(nodes)))


def _equal(layer: Layer, other: Layer | None) -> bool:
    if other is None or not np.array_equal(layer.weight, other.weight):
        return False
    if layer.bias is None or other.bias is None:
        return layer.bias is other.bias
    return np.array_equal(layer.bias, other.bias)


def most(
    graph: Graph, pruned: Callable[[float], Graph], loss: float, ctx: Context
) -> Result[Graph]:
    """Return the graph pruned by the largest share that loses at most `loss`: a binary search.

    The loss may fall although the share grows, so a larger share that would do can be missed.
    """
    if not ctx.samples:
        raise fail("usage", "--prune", "a wanted loss needs samples", "give --samples")
    before = lower(graph)
    judge = Judge(ctx.judged or Samples(ctx.samples, None), before)
    answers = judge.answers(before)
    good, bad, best = 0, _STEPS, graph
    while bad - good > 1:
        middle = (good + bad) // 2
        candidate = pruned(middle / _STEPS)
        # A loss of NaN is not below any limit.
        if judge.loss(judge.answers(lower(candidate)), answers).lost <= loss:
            good, best = middle, candidate
        else:
            bad = middle
    return Result(best, tuple(filter(None, [judge.too_coarse(loss)])))
