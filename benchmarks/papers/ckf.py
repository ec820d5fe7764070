"""Paper 1: a pruned squeeze-and-excitation FCN: multiplications, watts and Dice."""

from __future__ import annotations

from collections.abc import Iterator

import accuracy
import spice
from runs import report
from table import Row

WHOLE, PRUNED = "sefcn_nuclei.onnx", "sefcn_nuclei_pruned.onnx"
SAMPLES = "--samples models/sefcn_nuclei.samples.npz"
ABSENT = f"--zeros absent {SAMPLES}"


def rows(data: accuracy.Data) -> Iterator[Row]:
    """The multiplications that pruning removes, and the Dice score afterwards."""
    before, after = (_multiplications(*run) for run in ((WHOLE, SAMPLES), (PRUNED, ABSENT)))
    yield Row(
        1, "multiplications less (every weight times its map)", "up to 56.2 %", "abstract",
        f"{100 * (1 - after / before):.1f} %: {before:,} to {after:,}",
        f"memxc compile -t paper-128 models/{PRUNED} {ABSENT}",
    )  # fmt: skip
    watts = [report(*run)["power"]["crossbar_w"] for run in ((WHOLE, SAMPLES), (PRUNED, ABSENT))]
    yield Row(
        1, "watts less (theirs: network and device unknown)", "33.62 W", "abstract, not derivable",
        f"{watts[0] - watts[1]:.2f} W of {watts[0]:.2f} W in crossbars, all places at once",
        f"memxc compile -t paper-128 models/{PRUNED} {ABSENT}",
    )  # fmt: skip
    for model, what, theirs, tag in (
        (WHOLE, "unpruned", "-", "ours"),
        (PRUNED, "pruned and retrained", "accuracy kept", "abstract"),
    ):
        yield Row(
            1, f"mean Dice, {what}", theirs, tag,
            accuracy.of(model, "nuclei", data), accuracy.command(model, "nuclei"), data=True,
        )  # fmt: skip
    yield from _not_trained(data)
    yield spice.row(1, WHOLE, "nuclei", data)
    yield spice.row(1, PRUNED, "nuclei", data, "--zeros absent")


def _multiplications(model: str, options: str) -> int:
    """The multiplications for an inference, before kernels are laid out."""
    return int(report(model, options)["passes"][0]["after"]["multiplications"])


def _not_trained(data: accuracy.Data) -> Iterator[Row]:
    for share in (0.562, 0.65):
        options = (
            f"--target ideal --schedule sequential --prune ckf-multiplications:{share} --refit"
        )
        yield Row(
            1, f"{100 * share:g} % of the multiplications pruned, the rest refitted, not trained",
            "-", "ours", accuracy.of_circuit(WHOLE, "nuclei", options, data),
            f"memxc compile models/{WHOLE} {options} --samples train.npz; memxc twin DIR",
            data=True,
        )  # fmt: skip
