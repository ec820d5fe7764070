"""memxc layout: draw the chip's floor plan."""

from __future__ import annotations

from pathlib import Path

import click  # noqa: TID251

from memxc import units
from memxc.cli import _terminal
from memxc.cli._options import FOLDER
from memxc.errors import pasted


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    metavar="CHIP.oas|CHIP.gds", help="Where to write the drawing.",
)  # fmt: skip
def command(folder: Path, output: Path) -> int:
    """Draw the floor plan of the circuit in DIR as OASIS or GDS.

    Unit crossbars have a device for each memristor, at the pitch of the target's cell; op-amps and
    sample-and-holds are boxes by area. Devices are counted back from the file.
    """
    from memxc.backends import layout
    from memxc.build_folder import read, write
    from memxc.library import floor

    layout.check(output)
    with _terminal.progress() as show:
        loaded = read.load(folder)
        write.check_file(output, loaded)
        show("drawing")
        found, counted = floor.plan(loaded, output.suffix)
        write.write_file(output, found.data)
    _terminal.say(
        f"{units.some(found.crossbars, 'unit crossbar')} and "
        f"{units.some(found.memristors, 'memristor')}, counted in the file; "
        f"{found.width_m * 1e3:.3g} x {found.height_m * 1e3:.3g} mm, {len(found.data):,} bytes"
    )
    if (found.crossbars, found.memristors) != counted:
        _terminal.warn(
            f"the design has {counted[0]:,} unit crossbars and {counted[1]:,} memristors: the "
            "drawing is wrong, please report it"
        )
        return 1
    _terminal.say(f"Written to {output}: word lines on layer 1, bit lines 2, devices 3, op-amps 20")
    _terminal.following(pasted("klayout", output))
    return 0
