"""Paper 1: a pruned squeeze-and-excitation FCN: multiplications, watts and Dice."""

from __future__ import annotations

from collections.abc import Iterator

import accuracy
from runs import checked, folder, memxc, report
from table import Row

WHOLE, PRUNED = "sefcn_nuclei.onnx", "sefcn_nuclei_pruned.onnx"
SAMPLES = "--samples models/sefcn_nuclei.samples.npz"
ABSENT = f"--zeros absent {SAMPLES}"


def rows(data: accuracy.Data) -> Iterator[Row]:
    """What pruning takes away, and what the network still does."""
    before, after = (_multiplications(*run) for run in ((WHOLE, SAMPLES), (PRUNED, ABSENT)))
    yield Row(
        1, "multiplications less (every weight times its map)", "up to 56.2 %", "abstract",
        f"{100 * (1 - after / before):.1f} %: {before:,} to {after:,}",
        f"memxc compile models/{PRUNED} {ABSENT}",
    )  # fmt: skip
    watts = [report(*run)["power"]["crossbar_w"] for run in ((WHOLE, SAMPLES), (PRUNED, ABSENT))]
    yield Row(
        1, "watts less (theirs: network and device unknown)", "33.62 W", "abstract, not derivable",
        f"{watts[0] - watts[1]:.2f} W of {watts[0]:.2f} W in crossbars, all places at once",
        f"memxc compile models/{PRUNED} {ABSENT}",
    )  # fmt: skip
    for model, what in ((WHOLE, "unpruned"), (PRUNED, "pruned and retrained")):
        yield Row(
            1, f"mean Dice, {what}", "accuracy kept" if model == PRUNED else "-", "abstract",
            accuracy.of(model, "nuclei", data), accuracy.command(model, "nuclei"), data=True,
        )  # fmt: skip
    yield from _without_retraining()
    yield _in_spice()


def _multiplications(model: str, options: str) -> int:
    """What one inference multiplies, before kernels are laid out."""
    return int(report(model, options)["passes"][0]["after"]["multiplications"])


def _without_retraining() -> Iterator[Row]:
    for share in (0.2, 0.4):
        options = f"--schedule sequential --prune ckf:{share}"
        passes = {one["name"]: one for one in checked(WHOLE, options)["passes"]}
        pruned = passes["prune-ckf"]
        gone = 1 - pruned["after"]["multiplications"] / pruned["before"]["multiplications"]
        loss = pruned["loss"]
        yield Row(
            1, f"{100 * share:.0f} % of the weights pruned, not retrained", "-", "ours",
            f"{100 * gone:.1f} % of multiplications less, Dice on {loss['samples']} samples "
            f"{loss['before']:.4f} to {loss['after']:.4f}",
            f"memxc compile models/{WHOLE} {options}",
        )  # fmt: skip


def _in_spice() -> Row:
    options = f"--schedule sequential {ABSENT}"
    found = memxc("verify", str(folder(PRUNED, options)), "--count", "1", "--json")
    assert found is not None, "verify prints JSON"
    stages = found["stages"]
    return Row(
        1, "the pruned network in SPICE, one picture (sequential)", "-", "ours",
        f"{sum(s['ok'] for s in stages)} of {len(stages)} stages agree, "
        f"outputs {found['outputs']['max_rel_error']:.1e} from onnxruntime",
        "memxc verify DIR --count 1",
    )  # fmt: skip
