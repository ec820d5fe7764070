"""memxc twin: the circuit as an ONNX model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc.cli import _design, _options, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import fail, pasted

if TYPE_CHECKING:
    from memxc.build_folder.read import Loaded
    from memxc.frontend import Ends


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
    from memxc import __version__, simulate
    from memxc.backends import twin
    from memxc.build_folder import read as folders
    from memxc.build_folder.recompile import programmer
    from memxc.build_folder.write import check_file, write_file

    loaded = folders.load(folder)
    check_file(output, loaded)
    (point,) = simulate.points(simulate.SweepPlan(settings), loaded.target)
    with _terminal.progress() as show:
        show("the programmed network")
        design = simulate.programmed(point, loaded.design, programmer(loaded))
        show("the effective matrices")
        drawn = simulate.draw_seed(seed, draw - 1)
        circuit = simulate.circuit(design, point.target, drawn, draw_per)  # type: ignore[arg-type]
        ends = _ends(loaded)
        about = {
            "memxc": __version__,
            "target": point.target.name,
            "target.json": json.dumps(point.target.model_dump(), sort_keys=True),
            "seed": str(seed),
            "draw": str(draw),
            "draw_per": draw_per,
        }
        made = twin.model(circuit, drawn, ends, about)
    write_file(output, made)
    kinds = "inputs and outputs as the model's" if ends else "float32, batches of any size"
    _terminal.say(f"{output}: {len(made):,} bytes, {kinds}.")
    if point.reprogrammed:
        _terminal.say(f"Programmed anew: {', '.join(point.reprogrammed)} not as compiled.")
    if point.target.device.read_noise:
        _terminal.say("Every run draws read noise anew; a new session starts at the same numbers.")
    _terminal.say(f"Next: {pasted('memxc', 'simulate', folder, '--data', 'DATA.npz')}")
    return 0


def _ends(loaded: Loaded) -> Ends | None:
    """The inputs and outputs of the model; None where the folder holds no copy of it."""
    from memxc import frontend

    if loaded.model is None:
        return None
    found, design = frontend.ends(loaded.model), loaded.design
    if [*found.inputs] != [*design.inputs] or [*found.outputs] != [*design.outputs]:
        what = "has other inputs and outputs than the design"
        raise fail("bad-design", str(loaded.model), what, "compile the model again")
    return found
