"""memxc verify: simulate the netlist in SPICE and compare every stage with the design."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _results, _terminal
from memxc.cli._options import FILE, FOLDER
from memxc.errors import pasted, printable, shortened

if TYPE_CHECKING:
    from memxc.verify import CellResult, LimiterResult, Verification
    from memxc.verify.document import Verified


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--engine",
    default="auto",
    show_default=True,
    help="The SPICE engine. The command memxc engines lists them.",
)
@click.option(
    "--samples",
    type=FILE,
    help="Inputs in place of those in DIR: an array for each input, by its name (or x for a single "
    "input); labels are called y.",
)
@click.option(
    "--count", type=click.IntRange(min=1), metavar="N", help="Use only the first N samples."
)
@click.option("--stage", metavar="NAME", help="Verify only this stage, by its name in the report.")
@click.option(
    "--wire", is_flag=True, help="Simulate the resistance of the target's wires, too (slow)."
)
@click.option(
    "--power", is_flag=True, help="Sum the watts of the devices in the engine, too (ngspice)."
)
@click.option(
    "--transient",
    is_flag=True,
    help="Let the engine compute how lanes settle, too: the slowest of each stage (ngspice).",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="The largest relative error that a stage may have. The default is 1e-6, or 1e-5 with "
    "amplifiers of finite gain.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="The number of processes that simulate.",
)
@_options.as_json
def command(
    folder: Path, samples: Path | None, count: int | None, as_json: bool, **asked: Any
) -> int:
    """Simulate the netlist in DIR and compare every stage with the design.

    The outputs are compared with onnxruntime as well.
    """
    from memxc.library.build import load

    build = load(folder)
    data = build.data(samples, count)
    _terminal.warnings(data.warnings)
    where = f"{samples or folder} has"
    _terminal.fewer(count, data.count, where)
    with _terminal.progress() as show:
        found = build.verify(data, progress=show, **asked)
    document = _document(found)
    _results.keep(folder, "verify", _named(asked, samples, count), verified=document)
    if as_json:
        _terminal.document(document.tree())
    else:
        _say(found)
        _verdict(found, folder, asked["wire"])
    return 0 if found.ok else 1


def _named(asked: dict[str, Any], samples: Path | None, count: int | None) -> dict[str, object]:
    """The options that make a difference to the result, for the page of `memxc report`."""
    of_result = ("stage", "wire", "power", "transient", "tolerance")
    engine = "" if asked["engine"] == "auto" else asked["engine"]
    given = {"engine": engine, "samples": samples.name if samples else "", "count": count}
    return given | {key: asked[key] for key in of_result}


def _document(found: Verification) -> Verified:
    from memxc.verify.document import SCHEMA, EngineUsed, Verified

    return Verified(
        schema_=SCHEMA,
        engine=EngineUsed(name=found.engine, version=found.version),
        tolerance=found.tolerance,
        changed=found.changed,
        stages=found.stages,
        cells=found.cells,
        limiters=found.limiters,
        transients=found.transients,
        outputs=found.outputs,
        differences=found.differences,
        warnings=found.warnings,
        ok=found.ok,
    )


def _say(found: Verification) -> None:
    for name in found.changed:
        _terminal.warn(f"changed since it was compiled: {printable(name)}")
    _terminal.say(
        f"{found.engine} {found.version}; a relative error may be up to {found.tolerance:g}:"
    )
    names = units.names(stage.name for stage in found.stages)
    rows = [
        (
            name,
            f"{stage.decks}",
            f"{stage.devices:,}",
            f"{stage.seconds:.2f} s",
            f"{stage.max_rel_error:.1e}",
            "ok" if stage.ok else "FAILED",
        )
        for name, stage in zip(names, found.stages, strict=True)
    ]
    _terminal.say(units.table(rows, ("stage", "decks", "devices", "time", "error", "")))
    _say_cells(found)
    _say_transients(found)
    watts = [stage.crossbar_w for stage in found.stages if stage.crossbar_w is not None]
    if watts:
        simulated = sum(each.engine for each in watts)
        computed = sum(each.report for each in watts)
        _terminal.say(
            f"Crossbars: {simulated:.6e} W summed over the devices by {found.engine}, "
            f"{computed:.6e} W by the report's formula on the same volts."
        )
    outputs = found.outputs
    if outputs is not None:
        _terminal.say(
            f"Compared with onnxruntime: argmax agrees on {outputs.argmax_agree} of "
            f"{outputs.count}, largest relative error {outputs.max_rel_error:.1e}."
        )
        _terminal.say(
            f"Compared with the design, from the inputs on: argmax agrees on "
            f"{outputs.evaluate_argmax_agree} of {outputs.count}, "
            f"largest relative error {outputs.evaluate_max_rel_error:.1e}."
        )
        if outputs.score is not None and outputs.original_score is not None:
            _terminal.say(
                f"Labels, {outputs.metric} of {outputs.count}: {100 * outputs.score:.2f} % in "
                f"{found.engine}, {100 * outputs.original_score:.2f} % in onnxruntime."
            )
    elif found.missing:
        _terminal.say(f"Not compared with onnxruntime: {printable(found.missing)}.")


def _say_cells(found: Verification) -> None:
    """Print how far each cell around the crossbars, simulated alone, is from its function."""
    alone: list[tuple[str, CellResult | LimiterResult]] = [
        *((cell.name, cell) for cell in found.cells),
        *((f"limiter of {each.clip_v:g} V", each) for each in found.limiters),
    ]
    rows = [
        (
            printable(name, 40),
            f"{-cell.range_v:.3g} to {cell.range_v:.3g} V",
            f"{cell.max_rel_error:.1e}",
            "ok" if cell.ok else "FAILED",
        )
        for name, cell in alone
    ]
    if rows:
        _terminal.say(units.table(rows, ("cell alone", "range", "error", "")))


def _say_transients(found: Verification) -> None:
    """Print how the slowest lane of each stage settles."""
    names = units.names(one.stage for one in found.transients)
    rows = [
        (
            name,
            "never" if one.settling_s is None else units.text(one.settling_s, "s"),
            "" if one.expected_s is None else units.text(one.expected_s, "s"),
            "" if one.overshoot is None else f"{one.overshoot:.1%}",
            "" if one.expected_overshoot is None else f"{one.expected_overshoot:.1%}",
            "" if one.energy_j is None else units.text(one.energy_j, "J"),
            "" if one.expected_energy_j is None else units.text(one.expected_energy_j, "J"),
            "ok" if one.ok else "FAILED",
        )
        for name, one in zip(names, found.transients, strict=True)
    ]
    if rows:
        head = (
            "transient",
            "settles in",
            "expected",
            "overshoot",
            "expected",
            "energy",
            "expected",
            "",
        )
        _terminal.say(units.table(rows, head))


def _verdict(found: Verification, folder: Path, wire: bool) -> None:
    count, every = len(found.stages), found.circuits
    failed = units.names(stage.name for stage in found.stages if not stage.ok)
    failed += [f"the cell {cell.name}" for cell in found.cells if not cell.ok]
    late = units.names(one.stage for one in found.transients if not one.ok)
    failed += [f"the transient of {name}" for name in late]
    failed += [f"the limiter of {each.clip_v:g} V" for each in found.limiters if not each.ok]
    differences, wrong = found.differences, found.changed or not found.ok
    following = pasted("memxc", "lvs" if wrong else "report", folder)
    if differences:
        places = f"{differences:,} place{'s' * (differences != 1)}"
        _terminal.say(
            f"FAILED: the netlist, or one of its tables, differs from the design in {places}."
        )
    if failed:
        _terminal.say(f"FAILED: SPICE and the design disagree in {', '.join(failed)}.")
    elif not found.finite:
        _terminal.say("FAILED: the error against onnxruntime is not a finite number.")
    elif count < every:
        name = shortened(found.stages[0].name)
        _terminal.say(
            f"ok: SPICE agrees with the design in {name}; "
            f"this is the only one of the {every} stages that was simulated."
        )
        if not found.changed:
            following = pasted("memxc", "verify", folder, *(["--wire"] if wire else []))
    elif not differences:
        _terminal.say(
            f"ok: SPICE agrees with the design in {count} of {every} stages, and the netlist "
            "connects them as the design does."
        )
    _terminal.following(following)
