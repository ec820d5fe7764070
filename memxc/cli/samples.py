"""memxc samples: make a file of samples from a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _terminal
from memxc.errors import pasted


def _sizes(text: str) -> tuple[int, ...]:
    from memxc.compiler.forms import whole

    return tuple(whole(size) for size in text.split("x"))


def _size(text: str) -> tuple[int, ...]:
    found = _sizes(text)
    if len(found) != 2:
        raise ValueError("give height and width")
    return found


def _numbers(text: str) -> list[float]:
    return [units.parse(number) for number in text.split(",")]


_SHAPE = _options.Form("1x28x28", _sizes, "--shape 1x28x28")
_SIZE = _options.Form("HxW", _size, "--size 32x32")
_CHANNELS = _options.Form("A,B,C", _numbers, "--mean 0.485,0.456,0.406")


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="DATASET")
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path, dir_okay=False), required=True,
    metavar="FILE.npz", help="The file to write.",
)  # fmt: skip
@click.option(
    "--count", type=click.IntRange(min=1), metavar="N",
    help="Take N samples at equal distances. Without it, all are taken.",
)  # fmt: skip
@click.option(
    "--part", type=click.Choice(["test", "train"]), default="test", show_default=True,
    help="The part of a data set that has both.",
)  # fmt: skip
@click.option("--size", type=_SIZE, help="Bring the pictures of a folder to this height and width.")
@click.option("--shape", type=_SHAPE, help="The shape of a sample, for numbers without one.")
@click.option(
    "--mean", type=_CHANNELS, default="0", show_default=True,
    help="Subtract this number, or one for each channel, from pictures of 0 to 1 or from numbers.",
)  # fmt: skip
@click.option(
    "--std", type=_CHANNELS, default="1", show_default=True, help="Then divide by this, likewise."
)
def command(source: Path, out: Path, **asked: Any) -> int:
    """Make the file of samples that compile and simulate take, from DATASET.

    DATASET is a folder of pictures (or of folders, one for each class), a folder with the idx files
    of MNIST or Fashion-MNIST, the binary version of CIFAR-10 or CIFAR-100, a .npy file, or a .csv
    table (also FER2013's). Scale the samples as the network was trained.
    """
    from memxc.library import samples

    values, labels = samples.load(source, **asked)
    samples.save(out, values, labels)
    shape = "x".join(map(str, values.shape[1:]))
    told = "no labels" if labels is None else f"labels {labels.min()} to {labels.max()}"
    span = f"{values.min():.4g} to {values.max():.4g}"
    _terminal.say(f"{out}: {len(values):,} samples of {shape}, {span}, {told}.")
    _terminal.say(
        f"Next: {pasted('memxc', 'compile', 'MODEL.onnx', '--samples', out, '-o', 'DIR')}"
    )
    return 0
