"""The record of a pass: the size of the network before and after it, and what the pass lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.evaluation.losses import Loss
from memxc.interfaces import Zeros
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar, Kernel
from memxc.ir.stages import Array, Linear


@dataclass(frozen=True)
class PassRecord:
    """One pass in a report: its options, figures before and after it, and its loss.

    If the pass is about wires, the figures also say how well the circuit with its wires answers.
    """

    name: str
    options: Mapping[str, object]
    exact: bool
    before: Mapping[str, float]
    after: Mapping[str, float]
    loss: Loss | None


_KEYS = ("crossbars", "memristors", "multiplications", "parameters")


def counts(design: Design, zeros: Zeros = "parked") -> dict[str, int]:
    """Return the crossbars, memristors, multiplications and parameters of the programmable stages.

    A multiplication is a weight other than zero at one of its places: a weight of zero needs none
    (kernel elements first, CKF). A parameter is a weight or bias other than zero. Before
    programming, each weight and bias counts as the pair of memristors that it will become; a weight
    of zero counts if zeros are `parked`.
    """
    total = dict.fromkeys(_KEYS, 0)
    for stage in design.stages:
        if isinstance(stage, (Linear, Array)) and stage.programmable:
            for key, value in _counts(stage, zeros).items():
                total[key] += value
    return total


def macs(design: Design) -> int:
    """Return the multiplications with weights before programming. Weights of zero count.

    A batch normalisation that is a stage does not count: folded or not, the network is the same.
    """
    return sum(
        kernel.groups * kernel.places * kernel.devices
        for stage in design.stages
        if isinstance(stage, Linear) and stage.tiled
        for kernel in stage.kernels
    )


@dataclass(frozen=True)
class _Block:
    """The counts of a stack of blocks.

    weights and biases (without zeros) and memristors are sums over all groups, at one place.
    """

    groups: int
    places: int
    weights: int
    biases: int
    memristors: int


def _counts(stage: Linear | Array, zeros: Zeros) -> dict[str, int]:
    stacks = (
        [_kernel(kernel, zeros) for kernel in stage.kernels]
        if isinstance(stage, Linear)
        else [_crossbar(crossbar) for crossbar in stage.crossbars]
    )
    total = dict.fromkeys(_KEYS, 0)
    for block in stacks:
        placed = stage.placed(block.places)
        # A batch normalisation that is a stage is on no crossbar; `resources` counts it so, too.
        if stage.tiled:
            total["crossbars"] += placed * block.groups
            total["multiplications"] += block.weights * block.places
        total["memristors"] += block.memristors * placed
        total["parameters"] += block.weights + block.biases
    return total


def _kernel(kernel: Kernel, zeros: Zeros) -> _Block:
    if kernel.cell is None:
        weights = int(np.count_nonzero(kernel.values))
    else:
        cell = kernel.cell[kernel.cell >= 0]
        weights = _nonzero(kernel.values, np.bincount(cell, minlength=kernel.values.shape[1]))
    biases = 0 if kernel.bias is None else int(np.count_nonzero(kernel.bias)) * kernel.bias_lines
    there = weights + biases
    if zeros == "parked":
        lines = 0 if kernel.bias is None else kernel.bias_lines
        there = (kernel.devices + kernel.columns * lines) * kernel.groups
    return _Block(kernel.groups, kernel.places, weights, biases, 2 * there)


def _crossbar(crossbar: Crossbar) -> _Block:
    """Count a programmed stack. A pair of equal conductances is a weight of zero."""
    bias = crossbar.line == BIAS
    weights, biases = (_pairs(crossbar, lines) for lines in (~bias, bias))
    there = int(crossbar.present.sum())
    return _Block(crossbar.groups, crossbar.places, weights, biases, there)


def _pairs(crossbar: Crossbar, lines: NDArray[np.bool_]) -> int:
    """Return how many pairs of different conductances there are on some of the word lines."""
    cell = crossbar.cell[lines]
    if (crossbar.polarity > 0).any():
        plus, minus = (cell[:, crossbar.polarity == sign] for sign in (1, -1))
    else:
        plus, minus = (cell[crossbar.sign[lines] == sign] for sign in (1, -1))
    both = (plus >= 0) & (minus >= 0)
    first, which = crossbar.equal
    g = crossbar.g[first]
    differ = g.take(plus[both], axis=1) != g.take(minus[both], axis=1)
    return int(np.count_nonzero(differ, axis=1) @ np.bincount(which))


def _nonzero(values: NDArray[Any], uses: NDArray[np.intp]) -> int:
    """Return how many values (groups, devices) are not zero; each counts as often as it is used."""
    if (uses == 1).all():
        return int(np.count_nonzero(values))
    return int(np.count_nonzero(values, axis=0) @ uses)
