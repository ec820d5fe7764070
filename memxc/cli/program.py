"""memxc program: plan the pulses that program the memristors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import fail, pasted

if TYPE_CHECKING:
    from memxc.backends.programming.rows import Programmed


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), metavar="OUT",
    help="The folder for the plan: programming.csv and reached.npz.",
)  # fmt: skip
@click.option(
    "--crossbar", metavar="NAME",
    help="Write also a deck for ngspice that programs this crossbar and reads it back, for example "
    "xb0 (the column subckt of mapping.csv).",
)  # fmt: skip
@click.option(
    "--template", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.npz",
    help="Write the programmed conductances to a file, as simulate --conductances reads it.",
)  # fmt: skip
@_options.settings
@_options.as_json
def command(
    folder: Path,
    output: Path | None,
    crossbar: str | None,
    template: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> int:
    """Plan the pulses that program the memristors of DIR, with their time and energy.

    The target needs the tables [dynamics] and [programming], but --template alone does not.
    """
    from memxc.build_folder import read, write
    from memxc.library import circuits, conductances, programming
    from memxc.library.steady import at_work

    if output is None and (template is None or crossbar is not None):
        raise fail(
            "usage", "-o OUT", "is missing", "give a folder for the plan, or only --template"
        )
    with at_work(folder), _terminal.progress() as show:
        loaded = read.load(folder)
        if template is not None:
            write.check_file(template, loaded)
            write.write_file(template, programming.npz(conductances.template(loaded.design)))
        found = None
        if output is not None:
            show("the pulses")
            draw = circuits.Draw(settings)
            found = programming.programmed(loaded, output, crossbar, draw)
    if as_json and found is not None:
        _terminal.document(found.tree())
    elif as_json:
        _terminal.document({"schema": "memxc-template/1", "file": str(template)})
    else:
        if template is not None:
            _terminal.say(f"{template}: the programmed conductances of each crossbar, in siemens.")
        if found is not None and output is not None:
            _say(found, folder, output)
    return 1 if found is not None and found.failed else 0


def _say(found: Programmed, folder: Path, output: Path) -> None:
    rows = [
        ("memristors, those that miss their conductance", f"{found.cells:,}, {found.failed:,}"),
        ("pulses, the most for one memristor", f"{found.pulses:,}, {found.longest_pulses:,}"),
        ("time, one memristor after the other", units.text(found.serial_s, "s")),
        ("time, all crossbars at once", units.text(found.parallel_s, "s")),
        ("energy in the programmed memristors", units.text(found.energy_j, "J")),
        ("energy in the memristors beside them", units.text(found.bystander_energy_j, "J")),
        ("largest change of one by the pulses of others", units.small(found.disturb)),
    ]
    _terminal.say(units.table(rows, ("programming", "")))
    for source in found.sources:
        _terminal.say(f"source: {source}")
    for item in found.missing:
        _terminal.say(f"not included: {item}")
    for name in found.files:
        _terminal.say(f"Written: {name}")
    chip = ("--conductances", output / "reached.npz")
    _terminal.following(pasted("memxc", "simulate", folder, "--data", "DATA.npz", *chip))
