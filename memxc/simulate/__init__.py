"""simulate: the score of a network on real crossbars, over a whole data set.

The circuit of a draw becomes its twin, an ONNX model that onnxruntime runs. Nothing is fitted for
that (physics.network.effective; docs/simulate.md lists the approximations). Only nonlinear cells
with resistive wires have no such model: they are solved picture by picture (memxc.simulate.walk).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import __version__
from memxc.errors import fail
from memxc.evaluation import metrics, reference
from memxc.evaluation.metrics import Metric
from memxc.ir.design import Design
from memxc.jobs import Shard
from memxc.physics.device import variation
from memxc.simulate.circuit import answers, circuit
from memxc.simulate.journal import Journal, digest_of
from memxc.simulate.points import Point, Program, SweepPlan, check_programming, points, programmed
from memxc.simulate.scores import SweepRow, SweepScores
from memxc.target import Target

__all__ = [
    "Data",
    "Point",
    "SweepPlan",
    "SweepRow",
    "SweepScores",
    "UnderTest",
    "circuit",
    "draw_seed",
    "points",
    "programmed",
    "run",
    "run_shard",
]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Data:
    """A data set: inputs by name (samples, ...), labels or None, and its identity.

    where: its name in faults. digest: the SHA-256 of its file or arrays, with `:count` behind it if
    a count was asked for. warnings: about the data.
    """

    inputs: Mapping[str, Array]
    labels: Array | None
    where: str
    digest: str
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True, eq=False)
class UnderTest:
    """The programmed network to simulate, and the original network.

    digest: the SHA-256 of the design. program: a function that programs the same network for
    another target, or None if that is not possible. progress: called with a text and the share of
    work done.
    """

    design: Design
    target: Target
    original: bytes | None
    digest: str
    journal: Journal
    program: Program = None
    progress: Callable[[str, float], None] = field(default=lambda text, share: None)


def draw_seed(seed: int, draw: int) -> int:
    """Return the seed of the devices of draw 0, 1, ..., for the user's --seed."""
    return int(np.random.SeedSequence([seed, draw]).generate_state(1, np.uint64)[0])


def run(bench: UnderTest, data: Data, plan: SweepPlan) -> SweepScores:
    """Return the score of every point and draw.

    Raises MemxcError (usage) for settings or labels that do not fit. Finished results stay in the
    journal.
    """
    todo = points(plan, bench.target)
    check_programming(todo, bench.program)
    right, metric = _truth(bench, data, plan)
    return _Sweep(bench, data, plan, right, metric, todo).result()


def _truth(bench: UnderTest, data: Data, plan: SweepPlan) -> tuple[Array, Metric]:
    """Return the values that answers are compared with, and the metric."""
    name = bench.design.outputs[0]
    shape = bench.design.buses[name].sample
    metric = metrics.choose(plan.metric, shape, data.labels, data.where)
    if metric != "error":
        assert data.labels is not None, "the metric was chosen by the labels"
        return data.labels, metric
    if bench.original is None:
        hint = "compile again, or give labels y and another metric"
        what = "holds no copy of the model, and an error is against the model"
        raise fail("usage", "--metric error", what, hint)
    bench.progress("the original network", 0.0)
    return reference.predict(bench.original, data.inputs)[name], metric


def run_shard(
    bench: UnderTest,
    data: Data,
    plan: SweepPlan,
    shard: Shard,
    journal_of: Callable[[Sequence[str]], Journal],
) -> int:
    """Compute the results of one shard of a plan, and return their number.

    journal_of: the shard's journal, for the digests of all results of the plan in order. Results
    that the journal of `bench` has are copied. Raises MemxcError as `run` does.
    """
    todo = points(plan, bench.target)
    check_programming(todo, bench.program)
    right, metric = _truth(bench, data, plan)
    sweep = _Sweep(bench, data, plan, right, metric, todo)
    own = journal_of([digest_of(key) for key in sweep.all_keys()])
    own_bench = dataclasses.replace(bench, journal=own)
    return _Sweep(own_bench, data, plan, right, metric, todo).shard(shard, bench.journal)


class _Sweep:
    """The points and draws of a plan, computed in order."""

    def __init__(
        self,
        bench: UnderTest,
        data: Data,
        plan: SweepPlan,
        right: Array,
        metric: Metric,
        todo: list[Point],
    ) -> None:
        self.bench, self.data, self.plan = bench, data, plan
        self.right, self.metric, self.todo = right, metric, todo
        # Draws of one point follow each other, so one programmed network is kept.
        self.programmed = lru_cache(maxsize=1)(self._programmed)

    def result(self) -> SweepScores:
        original, jobs = self._original(), self._jobs()
        missing = sum(self._known(*job) is None for job in jobs)
        scores: list[list[float]] = [[] for _ in self.todo]
        done = 0
        for number, draw in jobs:
            score = self._known(number, draw)
            if score is None:
                score = self._computed(number, draw, done, missing)
                done += 1
            scores[number].append(score)
        rows = (
            SweepRow(point.settings, tuple(point_scores), point.reprogrammed)
            for point, point_scores in zip(self.todo, scores, strict=True)
        )
        return SweepScores(self.metric, self.data.count, original, tuple(rows))

    def all_keys(self) -> list[dict[str, Any]]:
        """Return the key of each result of the plan; that of the original network is the first."""
        first = [self._original_key()] if self._is_original_scored() else []
        return first + [self._key(*job) for job in self._jobs()]

    def shard(self, shard: Shard, kept: Journal) -> int:
        """Compute the part of a shard, and return the number of its results."""
        keys = self.all_keys()
        jobs: list[tuple[int, int] | None] = [*self._jobs()]
        if self._is_original_scored():
            jobs.insert(0, None)
        numbers = shard.part(range(len(jobs)))
        for done, number in enumerate(numbers):
            key, job = keys[number], jobs[number]
            if self.bench.journal.get(key) is not None:
                continue
            if (known := kept.get(key)) is not None:
                self.bench.journal.add(key, known)
            elif job is None:
                self._original()
            else:
                self._computed(*job, done, len(numbers))
        return len(numbers)

    def _jobs(self) -> list[tuple[int, int]]:
        """Return the number of the point and of the draw of each result, in the plan's order."""
        numbers = range(len(self.todo))
        return [(number, draw) for number in numbers for draw in range(self._draws(number))]

    def _draws(self, number: int) -> int:
        target = self.todo[number].target
        return self.plan.draws if variation.random(target) else 1

    def _known(self, number: int, draw: int) -> float | None:
        return self.bench.journal.get(self._key(number, draw))

    def _computed(self, number: int, draw: int, done: int, missing: int) -> float:
        text = f"point {number + 1} of {len(self.todo)}, draw {draw + 1} of {self._draws(number)}"

        def show(within: float) -> None:
            self.bench.progress(text, (done + within) / missing)

        show(0.0)
        seed = draw_seed(self.plan.seed, draw)
        design, target = self.programmed(number), self.todo[number].target
        outputs = answers(design, target, seed, self.plan.draw_per, self.data.inputs, show)
        score = self._score(outputs[self.bench.design.outputs[0]])
        self.bench.journal.add(self._key(number, draw), score)
        return score

    def _programmed(self, number: int) -> Design:
        return programmed(self.todo[number], self.bench.design, self.bench.program)

    def _original(self) -> float | None:
        if not self._is_original_scored() or self.bench.original is None:
            return None
        key = self._original_key()
        score = self.bench.journal.get(key)
        if score is None:
            self.bench.progress("the original network", 0.0)
            outputs = reference.predict(self.bench.original, self.data.inputs)
            score = self._score(outputs[self.bench.design.outputs[0]])
            self.bench.journal.add(key, score)
        return score

    def _is_original_scored(self) -> bool:
        return self.bench.original is not None and self.metric != "error"

    def _original_key(self) -> dict[str, Any]:
        return {**self._about(), "circuit": "the original network"}

    def _score(self, answers: Array) -> float:
        return float(metrics.METRICS[self.metric](answers, self.right).mean())

    def _about(self) -> dict[str, Any]:
        """Return what every result depends on."""
        return {
            "memxc": __version__,
            "design": self.bench.digest,
            "data": self.data.digest,
            "metric": self.metric,
        }

    def _key(self, number: int, draw: int) -> dict[str, Any]:
        point = self.todo[number]
        target = point.target.model_dump(mode="json", exclude={"name", "summary"})
        for table in target.values():
            table.pop("source", None)
        return {
            **self._about(),
            "target": target,
            "seed": [self.plan.seed, draw],
            "draw_per": self.plan.draw_per,
        }
