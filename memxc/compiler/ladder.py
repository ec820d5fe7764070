"""The ladder of oracles: every step of a compilation held against the one before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost import estimate
from memxc.compiler.record import PassRecord, counts
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference, samples
from memxc.evaluation.losses import DIGITS, Answers, Judge, Loss, distance
from memxc.frontend import evaluator
from memxc.interfaces import Context, DesignPass, GraphPass, Pass
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ops.lower import lower
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import Wires

#: Samples on which every pass is checked, and numbers in all of a network with a wide input; more
#: would only cost time.
_CHECKED, _NUMBERS = 4, 1 << 17
#: A lowered network further than this from onnxruntime, relative to its outputs, computes another
#: thing; float32 alone gives 1e-6.
_SAME = 1e-3
#: Decimals of that distance, rounded up: onnxruntime's sums in float32 are the processor's, too.
_FLOAT32_DIGITS = 6


@dataclass(frozen=True)
class Rung:
    """The distance of two neighbours on the ladder of oracles, on the network's outputs.

    NaN where one of them gives NaN.
    """

    start: str
    end: str
    max_abs_error: float
    max_rel_error: float


class Ladder:
    """Runs the passes and keeps what each did; compares before and after unless told not to."""

    def __init__(
        self, model: Path, inputs: Mapping[str, NDArray[Any]], progress: Callable[[str], None]
    ) -> None:
        self.inputs = samples.few(inputs, _NUMBERS, _CHECKED)
        self.progress = progress
        self.records: list[PassRecord] = []
        self.rungs: list[Rung] = []
        self.warnings: list[str] = []
        self.name, self.undefined = "", False
        self.values: Mapping[str, NDArray[Any]] | None = None
        #: What the first rung is held against, and why it does not hold.
        self.reference: str | None = None
        self.fault: str | None = None
        self.judge: Judge | None = None
        self.answers: list[Answers] = []
        #: The network before limiters, which clip what goes beyond the calibration samples.
        self.unlimited: Design | None = None
        self.circuit: tuple[Design, Answers] | None = None
        self.known: tuple[Graph, Design] | None = None
        self.sizes: tuple[Design, dict[str, int]] | None = None
        if self.inputs:
            self._refer(model)

    def _refer(self, model: Path) -> None:
        """What the original network answers, by onnxruntime or else by onnx.reference."""
        for name, run in (("onnxruntime", reference.run), ("onnx.reference", evaluator.run)):
            try:
                self.values = run(model, self.inputs)
            except MemxcError as error:
                self.warnings.append(error.faults[0].what)
            else:
                self.name = self.reference = name
                break
        if self.reference is None:
            self.fault = "nothing answers for the original network, so nobody knows what is right"
            self.warnings.append(self.fault)
        elif self.warnings:
            self.warnings.append(f"the network is compared with {self.reference} instead")

    def lowered(self, design: Design) -> None:
        """The first rung: the lowered network against the original one."""
        rung = self._rung("lowered", design, _FLOAT32_DIGITS, up=True)
        if rung is not None and not rung.max_rel_error <= _SAME:
            self.fault = _far(rung.max_rel_error, rung.start)
            self.warnings.append(self.fault)

    def graph_pass(self, change: GraphPass, graph: Graph, ctx: Context) -> Graph:
        """The graph after a pass, which is held against the graph before it."""
        self.progress(change.name)
        changed = change.run(graph, ctx)
        changed.verify()
        before = self.design(graph)
        if not self.records:
            self.lowered(before)
        after = before if _same(graph, changed) else lower(changed)
        if after is before and not change.exact:
            self.warnings.append(f"{change.name} found nothing to change")
        self.known = changed, after
        self._record(change, before, after, ctx)
        return changed

    def design(self, graph: Graph) -> Design:
        """A graph lowered; remembered, for passes follow each other."""
        if self.known is None or self.known[0] is not graph:
            self.known = graph, lower(graph)
        return self.known[1]

    def estimate(
        self, changes: Sequence[DesignPass], design: Design, ctx: Context
    ) -> estimate.Estimate:
        """The bill of what passes make of a design, stage by stage; nothing is compared."""
        sizes = {change.name: dict.fromkeys(counts(design), 0) for change in changes}

        def watch(name: str, part: Design) -> None:
            for key, value in counts(part, ctx.zeros).items():
                sizes[name][key] += value

        self.progress("counting stage by stage")
        found = estimate.estimate(design, changes, ctx, watch)
        before = self._counts(design, ctx)
        for change in changes:
            # Sharing changes no count.
            after = before if change.name == "share" else sizes[change.name]
            record = PassRecord(change.name, change.options(), change.exact, before, after, None)
            self.records.append(record)
            before = after
        return found

    def design_pass(self, change: DesignPass, design: Design, ctx: Context) -> Design:
        """The design after a pass, which is held against the design before it."""
        self.progress(change.name)
        changed = change.run(design, ctx)
        changed.verify()
        self._record(change, design, changed, ctx)
        return changed

    def loss(self) -> Loss | None:
        """What all passes lost together; None where no pass was lossy, or none was compared."""
        if self.judge is None:
            return None
        return self.judge.loss(self.answers[-1], self.answers[0])

    def _record(self, change: Pass, before: Design, after: Design, ctx: Context) -> None:
        if change.wired:
            self._record_wired(change, before, after, ctx)
            return
        rung = self._rung(change.name, after)
        self._check(change, rung)
        judged_later = self.judge is None and rung is not None
        if judged_later and not any(bus.scale for bus in before.buses.values()):
            self.unlimited = before
        loss = None if change.exact or rung is None else self._lost(before, after, ctx)
        sizes = (self._counts(before, ctx), self._counts(after, ctx))
        self.records.append(PassRecord(change.name, change.options(), change.exact, *sizes, loss))

    def _counts(self, design: Design, ctx: Context) -> dict[str, int]:
        """The size of a design; remembered, for passes follow each other."""
        if self.sizes is None or self.sizes[0] is not design:
            self.sizes = design, counts(design, ctx.zeros)
        return self.sizes[1]

    def _record_wired(self, change: Pass, before: Design, after: Design, ctx: Context) -> None:
        """A pass that is about the circuit with its wires: measured with them, before and after."""
        sizes: list[dict[str, float]] = [{**self._counts(d, ctx)} for d in (before, after)]
        sizes[1] |= ctx.figures
        ctx.figures.clear()
        if self.judge is not None:
            start, end = (self._circuit(design, ctx) for design in (before, after))
            sizes[0] |= self.judge.worth(start, self.answers[0])
            sizes[1] |= self.judge.worth(end, self.answers[0])
            self.answers += [] if change.exact else [end]
        made = after if change.exact else _with_wires(after, ctx)
        self._check(change, self._rung(change.name, made))
        if made is not after and self.inputs:
            # The passes behind it are held against what the conductances say by themselves.
            self.values = evaluate.outputs(after, self.inputs)
        self.records.append(
            PassRecord(change.name, change.options(), change.exact, sizes[0], sizes[1], None)
        )

    def _check(self, change: Pass, rung: Rung | None) -> None:
        # No limiter acts on the samples that calibrate scaled by: it is exact on them, too.
        # Outputs that were NaN before stay it: lowered() has said so.
        if change.exact and rung is not None and not self.undefined:
            assert rung.max_rel_error < 1e-9, (
                f"the exact pass {change.name} moved the outputs by {rung.max_rel_error:.1e}"
            )

    def _circuit(self, design: Design, ctx: Context) -> Answers:
        """What the circuit answers with its wires; remembered, for passes follow each other."""
        assert self.judge is not None, "nothing to answer to"
        if self.circuit is None or self.circuit[0] is not design:
            self.circuit = design, self.judge.answers(_with_wires(design, ctx))
        return self.circuit[1]

    def _lost(self, before: Design, after: Design, ctx: Context) -> Loss:
        """The loss of a pass. What exact passes before it did to rare samples is part of it."""
        if self.judge is None:
            self.judge = Judge(ctx.judged or samples.Samples(ctx.samples, None), before)
            self.answers = [self.judge.answers(self.unlimited or before)]
            self.unlimited = None
            self.warnings += filter(None, [self.judge.misfit])
        self.answers.append(self.judge.answers(after))
        return self.judge.loss(self.answers[-1], self.answers[-2])

    def _rung(
        self, name: str, design: Design, digits: int = DIGITS, up: bool = False
    ) -> Rung | None:
        if not self.inputs:
            return None
        values = evaluate.outputs(design, self.inputs)
        rung = None
        if self.values is not None:
            known = self.values
            apart = np.array([distance(values[key], known[key], digits, up) for key in values])
            # numpy's maximum keeps what is no number, Python's loses it.
            rung = Rung(self.name, name, *map(float, apart.max(axis=0)))
            self.undefined = any(np.isnan(before).any() for before in self.values.values())
            self.rungs.append(rung)
        self.name, self.values = name, values
        return rung


def _with_wires(design: Design, ctx: Context) -> Design:
    return effective(design, Wires.of(ctx.target.wire))


def _same(one: Graph, other: Graph) -> bool:
    """Whether a pass found nothing to do."""
    held = one.weights.keys() == other.weights.keys() and all(
        one.weights[name] is other.weights[name] for name in one.weights
    )
    return held and one.nodes == other.nodes and one.outputs == other.outputs


def _far(error: float, start: str) -> str:
    """What the user is told where the first rung is too long."""
    if not math.isfinite(error):
        return (
            "outputs are NaN or infinite on the samples, so the circuit cannot be compared with "
            "the network: give --samples for which the network gives numbers"
        )
    return (
        f"before any device is in it the circuit is {error:.1e} of the largest output away from "
        f"{start}: do not use it. Where the network rounds or compares, samples on an edge may "
        "go either way: give other --samples; otherwise it is a fault of memxc, please report it "
        "with the model"
    )
