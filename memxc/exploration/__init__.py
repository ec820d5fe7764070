"""explore: compile a network in many ways, and tell which of them no other is better than.

Each point of an exploration is a compilation with a folder of its own, which anybody can repeat
with the command that its row gives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from memxc import __version__
from memxc import jobs as processes
from memxc import target as targets
from memxc.build_folder import verdict, write
from memxc.build_folder.read import MANIFEST, sha256
from memxc.errors import Fault, MemxcError, fail, like, pasted, why
from memxc.exploration import pareto
from memxc.exploration.document import SCHEMA, Explored, ExploredPoint
from memxc.exploration.points import Way, ways
from memxc.exploration.work import FIGURES, Outcome, PointTask, Scoring, done
from memxc.ir.store import dumps
from memxc.jobs import Shard
from memxc.library import keywords
from memxc.library.steady import Progress, silent

__all__ = ["OBJECTIVES", "RESULT", "Explored", "explore", "is_exploration", "joined"]

#: The figures that decide if nothing else is asked for, as far as they are measured.
OBJECTIVES = ("loss", "power", "area", "clocked")
#: What is tried if nothing else is asked for.
_TRIED = {"schedule": ("parallel", "sequential"), "tile": ("128", "256")}
#: The file with the result, in the folder of an exploration.
RESULT = "explore.json"
#: The folder of the points' own folders.
POINTS = "points"


def explore(
    model: str | Path,
    output: str | Path,
    *,
    vary: Mapping[str, Iterable[object]] | None = None,
    objectives: Sequence[str] | None = None,
    budget: Mapping[str, float] | None = None,
    data: str | Path | None = None,
    count: int | None = None,
    draws: int = 1,
    report_only: bool = False,
    jobs: int = 1,
    shard: Shard | None = None,
    progress: Progress = silent,
) -> Explored:
    """Compile a model in all combinations of some options, and return a row for each.

    vary: for each option its values, as texts of the command line: `{"schedule": ["parallel",
    "sequential"], "prune": ["", "ckf:0.5"]}`. An empty text leaves the option out. The keys are
    target, tile, and the options of a compilation without their dashes. objectives: the figures
    that are compared, the smaller the better, or score; without them those of `OBJECTIVES` that
    every point has. budget: limits, as in `Build.over`; a point over one is not among the best.
    data: a file on which each circuit is simulated (its first `count` samples, with `draws` draws
    of the devices); the score then decides in place of the loss. report_only: write no netlists.
    jobs: how many processes compile. shard: compile and return a part of the points, without a
    result. The points are folders in `output`/points. A point whose folder is there is not compiled
    again, so an exploration that was interrupted continues.
    Raises MemxcError: usage for options, bad-model, cannot-write. What is wrong with a single point
    is a text in its row, unless no point can be compiled.
    """
    keywords.check(jobs=jobs, count=count, draws=draws, progress=progress)
    scoring = None if data is None else Scoring(keywords.path("data", data), count, draws)
    wanted = _known(objectives or (), scoring is not None)
    if scoring is not None and report_only:
        raise fail("usage", "--data", "--report-only makes no circuit that could be scored")
    tried = _part(ways(dict(keywords.swept(_TRIED if vary is None else vary))), shard)
    out, limits = keywords.path("output", output), dict(budget or {})
    verdict.check(limits)
    tasks = [_task(Path(model), out, way, limits, scoring, report_only) for way in tried]
    outcomes = list(_outcomes(tasks, jobs, progress))
    if all(outcome.refused for outcome in outcomes):
        raise MemxcError(dict.fromkeys(f for outcome in outcomes for f in outcome.refused))
    metric = next((one.metric for one in outcomes if one.metric), None)
    used = wanted or _measured(outcomes, scoring is not None)
    costs = [None if one.over else pareto.costs(one.figures, used, metric) for one in outcomes]
    best = pareto.front(costs)
    points = tuple(
        _point(model, out, task, outcome, number in best)
        for number, (task, outcome) in enumerate(zip(tasks, outcomes, strict=True))
    )
    found = Explored(
        schema_=SCHEMA, model=str(model), objectives=used, metric=metric, points=points
    )
    if shard is None:
        write.write_file(out / RESULT, dumps(found.tree()).encode())
    return found


def is_exploration(folder: Path) -> bool:
    """Return whether a folder has the points of an exploration."""
    return (folder / POINTS).is_dir() and not (folder / MANIFEST).exists()


def joined(folder: Path, parts: Iterable[Path]) -> int:
    """Copy the points of other explorations to one, and return their number.

    Raises MemxcError: usage if a part is no exploration, cannot-write.
    """
    wrong = [part for part in parts if not is_exploration(part)]
    if wrong:
        hint = "give the folders of memxc explore --shard"
        raise MemxcError(Fault("usage", str(part), "has no points", hint) for part in wrong)
    count = 0
    for part in parts:
        for point in sorted((part / POINTS).iterdir()):
            if (point / MANIFEST).is_file() and not (folder / POINTS / point.name).exists():
                write.save(point, folder / POINTS / point.name)
                count += 1
    return count


def _part(tried: Sequence[Way], shard: Shard | None) -> Sequence[Way]:
    """The ways of a shard; all without one."""
    part = tried if shard is None else shard.part(tried)
    if not part:
        raise fail("usage", f"--shard {shard}", f"there are only {len(tried)} points")
    return part


def _point(
    model: str | Path, out: Path, task: PointTask, outcome: Outcome, best: bool
) -> ExploredPoint:
    return ExploredPoint(
        settings=dict(task.way.settings),
        command=pasted("memxc", "compile", model, "-o", task.folder, *task.way.words),
        folder=task.folder.relative_to(out).as_posix(),
        figures=dict(outcome.figures),
        metric=outcome.metric,
        over=outcome.over,
        refused=tuple(f"{fault.where}: {fault.what}" for fault in outcome.refused),
        best=best,
    )


def _outcomes(tasks: Sequence[PointTask], jobs: int, progress: Progress) -> Iterator[Outcome]:
    """Yield the outcome of each task, in order."""
    with processes.pool(jobs if jobs > 1 else 0) as pool:
        try:
            for number, outcome in enumerate(pool.ordered(done, [(task,) for task in tasks]), 1):
                progress(f"{number} of {len(tasks)} points")
                yield outcome
        except processes.Died as error:
            what = f"a process that compiles {error}"
            hint = "it may need more memory: try fewer --jobs; the same command continues"
            raise fail("engine-failed", "--jobs", what, hint) from error


def _measured(outcomes: Sequence[Outcome], scored: bool) -> tuple[str, ...]:
    """The objectives that are used if none is asked for: those that every circuit has."""
    names = (pareto.SCORE, *OBJECTIVES[1:]) if scored else OBJECTIVES
    built = [outcome.figures for outcome in outcomes if not outcome.refused]
    return tuple(name for name in names if all(figures.get(name) is not None for figures in built))


def _known(objectives: Sequence[str], scored: bool) -> tuple[str, ...]:
    """The objectives, each once. Raises MemxcError (usage) for those that are not known."""
    names = {**FIGURES, **({pareto.SCORE: None} if scored else {})}
    wrong = [name for name in objectives if name not in names]
    if wrong:
        hint = f"objectives are {', '.join(names)}"
        raise MemxcError(
            Fault("usage", f"--for {name}", "is not a figure of a point", like(name, names) or hint)
            for name in wrong
        )
    return tuple(dict.fromkeys(objectives))


def _task(
    model: Path,
    out: Path,
    way: Way,
    budget: Mapping[str, float],
    scoring: Scoring | None,
    report_only: bool,
) -> PointTask:
    """The task of a point. Its folder has the hash of everything that the circuit depends on."""
    key = {
        "memxc": __version__,
        "files": _files(model, way),
        "target": targets.load(way.target).model_dump(mode="json"),
        "words": way.words,
        "report_only": report_only,
    }
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    return PointTask(model, out / POINTS / name, way, budget, scoring, report_only)


def _files(model: Path, way: Way) -> dict[str, str]:
    """The hashes of the model, of files beside it whose names begin like its own, of samples."""
    try:
        beside = [
            p for p in model.parent.iterdir() if p.name.startswith(model.stem) and p.is_file()
        ]
        given = [way.samples] if way.samples is not None else []
        return {str(path): sha256(path) for path in sorted({*beside, *given})}
    except OSError as error:
        raise fail("usage", str(error.filename or model), why(error)) from error
