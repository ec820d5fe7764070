"""What a pass did to the size of a network: counted before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar, Kernel
from memxc.ir.stages import Array, Linear


@dataclass(frozen=True)
class PassRecord:
    """One pass in a report: its options, the network before and after, what it lost."""

    name: str
    options: Mapping[str, object]
    exact: bool
    before: Mapping[str, int]
    after: Mapping[str, int]
    loss: Mapping[str, float]


def counts(design: Design) -> dict[str, int]:
    """Crossbars, memristors, multiplications and parameters of the programmable stages.

    Before programming every weight and bias counts as the pair of memristors it will become.
    """
    total = dict.fromkeys(("crossbars", "memristors", "multiplications", "parameters"), 0)
    for stage in design.stages:
        if isinstance(stage, (Linear, Array)) and stage.cell != "resistor":
            for key, value in _counts(stage).items():
                total[key] += value
    return total


def _counts(stage: Linear | Array) -> dict[str, int]:
    found = (
        [_kernel(k) for k in stage.kernels]
        if isinstance(stage, Linear)
        else [_crossbar(c) for c in stage.crossbars]
    )
    total = dict.fromkeys(("crossbars", "memristors", "multiplications", "parameters"), 0)
    for groups, places, weights, biases in found:
        placed = groups * (1 if stage.schedule == "sequential" else places)
        # A kept batch normalisation stands beside the crossbars, as resources counts it.
        total["crossbars"] += placed if stage.cell == "memristor" else 0
        total["memristors"] += 2 * (weights + biases) * placed
        total["multiplications"] += weights * groups * places
        total["parameters"] += (weights + biases) * groups
    return total


def _kernel(kernel: Kernel) -> tuple[int, int, int, int]:
    """Groups, places, weights and biases of one block."""
    biases = 0 if kernel.bias is None else kernel.columns * kernel.bias_lines
    return kernel.groups, kernel.places, kernel.devices, biases


def _crossbar(crossbar: Crossbar) -> tuple[int, int, int, int]:
    weights = int((crossbar.cell[crossbar.line != BIAS] >= 0).sum()) // 2
    return crossbar.groups, crossbar.places, weights, crossbar.devices // 2 - weights
