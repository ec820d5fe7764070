"""separate: 3D kernels become depthwise and pointwise kernels (2D + 1D), without training.

      filters x channels x taps   ~   (filters x channels x rank) * (channels x rank x taps)
             3D kernel                    pointwise, 1D                depthwise, 2D

Sub-images of 2D and 1D kernels take far fewer unit crossbars than those of 3D kernels: Oh, An, Min,
Micromachines 14(2):309 (2023). The fit is our own; docs/separate.md describes it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from memxc import units
from memxc.analysis.layer import fresh_name, read_layer, without_unread
from memxc.analysis.moments import fitted_stage, measured_moments, refit_stages
from memxc.analysis.separable import Pair, PatchMoments, fit
from memxc.evaluation import evaluate, losses, samples
from memxc.interfaces import Context, GraphPass, Option, Result
from memxc.ir.design import Design
from memxc.ir.graph import Graph, Node
from memxc.ir.stages import Linear, Schedule
from memxc.mapping.layout import Policy, plan_layout
from memxc.ops.lower import lower

Inputs = Mapping[str, NDArray[Any]]
Pairs = Mapping[str, Pair]

#: A fit uses samples with so many numbers on the widest bus (64 MiB in double precision); the
#: choice of layers uses samples with so many on all buses (128 MiB).
_FITTED, _CHOSEN = 1 << 23, 1 << 24


@dataclass(frozen=True)
class Separate(GraphPass):
    """Make depthwise and pointwise kernels of 3D ones, fitted to the activations of the samples.

    ratio: share of the layers that can be: convolutions of one group, of more than one tap, whose
    kernels have a higher rank. Those that save most unit crossbars for the error they bring.
    loss: the most that may be lost on the samples; fewer layers than `ratio` where it is more.
    rank: depthwise kernels for each input channel. partition, schedule: the layout whose unit
    crossbars are counted, where a stage has no option of its own.
    """

    name = "separate"
    exact = False
    ratio: float = field(
        default=1.0,
        metadata={
            "option": Option(
                "--separate",
                "Replace 3D kernels by a depthwise and a pointwise kernel (2D + 1D) in this share "
                "of the layers that allow it.",
                metavar="RATIO",
                read=units.parse,
                example="--separate 0.5",
                page="separate.md",
            )
        },
    )
    loss: float = math.inf
    rank: int = 1
    partition: Policy = "packed"
    schedule: Schedule = "parallel"

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"ratio = {self.ratio:g} is not between 0 and 1")
        if self.rank < 1:
            raise ValueError(f"rank = {self.rank} is less than 1")
        if not self.loss >= 0:
            raise ValueError(f"loss = {self.loss:g} is not 0 or more")

    @property
    def fits(self) -> bool:
        """Always."""
        return True

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the graph with two nodes in place of each separated one."""
        nodes = _candidates(graph, self.rank)
        most = math.floor(self.ratio * len(nodes) + 1e-9)
        if not most:
            return Result(graph)
        # With one thread, because the last bits of a sum depend on how threads divide it.
        with threadpool_limits(1, user_api="blas"):
            work = _Work(graph, nodes, self, ctx)
            chosen = most < len(nodes) or self.loss < math.inf
            order = work.order() if chosen else list(nodes)
            pairs = work.within(order[:most], self.loss)
            warnings = (*work.too_coarse(self.loss), *work.in_vain(pairs))
            return Result(work.changed(pairs), warnings)


def _candidates(graph: Graph, rank: int) -> dict[str, Node]:
    """Return the convolutions that can be separated, by the tensor that they write."""
    candidates = {}
    for node in graph.nodes:
        layer = read_layer(node, graph) if node.op == "Conv" else None
        if layer is None or node.attrs.get("group", 1) != 1:
            continue
        filters, _, *taps = layer.weight.shape
        if prod(taps) > 1 and rank < min(filters, prod(taps)):
            candidates[node.outputs[0]] = node
    return candidates


class _Work:
    """A graph, its answers on the samples, and how it changes."""

    def __init__(
        self, graph: Graph, nodes: Mapping[str, Node], how: Separate, ctx: Context
    ) -> None:
        self.graph, self.nodes, self.how, self.ctx = graph, nodes, how, ctx
        self.design = lower(graph)
        self.layers = {
            stage.dst: stage
            for stage in self.design.stages
            if isinstance(stage, Linear) and stage.dst in nodes
        }
        widths = [bus.width for bus in self.design.buses.values()]
        self.inputs = _few(ctx.fit_to(), _FITTED // max(widths))
        self.chosen_on = _few(ctx.samples, _CHOSEN // sum(widths))
        self.judge = losses.Judge(ctx.judged or samples.Samples(ctx.samples, None), self.design)

    def pairs(self, names: Collection[str]) -> Pairs:
        """Return pairs for some layers. Each is fitted behind the pairs before it."""
        return refit_stages(self.design, self.inputs, names, self._fit)

    def _fit(self, stage: Linear, moments: PatchMoments) -> Pair:
        (kernel,) = stage.kernels
        channels = self.graph.weights[self.nodes[stage.dst].inputs[1]].shape[1]
        weight = kernel.weight()[0].T.reshape(kernel.columns, channels, -1)
        return fit(weight, moments, self.how.rank)

    def order(self) -> list[str]:
        """Return the layers, first the one that saves most unit crossbars for its error.

        Each layer is tried on its own. Its error is the mean square by which the outputs move.
        """
        values = evaluate.run(self.design, self.chosen_on)
        alone = {
            name: self._fit(stage, measured_moments(stage, values[stage.src], values[name]))
            for name, stage in self.layers.items()
        }
        moved = {name: self._moved(name, pair, values) for name, pair in alone.items()}
        saved = self._saved(alone)
        worth = {n: saved[n] / max(moved[n], 1e-15) for n in alone}
        # Layers that save nothing come last, those of least error first.
        return sorted(alone, key=lambda n: (0, -worth[n]) if saved[n] > 0 else (1, moved[n]))

    def _moved(self, name: str, pair: Pair, values: Mapping[str, NDArray[Any]]) -> float:
        """Return the mean square by which a pair moves the outputs, in shares of the variance."""
        now: dict[str, NDArray[Any]] = {}
        for stage in self.design.stages:
            changed_stage = stage
            if stage.dst == name and isinstance(stage, Linear):
                changed_stage = fitted_stage(stage, pair)
            if changed_stage is not stage or any(src in now for src in stage.srcs):
                sources = [now.get(src, values[src]) for src in stage.srcs]
                now[stage.dst] = evaluate.step(changed_stage, self.design.buses, sources)
        total = 0.0
        for output in self.design.outputs:
            moved = float(np.square(now.get(output, values[output]) - values[output]).mean())
            variance = float(values[output].var())
            total += moved / variance if variance else moved
        return total

    def _saved(self, pairs: Pairs) -> dict[str, int]:
        """Return how many unit crossbars each layer's pair saves."""
        changed = self.changed(pairs)
        before, after = self._crossbars(self.design), self._crossbars(lower(changed))
        depthwise = {node.outputs[0]: node.inputs[0] for node in changed.nodes}
        return {n: before[n] - after[n] - after[depthwise[n]] for n in pairs}

    def _crossbars(self, design: Design) -> dict[str, int]:
        """Return the unit crossbars of each crossbar stage, by the name of its output bus."""
        found = {}
        for stage in design.stages:
            if isinstance(stage, Linear) and stage.tiled:
                policy = self.ctx.option(stage.name, "partition", self.how.partition)
                schedule = self.ctx.option(stage.name, "schedule", self.how.schedule)
                lines, sequential = self.ctx.lines(stage.name), schedule == "sequential"
                found[stage.dst] = sum(
                    plan_layout(kernel, policy, lines, sequential).crossbars
                    for kernel in stage.kernels
                )
        return found

    def in_vain(self, pairs: Pairs) -> list[str]:
        """Return a warning if some pairs save no unit crossbars."""
        saved = self._saved(pairs)
        names = [self.nodes[name].name for name in self.nodes if saved.get(name, 1) <= 0]
        if not names:
            return []
        first_names = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        return [
            f"separate: laid out as {self.how.partition}, {len(names)} of {len(pairs)} layers take "
            f"no fewer unit crossbars as depthwise and pointwise kernels: {first_names}"
        ]

    def too_coarse(self, loss: float) -> list[str]:
        """Return a warning if there are too few samples to measure so small a loss."""
        return [] if loss == math.inf else list(filter(None, [self.judge.too_coarse(loss)]))

    def within(self, order: list[str], loss: float) -> Pairs:
        """Return pairs for as many layers, in this order, as lose at most `loss` on the samples."""
        pairs = self.pairs(order)
        if loss == math.inf:
            return pairs
        right = self.judge.answers(self.design)
        low, high, kept = 0, len(order), dict[str, Pair]()
        # The loss grows with the number of layers, so this is a binary search. It starts with all.
        count = high
        while True:
            answers = self.judge.answers(self._with(pairs))
            if self.judge.loss(answers, right).lost <= loss:
                low, kept = count, dict(pairs)
            else:
                high = count - 1
            if low >= high:
                return kept
            count = (low + high + 1) // 2
            pairs = self.pairs(order[:count])

    def _with(self, pairs: Pairs) -> Design:
        return self.design.with_stages(
            fitted_stage(stage, pairs[stage.dst])
            if isinstance(stage, Linear) and stage.dst in pairs
            else stage
            for stage in self.design.stages
        )

    def changed(self, pairs: Pairs) -> Graph:
        """Return the graph with two nodes in place of each node that has a pair."""
        graph = self.graph
        nodes: list[Node] = []
        for node in graph.nodes:
            pair = pairs.get(node.outputs[0])
            if pair is None:
                nodes.append(node)
            else:
                graph, two = _two(graph, node, pair)
                nodes += two
        return without_unread(replace(graph, nodes=tuple(nodes)))


def _few(inputs: Inputs, count: int) -> Inputs:
    return {name: values[: max(1, count)] for name, values in inputs.items()}


def _two(graph: Graph, node: Node, pair: Pair) -> tuple[Graph, list[Node]]:
    """Return the graph with the constants of a pair, and its depthwise and pointwise node."""
    dst, weight = node.outputs[0], graph.weights[node.inputs[1]]
    middle, taps = fresh_name(graph, dst, "depthwise"), weight.shape[2:]
    filters, channels, rank = pair.pointwise.shape
    constants = {
        fresh_name(graph, middle, "weight"): pair.depthwise.reshape(channels * rank, 1, *taps),
        fresh_name(graph, middle, "pointwise"): pair.pointwise.reshape(
            filters, -1, *[1] * len(taps)
        ),
        fresh_name(graph, middle, "bias"): pair.bias,
    }
    first, second, bias = constants
    batch, _, *size = graph.shapes[dst]
    shapes = {name: value.shape for name, value in constants.items()}
    slide = {**node.attrs, "group": channels, "kernel_shape": taps}
    still = {"kernel_shape": (1,) * len(taps)}
    changed = replace(
        graph,
        weights={**graph.weights, **constants},
        shapes={**graph.shapes, **shapes, middle: (batch, channels * rank, *size)},
    )
    return changed, [
        Node(f"{node.name}/depthwise", "Conv", (node.inputs[0], first), (middle,), slide),
        Node(f"{node.name}/pointwise", "Conv", (middle, second, bias), (dst,), still),
    ]
