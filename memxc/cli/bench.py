"""memxc bench: print a test bench for the netlist of a folder, for ngspice without memxc."""

from __future__ import annotations

from pathlib import Path

import click  # noqa: TID251

from memxc.cli import _terminal
from memxc.cli._options import FOLDER
from memxc.errors import fail


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="The sample of DIR that is applied to the inputs, counted from 1.",
)
def command(folder: Path, sample: int) -> int:
    """Print a test bench for the netlist in DIR, so that ngspice can run it without memxc.

    The test bench drives the supplies and the inputs, takes sequential stages through their
    periods, and prints each output in units of the model, with the value that memxc expects.
    """
    from memxc import netlist_reader
    from memxc.backends.netlist import bench
    from memxc.build_folder import read
    from memxc.library.steady import at_work

    with at_work(folder):
        loaded = read.load(folder)
        # ngspice executes commands in its input, so a netlist with more than circuits in it gets no
        # test bench.
        top = (folder / "netlist" / netlist_reader.read_folder(folder / "netlist").file).resolve()
        if '"' in str(top) or not str(top).isprintable():
            what = "ngspice cannot read a path with quotes or control characters"
            raise fail("usage", str(folder), what, "rename the folder")
        count = len(next(iter(loaded.samples.values())))
        if sample > count:
            raise fail("usage", f"--sample {sample}", f"{folder} has only {count} samples")
        inputs = [values[sample - 1] for values in loaded.samples.values()]
        for line in bench.bench(loaded.design, inputs, str(top)):
            _terminal.say(line)
        return 0
