"""Paper 3: ResNet-20 with 3D kernels against 2D + 1D ones, in sub-images on unit crossbars."""

from __future__ import annotations

from collections.abc import Iterator

import accuracy
import curve
import spice
from runs import ROOT, report
from table import Row

DERIVED = "derived, matches"
WHOLE, HALF, SEPARABLE = (f"resnet20_r{share}_s0.onnx" for share in ("000", "050", "100"))
VGG = "vgg8_cifar10.onnx"


def rows(data: accuracy.Data) -> Iterator[Row]:
    """Crossbars by the paper's rule and packed, and what it costs in accuracy."""
    yield from _counts(128, "-90 %", "82,688 to 5,872: -92.9 %")
    yield from _counts(256, "-95 %", "68,016 to 3,595: -94.7 %")
    yield _half()
    for path in sorted((ROOT / "models").glob("resnet20_r*_s*.onnx")):
        yield _trained(path.name, data)
    yield from curve.rows(curve.make(data.cifar10) if data.cifar10 and data.long else None)
    yield Row(
        3, f"accuracy of {VGG}", "-", "ours",
        accuracy.of(VGG, "cifar10", data), accuracy.command(VGG, "cifar10"), data=True,
    )  # fmt: skip
    for model in (WHOLE, HALF, SEPARABLE, VGG):
        yield spice.row(3, model, "cifar10", data)


def _trained(model: str, data: accuracy.Data) -> Row:
    share, seed = int(model[10:13]), model[15:-5]
    return Row(
        3, f"accuracy, ratio {share / 100:g}, seed {seed}",
        "rate loss < 2 points" if share == 100 else "-", "abstract",
        accuracy.of(model, "cifar10", data), accuracy.command(model, "cifar10"), data=True,
    )  # fmt: skip


def _counts(tile: int, theirs: str, derived: str) -> Iterator[Row]:
    options = f"--tile {tile} --partition paper"
    before, after = (_by_rule(model, options) for model in (WHOLE, SEPARABLE))
    yield Row(
        3, f"unit crossbars {tile} x {tile}, 2D + 1D for 3D kernels", theirs, "abstract",
        f"{before:,} to {after:,}: {100 * (after / before - 1):.1f} %",
        f"memxc compile models/{SEPARABLE} {options}",
    )  # fmt: skip
    yield Row(
        3, "the same, derived for widths 16/32/64", derived, DERIVED, "as above",
        "resources.sub_images",
    )  # fmt: skip
    for model, kernels in ((WHOLE, "3D"), (SEPARABLE, "2D + 1D")):
        packed = report(model, f"--tile {tile}")["resources"]["total"]["crossbars"]
        yield Row(
            3, f"{kernels} kernels packed, {tile} x {tile}", "-", "ours", f"{packed:,}",
            f"memxc compile models/{model} --tile {tile}",
        )  # fmt: skip


def _half() -> Row:
    options = "--tile 128 --partition paper"
    before, after = (_by_rule(model, options) for model in (WHOLE, HALF))
    return Row(
        3, "unit crossbars 128 x 128, half of the layers 2D + 1D", "halved", "abstract",
        f"{before:,} to {after:,}: {100 * (after / before - 1):.1f} %",
        f"memxc compile models/{HALF} {options}",
    )  # fmt: skip


def _by_rule(model: str, options: str) -> int:
    return int(report(model, options)["resources"]["sub_images"]["square"]["total"])
