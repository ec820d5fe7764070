"""memxc characterize: measure the cells of a target in SPICE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER

if TYPE_CHECKING:
    from memxc.target.characterisation import Characterisation


@click.command()
@click.argument("target", metavar="TARGET")
@click.option(
    "--level", type=click.Choice(["macro", "transistor"]), default="macro", show_default=True,
    help="macro: the skeleton of the target's op-amp. transistor: memxc's cells of transistors, "
    "with the models of memxc pdk add.",
)  # fmt: skip
@click.option(
    "--corner", "corners", multiple=True, metavar="NAME",
    help="A corner of the process: tt, ss, ff, sf or fs. May be given several times; the first one "
    "is nominal (tt).",
)  # fmt: skip
@click.option(
    "--temperature", "celsius", type=float, multiple=True, default=(27.0,), show_default=True,
    metavar="CELSIUS", help="May be given several times; the first one is nominal.",
)  # fmt: skip
@click.option(
    "--cells", "folder", type=FOLDER, metavar="DIR",
    help="Cells of your own, for example an op-amp, in the place of those with the same names.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.json",
    help="Write the table, which the [amplifier] of a target can read.",
)  # fmt: skip
@_options.as_json
def command(
    target: str,
    level: Literal["macro", "transistor"],
    corners: tuple[str, ...],
    celsius: tuple[float, ...],
    folder: Path | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Measure the op-amp of TARGET, and the cells that are made of it, in ngspice.

    Exit code 1: a cell does not compute its function, or does not settle.
    """
    from memxc import target as targets
    from memxc.build_folder import write
    from memxc.cells import cells
    from memxc.cells.characterise import characterise
    from memxc.cells.text import circuits
    from memxc.ir import store

    with _terminal.progress() as show:
        made = circuits(targets.load(target).amplifier, level, cells(), folder)
        found = characterise(made, corners or made.corners[:1], celsius, show)
    if output is not None:
        write.write_file(output, store.dumps(found.tree()).encode("ascii"))
    if as_json:
        _terminal.document(found.tree())
    else:
        _say(found)
        if output is not None:
            _terminal.say(f"{output}: the table; characterisation = FILE in [amplifier] reads it.")
    return 1 if found.unfit else 0


def _say(found: Characterisation) -> None:
    made = f"{found.engine} {found.engine_version} {found.process}".rstrip()
    _terminal.say(f"op-amp of level {found.level}, rails at +-{found.supply_v:g} V, {made}\n")
    names = [f"{p.corner} {p.temperature_k - 273.15:.0f} C".strip() for p in found.points]
    rows = [(name, *(show(p) for p in found.points)) for name, show in _ROWS.items()]
    _terminal.say(units.table(rows, ("", *names)))
    if found.skeleton is None:
        _terminal.say("\nNo two-stage op-amp has this gain over frequency: no skeleton.")
    else:
        parts = found.skeleton.model_dump(exclude={"error_db", "error_deg"})
        words = ", ".join(f"{key} = {value:g}" for key, value in parts.items())
        _terminal.say(f"\nskeleton: {words}")
        errors = f"{found.skeleton.error_db:g} dB and {found.skeleton.error_deg:g} degrees"
        _terminal.say(f"its gain is within {errors} of the op-amp's, down to a gain of 0.5\n")
    _terminal.say(
        units.table(
            [
                (
                    each.cell,
                    f"{each.corner} {each.temperature_k - 273.15:.0f} C".strip(),
                    units.text(each.offset_v, "V"),
                    units.text(each.error_v, "V"),
                    units.text(each.power_w, "W"),
                    units.text(max(each.power_low_w, each.power_high_w), "W"),
                    _known(each.settling_s, "s"),
                    _share(each.overshoot),
                    "yes" if each.fits else "NO",
                )
                for each in found.cells
            ],
            ("cell", "", "offset", "error", "idle", "busy", "settles in", "overshoot", "fits"),
        )
    )
    for name in found.unfit:
        _terminal.say(f"{name} does not fit: see docs/cells.md")


def _known(value: float | None, unit: str) -> str:
    return "-" if value is None else units.text(value, unit)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


#: Rows of the table of the op-amp, a column a point.
_ROWS: dict[str, Callable[..., str]] = {
    "load": lambda p: units.text(p.r_load_ohm, "ohm"),
    "load capacitance": lambda p: units.text(p.c_load_f, "F"),
    "noise gain": lambda p: f"{p.noise_gain:g}",
    "offset": lambda p: units.text(p.offset_v, "V"),
    "gain": lambda p: f"{p.gain:.4g}",
    "gain-bandwidth": lambda p: _known(p.gain_bandwidth_hz, "Hz"),
    "phase margin, degrees": lambda p: (
        "-" if p.phase_margin_deg is None else f"{p.phase_margin_deg:.1f}"
    ),
    "lowest output": lambda p: units.text(p.output_low_v, "V"),
    "highest output": lambda p: units.text(p.output_high_v, "V"),
    "sources": lambda p: units.text(p.source_a, "A"),
    "sinks": lambda p: units.text(p.sink_a, "A"),
    "slew, V/us": lambda p: "-" if p.slew_v_per_s is None else f"{p.slew_v_per_s / 1e6:.3g}",
    "settles to 0.1 % in": lambda p: _known(p.settling_s, "s"),
    "overshoot": lambda p: _share(p.overshoot),
    "idle power": lambda p: units.text(p.power_w, "W"),
    "more for each A sourced": lambda p: units.text(p.source_w_per_a, "W"),
    "more for each A sunk": lambda p: units.text(p.sink_w_per_a, "W"),
    "input capacitance": lambda p: units.text(p.c_in_f, "F"),
}
