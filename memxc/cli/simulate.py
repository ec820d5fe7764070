"""memxc simulate: compute the score of the circuit on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _results, _stop, _terminal
from memxc.cli._options import FILE, FOLDER, SHARD, SWEEP
from memxc.errors import fail, pasted

if TYPE_CHECKING:
    from memxc.build_folder.read import Loaded
    from memxc.jobs import Shard
    from memxc.simulate import Data, SweepPlan, SweepScores


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--data",
    "path",
    type=FILE,
    required=True,
    help="The data set, an .npz file with an array for each input, by its name (or x for a single "
    "input); labels are called y.",
)
@_options.settings
@_options.conductances
@click.option(
    "--sweep", type=SWEEP, multiple=True, metavar="KEY=A,B,C",
    help="Simulate each of these values of a key. Repeat the option for all combinations of "
    "several keys.",
)  # fmt: skip
@click.option(
    "--draws", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="The number of random draws of the devices at each point.",
)  # fmt: skip
@_options.draw_per
@click.option(
    "--metric", type=click.Choice(["top1", "dice", "iou", "error"]),
    help="The score. By default it follows from the labels; without labels it is error, the "
    "distance from the original network.",
)  # fmt: skip
@click.option(
    "--count", type=click.IntRange(min=1), metavar="N", help="Use only the first N samples."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
    help="The seed of the draws.",
)  # fmt: skip
@click.option(
    "--shard", type=SHARD, metavar="K/N|slurm",
    help="Compute only the K-th of N equal parts of the scores, here or in a copy of DIR; slurm "
    "takes K and N from the job array. memxc merge joins the parts.",
)  # fmt: skip
@click.option("--plot", is_flag=True, help="Write a picture of the sweep, DIR/simulate/sweep.svg.")
@_options.as_json
def command(
    folder: Path,
    path: Path,
    conductances: Path | None,
    count: int | None,
    shard: Shard | None,
    plot: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Score the circuit in DIR on a data set, with wires, amplifiers and draws of its devices.

    Each score is stored in DIR/simulate as soon as it is known. If the command is interrupted, run
    it again, and it continues from there.
    """
    from memxc.build_folder import read as folders
    from memxc.library import circuits, data
    from memxc.library.conductances import with_measured
    from memxc.library.steady import at_work
    from memxc.simulate import SweepPlan
    from memxc.simulate import plot as pictures
    from memxc.simulate.document import document

    plan = SweepPlan(**asked)
    if shard is not None and (plot or as_json):
        what, hint = "a part of the scores has neither", "join the parts with memxc merge"
        raise fail("usage", "--shard with --plot or --json", what, hint)
    if plot:
        pictures.check()
    with at_work(folder):
        loaded = folders.load(folder)
        loaded = with_measured(loaded, conductances)
        given = data.read(loaded, path, count)
        _terminal.warnings(given.warnings)
        _terminal.fewer(count, given.count, f"{path} has")
        kept = folder / folders.RESULTS / folders.SCORES
        if shard is not None:
            return _one_shard(loaded, given, plan, shard)
        with _terminal.progress() as show:
            _stop.left = f"; run it again, and it continues from {kept}"
            result = circuits.scores(loaded, given, plan, _terminal.countdown(show), _terminal.warn)
    picture = _picture(folder, result) if plot else None
    if plan.draws > 1 and all(len(row.scores) == 1 for row in result.rows):
        _terminal.warn(
            "the target has no variation, so there is nothing to draw, and one draw stands for all "
            f"{plan.draws:,}; try --set device.sigma=0.1"
        )
    simulated = document(result, plan, loaded.measured)
    named = _named(plan, path, count, conductances)
    _results.keep(folder, "simulate", named, simulated=simulated)
    if as_json:
        _terminal.document(simulated.tree())
    else:
        _say(result, plan, folder, path, conductances, picture)
    return 0


def _one_shard(loaded: Loaded, data: Data, plan: SweepPlan, shard: Shard) -> int:
    from memxc.library import circuits

    with _terminal.progress() as show:
        _stop.left = "; run it again, and it continues"
        count, place = circuits.shard(
            loaded, data, plan, shard, _terminal.countdown(show), _terminal.warn
        )
    _terminal.say(f"Shard {shard}: {units.some(count, 'score')} in {place}")
    _terminal.following(pasted("memxc", "merge", loaded.folder), "When all shards are there. ")
    return 0


def _named(
    plan: SweepPlan, path: Path, count: int | None, conductances: Path | None
) -> dict[str, object]:
    """The options that make a difference to the result, for the page of `memxc report`."""
    return {
        "data": path.name,
        "count": count,
        "set": " ".join(plan.settings),
        "sweep": " ".join(f"{key}={','.join(values)}" for key, values in plan.sweep),
        "draws": plan.draws if plan.draws > 1 else None,
        "draw_per": "" if plan.draw_per == "placement" else plan.draw_per,
        "metric": plan.metric,
        "seed": plan.seed or None,
        "conductances": conductances.name if conductances else "",
    }


def _picture(folder: Path, result: SweepScores) -> Path:
    from memxc.build_folder.read import RESULTS
    from memxc.build_folder.write import write_file
    from memxc.simulate import plot

    place = folder / RESULTS / "sweep.svg"
    write_file(place, plot.svg(result))
    return place


def _say(
    result: SweepScores,
    plan: SweepPlan,
    folder: Path,
    path: Path,
    conductances: Path | None,
    picture: Path | None,
) -> None:
    given = ", ".join(plan.settings)
    with_given = f", with {given}" if given else ""
    with_given += f", the chip of {conductances.name}" if conductances else ""
    _terminal.say(f"{result.metric} over {result.count:,} samples of {path.name}{with_given}:")
    if result.original is not None:
        _terminal.say(f"original network, onnxruntime: {_score(result.metric, result.original)}")
    rows = [
        (
            (", ".join(row.settings) or given or ("as measured" if conductances else "as compiled"))
            + " *" * bool(row.reprogrammed),
            _score(result.metric, row.mean),
            _score(result.metric, row.spread) if len(row.scores) > 1 else "-",
            f"{len(row.scores)}",
        )
        for row in result.rows
    ]
    _terminal.say(units.table(rows, ("circuit", "mean", "spread", "draws")))
    keys = dict.fromkeys(key for row in result.rows for key in row.reprogrammed)
    if keys:
        _terminal.say(f"* programmed again for this point, because it changes {', '.join(keys)}")
    if picture is not None:
        _terminal.say(f"Drawn in {picture}")
    _terminal.following(pasted("memxc", "twin", folder, "-o", "twin.onnx"))


def _score(metric: str, value: float) -> str:
    return f"{value:.2e}" if metric == "error" else f"{100 * value:.2f} %"
