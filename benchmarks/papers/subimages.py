"""Paper 3: ResNet-20 with 3D kernels against 2D + 1D ones, in sub-images on unit crossbars."""

from __future__ import annotations

from collections.abc import Iterator

import accuracy
from runs import ROOT, report
from table import Row

DERIVED = "derived, matches"
#: Share of layers with 2D + 1D kernels, and the seeds trained, as the files in models/ say.
MEMBERS = ("r000", "r025", "r050", "r075", "r100")


def rows(data: accuracy.Data) -> Iterator[Row]:
    """Crossbars by the paper's rule and packed, and what it costs in accuracy."""
    yield from _counts(128, "-90 %", "82,688 to 5,872: -92.9 %")
    yield from _counts(256, "-95 %", "68,016 to 3,595: -94.7 %")
    for member in MEMBERS:
        for path in sorted((ROOT / "models").glob(f"resnet20_{member}_s*.onnx")):
            yield Row(
                3, f"accuracy, ratio 0.{member[2:]}" if member != "r100" else "accuracy, ratio 1",
                "rate loss < 2 points" if member == "r100" else "-", "abstract",
                accuracy.of(path.name, "cifar10", data),
                accuracy.command(path.name, "cifar10"), data=True,
            )  # fmt: skip


def _counts(tile: int, theirs: str, derived: str) -> Iterator[Row]:
    model = "resnet20_r000_s0.onnx"
    options = f"--tile {tile} --partition paper"
    rule = report(model, options)["resources"]["sub_images"]["square"]
    before, after = rule["total"], rule["as_2d_1d"]
    yield Row(
        3, f"unit crossbars {tile} x {tile}, 2D + 1D for 3D kernels", theirs, "abstract",
        f"{before:,} to {after:,}: {100 * (after / before - 1):.1f} %",
        f"memxc compile models/{model} {options}",
    )  # fmt: skip
    yield Row(
        3, "the same, derived for widths 16/32/64", derived, DERIVED, "as above",
        "resources.sub_images",
    )  # fmt: skip
    packed = report(model, f"--tile {tile}")["resources"]["total"]["crossbars"]
    yield Row(
        3, f"the same network packed, 3D kernels kept, {tile} x {tile}", "-", "ours",
        f"{packed:,}", f"memxc compile models/{model} --tile {tile}",
    )  # fmt: skip
