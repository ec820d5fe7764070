"""memxc twin: the circuit as an ONNX model."""

from __future__ import annotations

from pathlib import Path

import click  # noqa: TID251

from memxc.cli import _design, _options, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import pasted


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    metavar="TWIN.onnx", help="Where to write the model.",
)  # fmt: skip
@_options.settings
@_options.draw_per
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--draw", type=click.IntRange(min=1), default=1, show_default=True,
    help="Which of simulate's draws of that seed.",
)  # fmt: skip
@_design.held
def command(
    folder: Path, output: Path, settings: tuple[str, ...], draw_per: str, seed: int, draw: int
) -> int:
    """Write an ONNX model of ordinary operators that behaves like the circuit in DIR.

    Wires, amplifiers and one draw of the devices are in it; any ONNX tool runs it. Where --set
    decides how a network is programmed, it is programmed anew, as simulate does.
    """
    from memxc import folder as folders
    from memxc import simulate
    from memxc.backends import twin
    from memxc.cli._recompile import programmer
    from memxc.output import check_file, write_file

    loaded = folders.load(folder)
    check_file(output, loaded)
    (point,) = simulate.points(simulate.Plan(settings), loaded.target)
    with _terminal.progress() as show:
        show("the programmed network")
        design = simulate.programmed(point, loaded.design, programmer(loaded))
        show("the effective matrices")
        drawn = simulate.draw_seed(seed, draw - 1)
        circuit = simulate.circuit(design, point.target, drawn, draw_per)  # type: ignore[arg-type]
        made = twin.model(circuit, drawn)
    write_file(output, made)
    _terminal.say(f"{output}: {len(made):,} bytes, batches of any size, float32.")
    if point.reprogrammed:
        _terminal.say(f"Programmed anew: {', '.join(point.reprogrammed)} not as compiled.")
    if point.target.device.read_noise:
        _terminal.say("Every run draws read noise anew; a new session starts at the same numbers.")
    _terminal.say(f"Next: {pasted('memxc', 'simulate', folder, '--data', 'DATA.npz')}")
    return 0
