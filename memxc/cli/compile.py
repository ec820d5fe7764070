"""memxc compile: a trained ONNX model to a folder of netlists and reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.cli._options import MODEL
from memxc.errors import pasted

if TYPE_CHECKING:
    from memxc.build_folder.report.document import Report
    from memxc.target import Target


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
    help="The folder to write; one that memxc wrote before is replaced.",
)
@click.option(
    "-t",
    "--target",
    "target_name",
    default="hfox-128",
    show_default=True,
    metavar="NAME|FILE.toml",
    help="What the circuit is built from (memxc targets).",
)
@click.option("--tile", type=_options.TILE, help="Another unit crossbar than the target's.")
@_options.declared()
@click.option(
    "--dialect",
    "dialects",
    multiple=True,
    default=["ngspice"],
    show_default=True,
    metavar="NAME",
    help="The SPICE the netlist is for (memxc dialects); again for more.",
)
@click.option(
    "--report-only",
    is_flag=True,
    help="The report in seconds, with the same numbers: no netlist, design or mapping is written, "
    "no baseline is measured, and the steps are not compared with each other.",
)
@click.option(
    "--large",
    is_flag=True,
    help="Also a circuit larger than the model's file can account for: minutes, gigabytes.",
)
@click.option(
    "--budget",
    type=_options.BUDGET,
    help="Exit with 1 if the circuit takes more: crossbars, memristors, power, latency, loss (of "
    "the lossy passes: accuracy where the samples have labels, else relative error). The folder "
    "is written.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Replace the folder whatever was added or changed in it, but for simulate/.",
)
@click.option("--quiet", is_flag=True, help="Print errors and warnings only.")
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
    """Compile MODEL to a circuit: netlists, reports and mapping, in a folder."""
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
        passed.append("failed check: the circuit is not known to compute what the network does")
    for line in passed:
        _terminal.warn(line)
    return 1 if passed else 0


def _say(report: Report, out: Path, quiet: bool, only: bool) -> None:
    from memxc.build_folder.report.text import summary
    from memxc.errors import printable

    for warning in report.warnings:
        _terminal.warn(f"warning: {printable(warning)}")
    if quiet:
        return
    _terminal.say(f"{printable(report.model.name)} for {report.target.name}:")
    for line in summary(report):
        _terminal.say(f"  {line}")
    if only:
        _terminal.say(f"Written to {out}: report.md, report.html, report.json.")
        _terminal.say("Next: the same without --report-only, for the netlist and its checks")
        return
    if _disturbed(report.target):
        _terminal.say("  all without wires and variation: memxc simulate has them")
    _terminal.say(f"Written to {out}: netlist/, report.md, report.html, report.json, mapping.csv.")
    wire = ["--wire"] if "compensate" in [done.name for done in report.passes] else []
    _terminal.say(f"Next: {pasted('memxc', 'verify', out, *wire)}")


def _disturbed(target: Target) -> bool:
    """Whether the circuit has what no figure of the report knows of."""
    varies = ("sigma", "sigma_v", "read_noise", "stuck_at_lrs", "stuck_at_hrs", "drift_time_s")
    return any(
        value
        for table in ("wire", "device", "amplifier")
        for key, value in getattr(target, table)
        if key != "source" and (table == "wire" or key.endswith(varies) or key == "states")
    )
