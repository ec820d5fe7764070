"""Paper 3: compare ResNet-20 with 3D kernels and with 2D + 1D kernels, in sub-images."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from statistics import fmean

import accuracy
import curve
import spice
from runs import ROOT, report
from table import Row

DERIVED = "derived, matches"
MODELS = ROOT / "models"
WHOLE, HALF, SEPARABLE = (f"resnet20_r{share}_s0.onnx" for share in ("000", "050", "100"))
LONG = {0: "resnet20_r000_e100.onnx", 100: "resnet20_r100_e100.onnx"}
TWICE = "two 2D kernels a channel"
DOUBLE = "resnet20_r100x2_s0.onnx"
VGG = "vgg8_cifar10.onnx"
#: The numbers in the abstract for a share (percent) of 2D + 1D layers.
THEIRS = {50: "very little rate loss", 100: "rate loss < 2 points"}


def rows(data: accuracy.Data) -> Iterator[Row]:
    """Crossbars by the paper's rule and packed, and the loss of accuracy."""
    yield from _counts(128, "-90 %", "82,688 to 5,872: -92.9 %")
    yield from _counts(256, "-95 %", "68,016 to 3,595: -94.7 %")
    yield _fewer("half of the layers 2D + 1D", HALF, "halved")
    yield _fewer(TWICE, DOUBLE, "-")
    yield from _accuracies(data)
    yield from curve.rows(curve.make(data.cifar10) if data.cifar10 and data.long else None)
    yield Row(
        3, f"accuracy of {VGG}", "-", "ours",
        accuracy.of(VGG, "cifar10", data), accuracy.command(VGG, "cifar10"), data=True,
    )  # fmt: skip
    for model in (*(path.name for path in sorted(MODELS.glob("resnet20_*.onnx"))), VGG):
        yield spice.row(3, model, "cifar10", data)


def _accuracies(data: accuracy.Data) -> Iterator[Row]:
    """Every network; each share compared with 3D, with the spread of seeds; other trainings."""
    family = yield from _family("", "", data)
    for share, theirs in THEIRS.items():
        yield _lost(f"ratio {share / 100:g} for 0", theirs, family[0], family[share])
    double = yield from _family("x2", f", {TWICE}", data)
    for share, seeds in double.items():
        what = f"ratio {share / 100:g} for 0, {TWICE}"
        yield _lost(what, "-", family[0], seeds)
    longer = [_trained("100 epochs", share, model, data) for share, model in LONG.items()]
    yield from longer
    before, after = ({"0": row.ours} for row in longer)
    yield _lost("100 epochs, ratio 1 for 0", THEIRS[100], before, after)


def _family(
    many: str, how: str, data: accuracy.Data
) -> Generator[Row, None, dict[int, dict[str, str]]]:
    """A row for each resnet20_r<share><many>_s<seed>.onnx; the accuracies, by share and seed."""
    family: dict[int, dict[str, str]] = {}
    for path in sorted(MODELS.glob(f"resnet20_r???{many}_s*.onnx")):
        share, seed = int(path.stem[10:13]), path.stem.rpartition("_s")[2]
        row = _trained(f"seed {seed}{how}", share, path.name, data)
        family.setdefault(share, {})[seed] = row.ours
        yield row
    return family


def _trained(which: str, share: int, model: str, data: accuracy.Data) -> Row:
    return Row(
        3, f"accuracy, ratio {share / 100:g}, {which}", "-", "ours",
        accuracy.of(model, "cifar10", data), accuracy.command(model, "cifar10"), data=True,
    )  # fmt: skip


def _lost(what: str, theirs: str, before: dict[str, str], after: dict[str, str]) -> Row:
    """Points between the means over the seeds that both have, as printed, by seed."""
    seeds = [seed for seed in after if seed in before]
    found = _points([before[seed] for seed in seeds], [after[seed] for seed in seeds])
    return Row(
        3, f"accuracy lost, {what}, {'seeds' if len(seeds) > 1 else 'seed'} {', '.join(seeds)}",
        theirs, _tag(theirs), found, "the rows above", data=True,
    )  # fmt: skip


def _tag(theirs: str) -> str:
    return "ours" if theirs == "-" else "abstract"


def _points(before: list[str], after: list[str]) -> str:
    """Points between two means, and how far apart the seeds of each are."""
    if not all(text.endswith("%") for text in (*before, *after)):
        return before[0]
    first, second = ([float(text.rstrip(" %")) for text in texts] for texts in (before, after))
    lost = f"{fmean(first) - fmean(second):.2f} points"
    if len(first) == len(second) == 1:
        return lost
    return f"{lost}; seeds {max(first) - min(first):.2f} and {max(second) - min(second):.2f} apart"


def _counts(tile: int, theirs: str, derived: str) -> Iterator[Row]:
    options = f"--tile {tile} --partition paper"
    before, after = (_by_rule(model, options) for model in (WHOLE, SEPARABLE))
    yield Row(
        3, f"unit crossbars {tile} x {tile}, 2D + 1D for 3D kernels", theirs, "abstract",
        f"{before:,} to {after:,}: {100 * (after / before - 1):.1f} %",
        f"memxc compile -t paper-128 models/{SEPARABLE} {options}",
    )  # fmt: skip
    yield Row(
        3, "the same, derived for widths 16/32/64", derived, DERIVED, "as above",
        "resources.sub_images",
    )  # fmt: skip
    for model, kernels in ((WHOLE, "3D"), (SEPARABLE, "2D + 1D")):
        packed = report(model, f"--tile {tile}")["resources"]["total"]["crossbars"]
        yield Row(
            3, f"{kernels} kernels packed, {tile} x {tile}", "-", "ours", f"{packed:,}",
            f"memxc compile -t paper-128 models/{model} --tile {tile}",
        )  # fmt: skip


def _fewer(what: str, model: str, theirs: str) -> Row:
    options = "--tile 128 --partition paper"
    before, after = (_by_rule(name, options) for name in (WHOLE, model))
    return Row(
        3, f"unit crossbars 128 x 128, {what}", theirs, _tag(theirs),
        f"{before:,} to {after:,}: {100 * (after / before - 1):.1f} %",
        f"memxc compile -t paper-128 models/{model} {options}",
    )  # fmt: skip


def _by_rule(model: str, options: str) -> int:
    return int(report(model, options)["resources"]["sub_images"]["square"]["total"])
