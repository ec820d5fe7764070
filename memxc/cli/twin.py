"""memxc twin: write an ONNX model that behaves like the circuit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import pasted

if TYPE_CHECKING:
    from memxc.physics.device.variation import DrawPer


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    metavar="TWIN.onnx", help="Where to write the model.",
)  # fmt: skip
@_options.settings
@_options.conductances
@_options.draw_per
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
    help="The seed of the draws.",
)  # fmt: skip
@click.option(
    "--draw", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="The draw to use, counted from 1 as simulate does with the same seed.",
)  # fmt: skip
def command(
    folder: Path,
    output: Path,
    settings: tuple[str, ...],
    conductances: Path | None,
    draw_per: DrawPer,
    seed: int,
    draw: int,
) -> int:
    """Write an ONNX model that behaves like the circuit in DIR.

    The model has ordinary operators, so any ONNX tool runs it. It contains the wires, the
    amplifiers and one draw of the devices. If --set changes how a network is programmed, the
    network is programmed again, as in simulate.
    """
    from memxc.build_folder import read, write
    from memxc.frontend import serialised
    from memxc.library import circuits
    from memxc.library.conductances import with_measured
    from memxc.library.steady import at_work

    with at_work(folder), _terminal.progress() as show:
        loaded = read.load(folder)
        write.check_file(output, loaded)
        loaded = with_measured(loaded, conductances)
        found = circuits.twinned(loaded, circuits.Draw(settings, seed, draw, draw_per), show)
        made = serialised(found.model, str(output))
    write.write_file(output, made)
    kinds = (
        "inputs and outputs as in the model" if found.like_model else "float32, batches of any size"
    )
    _terminal.say(f"{output}: {len(made):,} bytes, {kinds}.")
    if found.point.reprogrammed:
        _terminal.say(
            f"Programmed again, because --set changes {', '.join(found.point.reprogrammed)}."
        )
    if found.point.target.device.read_noise:
        _terminal.say(
            "Every run draws new read noise; a new session starts with the same numbers again."
        )
    _terminal.following(pasted("memxc", "simulate", folder, "--data", "DATA.npz"))
    return 0
