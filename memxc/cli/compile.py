"""memxc compile: compile a trained ONNX model to a folder of netlists and reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.cli._options import MODEL
from memxc.errors import pasted

if TYPE_CHECKING:
    from memxc.build_folder.report.document import Report


def _begin(args: list[str]) -> None:
    """Start the worker: it imports its libraries while this process imports the compiler."""
    from memxc import worker

    native = [] if "--report-only" in args else ["memxc.evaluation.reference.native"]
    worker.start("memxc.frontend.native", *native)


@click.command(cls=_options.Command, begin=_begin)
@click.argument("model", type=MODEL)
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder to write. A folder that memxc wrote before is replaced.",
)
@click.option(
    "-t",
    "--target",
    "target_name",
    default="hfox-128",
    show_default=True,
    metavar="NAME|FILE.toml",
    help="The devices, wires and amplifiers of the circuit: a name that memxc targets lists, or a "
    "file.",
)
@click.option(
    "--tile", type=_options.TILE, help="The size of the unit crossbar, if not the target's."
)
@_options.declared()
@click.option(
    "--dialect",
    "dialects",
    multiple=True,
    default=["ngspice"],
    show_default=True,
    metavar="NAME",
    help="The SPICE dialect of the netlist (memxc dialects lists them). Repeat the option to write "
    "several.",
)
@click.option(
    "--report-only",
    is_flag=True,
    help="Write only the report, in seconds and with the same numbers: no netlist, design or "
    "mapping is written, no baseline is measured, and the steps are not compared with each other.",
)
@click.option(
    "--large",
    is_flag=True,
    help="Compile also a circuit that is larger than the model's file can account for. It takes "
    "minutes and gigabytes.",
)
@click.option(
    "--budget",
    type=_options.BUDGET,
    help="Exit with 1 if the circuit needs more than this. The keys are crossbars, memristors, "
    "power, latency, erc (broken electrical rules) and loss: how much accuracy the lossy passes "
    "cost, or without labels their relative error. The folder is written all the same.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Replace the folder even if files in it were added or changed. Its simulate/ is kept.",
)
@click.option("--quiet", is_flag=True, help="Print only errors and warnings.")
@_options.as_json
def command(
    model: Path,
    out: Path,
    target_name: str,
    report_only: bool,
    budget: dict[str, float] | None,
    quiet: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Compile MODEL to a circuit, and write netlists, reports and mapping to a folder."""
    from memxc.library.compile import compile

    with _terminal.progress(quiet) as show:
        build = compile(
            model, target=target_name, output=out, report_only=report_only, progress=show, **asked
        )
    passed = build.over(budget or {})
    if as_json:
        _terminal.document(build.report.tree())
    _say(build.report, out, quiet or as_json, report_only)
    if not build.ok:
        passed.append(
            "failed check: it is not shown that the circuit computes what the network computes"
        )
    for line in passed:
        _terminal.warn(line)
    return 1 if passed else 0


def _say(report: Report, out: Path, quiet: bool, only: bool) -> None:
    from memxc.build_folder.report.text import summary
    from memxc.errors import printable
    from memxc.physics.device import variation

    for warning in report.warnings:
        _terminal.warn(f"warning: {printable(warning)}")
    if quiet:
        return
    _terminal.say(f"{printable(report.model.name)} for {report.target.name}:")
    for line in summary(report):
        _terminal.say(f"  {line}")
    if only:
        _terminal.say(f"Written to {out}: report.md, report.html, report.json.")
        _terminal.following(
            "the same command without --report-only, for the netlist and its checks"
        )
        return
    if variation.random(report.target) or not report.target.wire.ideal:
        _terminal.say("  wires and variation are not in these figures: memxc simulate has them")
    _terminal.say(f"Written to {out}: netlist/, report.md, report.html, report.json, mapping.csv.")
    wire = ["--wire"] if "compensate" in [done.name for done in report.passes] else []
    _terminal.following(pasted("memxc", "verify", out, *wire))
