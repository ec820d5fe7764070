"""memxc explore: compile a network in many ways, and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _terminal
from memxc.cli._options import FILE, MODEL, SHARD
from memxc.errors import Fault, MemxcError, once, pasted, printable

if TYPE_CHECKING:
    from memxc.exploration.document import Explored, ExploredPoint
    from memxc.jobs import Shard


@click.command()
@click.argument("model", type=MODEL)
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path), required=True, metavar="DIR",
    help="The folder for the result and for a folder of each point. Points that are there already "
    "are not compiled again.",
)  # fmt: skip
@click.option(
    "--vary", "vary", multiple=True, metavar="OPTION=A,B,C",
    help="Try each of these values of an option of compile: target, tile, samples, schedule, prune "
    "and the others, without dashes. Nothing between two commas leaves the option out, on "
    "and off stand for an option without a value, blanks separate the parts of an option that may "
    "be repeated, and with a ; in it, ; separates the values. Repeat --vary for all "
    "combinations. Without it, both schedules are tried on crossbars of 128 and 256.",
)  # fmt: skip
@click.option(
    "--for", "objectives", metavar="FIGURE,...",
    help="The figures that decide: loss, score, power, energy, area, clocked (latency with a "
    "clock), latency (assumed), crossbars, memristors, erc. Without it loss (score with --data), "
    "power, area and clocked, as far as every point has them.",
)  # fmt: skip
@click.option("--budget", type=_options.BUDGET, help="Points over this are never the best.")
@click.option(
    "--data", type=FILE, metavar="FILE.npz",
    help="Simulate each circuit on this data set, with wires, amplifiers and draws of its devices.",
)  # fmt: skip
@click.option(
    "--count", type=click.IntRange(min=1), metavar="N",
    help="Use only the first N samples of --data.",
)  # fmt: skip
@click.option(
    "--draws", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="The number of random draws of the devices, of which the score is the mean.",
)  # fmt: skip
@click.option("--report-only", is_flag=True, help="Write only reports, in less time.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="The number of processes that compile.",
)  # fmt: skip
@click.option(
    "--shard", type=SHARD, metavar="K/N|slurm",
    help="Compile only the K-th of N equal parts of the points; slurm takes K and N from the job "
    "array. Several shards may write to one folder; memxc merge joins several folders.",
)  # fmt: skip
@click.option("--plot", is_flag=True, help="Draw the points, DIR/explore.svg.")
@_options.as_json
def command(
    model: Path,
    out: Path,
    vary: tuple[str, ...],
    objectives: str | None,
    budget: dict[str, float] | None,
    data: Path | None,
    count: int | None,
    draws: int,
    report_only: bool,
    jobs: int,
    shard: Shard | None,
    plot: bool,
    as_json: bool,
) -> int:
    """Compile MODEL with all combinations of some options, and tell which are best."""
    from memxc import exploration
    from memxc.build_folder.write import write_file
    from memxc.exploration import picture
    from memxc.simulate.plot import check

    if plot:
        check()
    with _terminal.progress() as show:
        found = exploration.explore(
            model, out, vary=_varied(vary), budget=budget, report_only=report_only, jobs=jobs,
            objectives=objectives.split(",") if objectives else None,
            data=data, count=count, draws=draws, shard=shard, progress=show,
        )  # fmt: skip
    if plot:
        write_file(out / "explore.svg", picture.svg(found))
    if as_json:
        _terminal.document(found.tree())
    else:
        _say(found, out, shard, plot)
    return 0 if found.best or shard is not None else 1


def _varied(texts: tuple[str, ...]) -> dict[str, list[str]] | None:
    """The values of each option. Raises MemxcError (usage)."""
    found: dict[str, list[str]] = {}
    faults = []
    for text in texts:
        key, equals, values = text.partition("=")
        try:
            once(key, found)
        except ValueError as error:
            faults.append(Fault("usage", f"--vary {text}", str(error)))
        if not equals:
            hint = "for example --vary tile=128,256"
            faults.append(Fault("usage", f"--vary {text}", "give OPTION=A,B,C", hint))
        separator = ";" if ";" in values else ","
        found[key] = [value.strip() for value in values.split(separator)]
    if faults:
        raise MemxcError(faults)
    return found or None


def _say(found: Explored, out: Path, shard: Shard | None, plot: bool) -> None:
    from memxc.exploration.text import columns, figure

    names = columns(found)
    rows = [
        [
            "*" if point.best else "",
            *(value or "-" for value in point.settings.values()),
            *(figure(name, point.figures.get(name), point.metric) for name in names),
            point.folder.rpartition("/")[2] if not point.refused else "refused",
        ]
        for point in found.points
    ]
    settings = found.points[0].settings
    _terminal.say(units.table(rows, ("", *settings, *names, "points/")))
    for point in found.points:
        for text in (*point.over, *point.refused):
            _terminal.warn(f"{_named(point)}: {printable(text)}")
    if shard is not None:
        _terminal.following(pasted("memxc", "merge", out), f"Shard {shard} is there. ")
        return
    best = found.best
    aims = ", ".join(found.objectives)
    _terminal.say(f"* no other point is as good in {aims} and better in one: {len(best)}")
    if plot:
        _terminal.say(f"Drawn in {out / 'explore.svg'}")
    if best:
        _terminal.following(pasted("memxc", "report", out / best[0].folder))


def _named(point: ExploredPoint) -> str:
    return ", ".join(f"{key}={value}" for key, value in point.settings.items())
