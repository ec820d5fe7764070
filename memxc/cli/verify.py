"""memxc verify: the netlist run in SPICE, stage by stage, against the reference meaning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click  # noqa: TID251

from memxc import units
from memxc.cli import _data, _design, _options, _terminal
from memxc.cli._options import FILE, FOLDER
from memxc.errors import MemxcError, pasted, printable, shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memxc.build_folder.read import Loaded
    from memxc.netlist_reader import Netlist
    from memxc.verify import CellResult, LimiterResult, Verification
    from memxc.verify.document import Verified


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--engine", default="auto", show_default=True, help="memxc engines lists them.")
@click.option(
    "--samples", type=FILE, help="Other inputs than DIR's: arrays by input name, or x; labels y."
)
@click.option("--count", type=click.IntRange(min=1), help="Only the first so many samples.")
@click.option("--stage", help="One stage only, by its name in the report.")
@click.option("--wire", is_flag=True, help="With the target's wire segments (slow).")
@click.option("--power", is_flag=True, help="Sum the devices' watts in the engine (ngspice), too.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    help="Largest relative error of a stage; default 1e-6, and 1e-5 with finite gain.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes at work."
)
@_options.as_json
@_design.held
def command(
    folder: Path, samples: Path | None, count: int | None, as_json: bool, **asked: Any
) -> int:
    """Simulate the netlist in DIR and compare every stage, and the whole with onnxruntime."""
    from memxc import netlist_reader
    from memxc.build_folder import write
    from memxc.verify import Plan, verify

    loaded = write.load(folder)
    changed = write.changed(folder)
    inputs, labels, warnings = _inputs(loaded, samples, count)
    reference, missing = _reference(loaded, inputs)
    with _terminal.progress() as show:
        show("reading the netlist back")
        netlist = netlist_reader.read_folder(folder / "netlist")
        differences = None if asked["stage"] else _differences(loaded, netlist)
        found = verify(
            loaded.design,
            loaded.target,
            netlist,
            inputs,
            reference,
            Plan(**asked),
            show,
            labels,
        )
    if as_json:
        _terminal.document(_document(found, differences, changed, warnings).tree())
    else:
        _say(found, changed, missing)
        _verdict(found, differences, bool(changed), folder, asked["wire"])
    return 0 if found.ok and not differences else 1


def _differences(loaded: Loaded, netlist: Netlist) -> int:
    """In how many places the netlist's text is not the design: what stands between the stages is
    not simulated, for each is alone in its bench."""
    from memxc.lvs import compare_folder

    device = loaded.target.device
    return len(compare_folder(loaded.design, loaded.folder, device, netlist).differences)


def _inputs(
    loaded: Loaded, path: Path | None, count: int | None
) -> tuple[Mapping[str, NDArray[Any]], NDArray[Any] | None, list[str]]:
    """The inputs, the labels, and the warnings about them."""
    warnings: list[str] = []
    inputs, labels, where = loaded.samples, loaded.labels, f"{loaded.folder} keeps"
    if path is not None:
        given, warnings = _data.read(loaded, path, count)
        inputs, labels, where = given.inputs, given.labels, f"{path} holds"
    inputs = {name: values[:count] for name, values in inputs.items()}
    _terminal.fewer(count, len(next(iter(inputs.values()))), where)
    return inputs, None if labels is None else labels[:count], warnings


def _reference(
    loaded: Loaded, inputs: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]] | None, str]:
    """onnxruntime's outputs, or why there are none."""
    from memxc.evaluation import reference

    if loaded.model is None:
        return None, "DIR holds no copy of the model"
    try:
        return reference.run(loaded.model, inputs), ""
    except MemxcError as error:
        return None, error.faults[0].what


def _document(
    found: Verification, differences: int | None, changed: list[str], warnings: list[str]
) -> Verified:
    from memxc.verify.document import SCHEMA, Engine, Verified

    return Verified(
        schema_=SCHEMA,
        engine=Engine(name=found.engine, version=found.version),
        tolerance=found.tolerance,
        changed=tuple(changed),
        stages=found.stages,
        cells=found.cells,
        limiters=found.limiters,
        outputs=found.outputs,
        differences=differences,
        warnings=tuple(warnings),
        ok=found.ok and not differences,
    )


def _say(found: Verification, changed: list[str], missing: str) -> None:
    for name in changed:
        _terminal.warn(f"changed since it was compiled: {printable(name)}")
    _terminal.say(f"{found.engine} {found.version}, largest relative error {found.tolerance:g}:")
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
            f"Against onnxruntime: argmax agrees on {outputs.argmax_agree} of {outputs.count}, "
            f"largest relative error {outputs.max_rel_error:.1e}."
        )
        _terminal.say(
            f"Against evaluate, from the inputs on: argmax agrees on "
            f"{outputs.evaluate_argmax_agree} of {outputs.count}, "
            f"largest relative error {outputs.evaluate_max_rel_error:.1e}."
        )
        if outputs.score is not None and outputs.original_score is not None:
            _terminal.say(
                f"Labels, {outputs.metric} of {outputs.count}: {100 * outputs.score:.2f} % in "
                f"{found.engine}, {100 * outputs.original_score:.2f} % in onnxruntime."
            )
    elif missing:
        _terminal.say(f"Not compared with onnxruntime: {printable(missing)}.")


def _say_cells(found: Verification) -> None:
    """What each cell around the crossbars does alone."""
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
        _terminal.say(units.table(rows, ("cell, alone", "range", "error", "")))


def _verdict(
    found: Verification, differences: int | None, changed: bool, folder: Path, wire: bool
) -> None:
    count, every = len(found.stages), found.circuits
    failed = units.names(stage.name for stage in found.stages if not stage.ok)
    failed += [f"the cell {cell.name}" for cell in found.cells if not cell.ok]
    failed += [f"the limiter of {each.clip_v:g} V" for each in found.limiters if not each.ok]
    wrong = changed or differences or not found.ok
    following = pasted("memxc", "lvs" if wrong else "report", folder)
    if differences:
        places = f"{differences:,} place{'s' * (differences != 1)}"
        _terminal.say(f"FAILED: the netlist, or a table of it, is not the design in {places}.")
    if failed:
        _terminal.say(f"FAILED: SPICE and the design disagree in {', '.join(failed)}.")
    elif not found.ok:
        _terminal.say("FAILED: the distance to onnxruntime is no finite number.")
    elif count < every:
        name = shortened(found.stages[0].name)
        _terminal.say(
            f"ok: SPICE gives what the design says, in {name}; "
            f"of the {every} stages only this was asked for."
        )
        if not changed:
            following = pasted("memxc", "verify", folder, *(["--wire"] if wire else []))
    elif not differences:
        _terminal.say(
            f"ok: SPICE gives what the design says, in {count} of {every} stages; the netlist "
            "connects them as it does."
        )
    _terminal.say(f"Next: {following}")
