"""Paper 2: compare the depthwise separable MSCCNN with a LeNet-like network; prune crossbars."""

from __future__ import annotations

from collections.abc import Iterator

import accuracy
import spice
from runs import checked, report
from table import Row

COMPACT, TRADITIONAL = "msccnn_fashion.onnx", "lenet_fashion.onnx"
TURNS = "--schedule sequential"


def rows(data: accuracy.Data) -> Iterator[Row]:
    """Crossbars and devices at similar accuracy, then the effect of pruning crossbars."""
    for model in (TRADITIONAL, COMPACT):
        yield Row(
            2, f"accuracy of {model}", "like accuracy", "abstract",
            accuracy.of(model, "fashion", data), accuracy.command(model, "fashion"), data=True,
        )  # fmt: skip
    for options, words in (("", "all places at once"), (TURNS, "places take turns")):
        for what in ("crossbars", "memristors"):
            old, new = (
                report(m, options)["resources"]["total"][what] for m in (TRADITIONAL, COMPACT)
            )
            yield Row(
                2, f"{what}, {words}", "fewer", "abstract",
                f"{old:,} to {new:,}: {100 * (new / old - 1):+.1f} %",
                f"memxc compile -t paper-128 models/{COMPACT} {options}".strip(),
            )  # fmt: skip
    yield _pruned()
    yield _refitted(data)
    for model in (TRADITIONAL, COMPACT):
        yield spice.row(2, model, "fashion", data)
    yield spice.row(2, "msccnn_fashion_bn.onnx", "fashion", data, "--batchnorm stage")


def _pruned() -> Row:
    options = "--prune crossbar-loss:0.005"
    passes = {one["name"]: one for one in checked(COMPACT, options)["passes"]}
    first, last = passes["prune-lines"], passes["drop-dead-channels"]
    gone = 1 - last["after"]["crossbars"] / first["before"]["crossbars"]
    loss = first["loss"]
    return Row(
        2, "crossbars pruned for 0.5 points (one a kernel and place)", "some", "abstract",
        f"{100 * gone:.1f} % less, accuracy on {loss['samples']} samples "
        f"{100 * loss['before']:.2f} to {100 * loss['after']:.2f} %",
        f"memxc compile -t paper-128 models/{COMPACT} {options}",
    )  # fmt: skip


def _refitted(data: accuracy.Data) -> Row:
    options = f"--target ideal {TURNS} --prune crossbar-samples:0.1 --refit"
    return Row(
        2, "a tenth of the depthwise crossbars pruned, the rest refitted, not trained", "-", "ours",
        accuracy.of_circuit(COMPACT, "fashion", options, data),
        f"memxc compile models/{COMPACT} {options} --samples train.npz; memxc twin DIR", data=True,
    )  # fmt: skip
