"""simulate: the score of a network on real crossbars, over a whole data set.

The circuit of a draw becomes its twin, an ONNX model that onnxruntime runs. Nothing is fitted for
that (physics.network.effective; docs/simulate.md lists the approximations). Only nonlinear cells
with resistive wires have no such model: they are solved picture by picture (memxc.simulate.walk).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
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
from memxc.physics.device import variation
from memxc.simulate.circuit import answers, circuit
from memxc.simulate.journal import Journal
from memxc.simulate.points import Point, Program, SweepPlan, check_programming, points, programmed
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
]

Array = NDArray[Any]


@dataclass(frozen=True)
class SweepRow:
    """One point of the sweep: its settings, and the score of each draw.

    reprogrammed: the keys for which the network was programmed again.
    """

    settings: tuple[str, ...]
    scores: tuple[float, ...]
    reprogrammed: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Mean score of the draws."""
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float:
        """Standard deviation of the draws (with n - 1); 0 for a single draw."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0


@dataclass(frozen=True)
class SweepScores:
    """The result of simulate. original: the score of the original network in onnxruntime, or None.

    count: how many samples were scored. warnings: about the data, and about results that were kept
    before and changed since.
    """

    metric: Metric
    count: int
    original: float | None
    rows: tuple[SweepRow, ...]
    warnings: tuple[str, ...] = ()

    def to_pandas(self) -> Any:
        """A pandas.DataFrame: a row a point, with a column for each key of the sweep, as text.

        The other columns are mean, spread and draws. Raises MemxcError (missing-engine) where
        pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise fail("missing-engine", "pandas", str(error), "pip install pandas") from error
        return pandas.DataFrame(
            {
                **dict(setting.split("=", 1) for setting in row.settings),
                "mean": row.mean,
                "spread": row.spread,
                "draws": len(row.scores),
            }
            for row in self.rows
        )


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
        original = self._original()
        jobs = [
            (number, draw)
            for number in range(len(self.todo))
            for draw in range(self._draws(number))
        ]
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
        if self.bench.original is None or self.metric == "error":
            return None
        key = {**self._about(), "circuit": "the original network"}
        score = self.bench.journal.get(key)
        if score is None:
            self.bench.progress("the original network", 0.0)
            outputs = reference.predict(self.bench.original, self.data.inputs)
            score = self._score(outputs[self.bench.design.outputs[0]])
            self.bench.journal.add(key, score)
        return score

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
