"""One point of an exploration: its compilation and its figures. Processes run `done`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from memxc.build_folder.quantities import QUANTITIES
from memxc.build_folder.read import MANIFEST, changed
from memxc.errors import Fault, MemxcError
from memxc.evaluation.metrics import Metric
from memxc.exploration.pareto import SCORE
from memxc.exploration.points import Way
from memxc.library.build import Build, load
from memxc.library.compile import compile
from memxc.library.steady import Progress, silent

#: The figures of a point, from its report.
FIGURES = {
    **{
        name: QUANTITIES[name]
        for name in ("loss", "power", "energy", "area", "crossbars", "memristors", "erc", "latency")
    },
    "clocked": QUANTITIES["latency with a clock"],
}


@dataclass(frozen=True)
class Scoring:
    """The data set that scores the circuits: its file, how many samples, and draws of devices."""

    data: Path
    count: int | None = None
    draws: int = 1


@dataclass(frozen=True)
class PointTask:
    """What a process needs in order to compile a point and to measure it."""

    model: Path
    folder: Path
    way: Way
    budget: Mapping[str, float]
    scoring: Scoring | None
    report_only: bool


@dataclass(frozen=True)
class Outcome:
    """Figures by name, the metric of the score, budgets that are exceeded, and refusals."""

    figures: Mapping[str, float | None]
    metric: Metric | None = None
    over: tuple[str, ...] = ()
    refused: tuple[Fault, ...] = ()


def done(task: PointTask, progress: Progress = silent) -> Outcome:
    """Compile a point, unless its folder is there, and measure it."""
    try:
        build = _build(task, progress)
        figures = {name: known.of(build.report) for name, known in FIGURES.items()}
        if all(change.exact for change in build.report.passes):
            figures["loss"] = 0.0
        over = build.over(task.budget)
        if task.scoring is None:
            return Outcome(figures, over=tuple(over))
        given = task.scoring
        scores = build.simulate(given.data, count=given.count, draws=given.draws, progress=progress)
    except MemxcError as error:
        return Outcome({}, refused=error.faults)
    figures[SCORE] = scores.rows[0].mean
    return Outcome(figures, scores.metric, tuple(over))


def _build(task: PointTask, progress: Progress) -> Build:
    if (task.folder / MANIFEST).is_file() and not changed(task.folder):
        return load(task.folder)
    way = task.way
    return compile(
        task.model,
        target=way.target,
        tile=way.tile,
        samples=way.samples,
        output=task.folder,
        report_only=task.report_only,
        progress=progress,
        **way.options,
    )
