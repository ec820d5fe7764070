"""memxc compile: a trained ONNX model to a folder of netlists and reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.cli._options import FILE, MODEL
from memxc.errors import pasted


@click.command()
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
@click.option(
    "--schedule",
    type=click.Choice(["parallel", "sequential"]),
    default="parallel",
    show_default=True,
    help="A crossbar for every place, or one that takes turns.",
)
@click.option(
    "--partition",
    type=click.Choice(["packed", "paper", "paper-rectangular", "none"]),
    default="packed",
    show_default=True,
    help="How sub-images share a crossbar.",
)
@click.option(
    "--signed",
    type=click.Choice(["differential", "inverted-inputs"]),
    default="differential",
    show_default=True,
    help="How a negative weight is built.",
)
@click.option(
    "--batchnorm",
    type=click.Choice(["fold", "stage"]),
    default="fold",
    show_default=True,
    help="BatchNormalization in the weights, or as a circuit.",
)
@click.option(
    "--mitigate",
    type=_options.MITIGATE,
    default=(),
    help="Against the resistance of wires: both-ends drives word lines at both ends, reorder puts "
    "much current near amplifiers and drivers, compensate corrects conductances.",
)
@click.option(
    "--separate",
    type=_options.RATIO,
    help="3D kernels made depthwise and pointwise (2D + 1D), in this share of the layers that can.",
)
@click.option(
    "--prune",
    type=_options.PRUNE,
    multiple=True,
    help="Weights, lines or crossbars of little effect go: ckf:0.5, crossbar:0.3, word-line:0.2, "
    "bit-line:0.2, ckf-loss:0.01 ... (docs/pruning.md); again for others, in this order.",
)
@click.option(
    "--refit",
    is_flag=True,
    help="What --prune leaves is fitted to answer on the samples as the whole network did.",
)
@click.option(
    "--zeros",
    type=click.Choice(["absent", "parked"]),
    help="A weight of exactly zero is no device, or a pair at g_min. "
    "Default: absent with --prune, else parked.",
)
@click.option("--passes", metavar='"a{x=1},b"', help="The exact pipeline (memxc passes).")
@click.option(
    "--samples",
    type=FILE,
    help="Inputs for calibration: arrays by input name, or x; labels y. "
    "Default: MODEL.samples.npz beside the model.",
)
@_options.shapes
@click.option(
    "--stage-set",
    type=_options.STAGE_SET,
    multiple=True,
    help="One stage otherwise than the rest: schedule, partition, tile; again for others.",
)
@click.option(
    "--input-range",
    type=_options.SPAN,
    default="0,1",
    show_default=True,
    help="The range of the inputs when there are no samples; 8-bit ones take all their codes.",
)
@click.option(
    "--dialect",
    "dialects",
    multiple=True,
    default=["ngspice"],
    show_default=True,
    help="The SPICE the netlist is for (memxc dialects); again for more.",
)
@click.option(
    "--report-only",
    is_flag=True,
    help="The report in seconds: the same numbers, unchecked, without baselines; and no netlist.",
)
@click.option(
    "--large",
    is_flag=True,
    help="Also a circuit larger than the model's file can account for: minutes, gigabytes.",
)
@click.option("--budget", type=_options.BUDGET, help="Exit with 1 when passed.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the random inputs when there are no samples.",
)
@click.option("--force", is_flag=True, help="Replace the folder, whatever is in it but simulate/.")
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
    from memxc import worker

    # It imports its libraries meanwhile, as this process does.
    worker.start(
        "memxc.frontend.native", *[] if report_only else ["memxc.evaluation.reference.native"]
    )
    from memxc.library.compile import compile

    with _terminal.progress(quiet) as show:
        build = compile(
            model,
            target=target_name,
            output=out,
            report_only=report_only,
            progress=show,
            **asked,
        )
    passed = build.over(budget or {})
    if as_json:
        _terminal.document(build.report)
    _say(build.report, out, quiet or as_json, report_only)
    if not build.ok:
        passed.append("failed check: the circuit is not known to compute what the network does")
    for line in passed:
        _terminal.warn(line)
    return 1 if passed else 0


def _say(report: dict[str, Any], out: Path, quiet: bool, only: bool) -> None:
    from memxc.build_folder.report import summary
    from memxc.errors import printable

    for warning in report["warnings"]:
        _terminal.warn(f"warning: {printable(warning)}")
    if quiet:
        return
    _terminal.say(f"{printable(report['model']['name'])} for {report['target']['name']}:")
    for line in summary(report):
        _terminal.say(f"  {line}")
    if only:
        _terminal.say(f"Written to {out}: report.md, report.html, report.json.")
        _terminal.say("Next: the same without --report-only, for the netlist and its checks")
        return
    if _disturbed(report["target"]):
        _terminal.say("  all without wires and variation: memxc simulate has them")
    _terminal.say(f"Written to {out}: netlist/, report.md, report.html, report.json, mapping.csv.")
    wire = ["--wire"] if "compensate" in [done["name"] for done in report["passes"]] else []
    _terminal.say(f"Next: {pasted('memxc', 'verify', out, *wire)}")


def _disturbed(target: dict[str, Any]) -> bool:
    """Whether the circuit has what no figure of the report knows of."""
    varies = ("sigma", "sigma_v", "read_noise", "stuck_at_lrs", "stuck_at_hrs", "drift_time_s")
    return any(
        value
        for table in ("wire", "device", "amplifier")
        for key, value in target[table].items()
        if key != "source" and (table == "wire" or key.endswith(varies) or key == "states")
    )
