"""The record of a pass: the size of the network before and after it, and what it lost."""

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
    """One pass in a report: its options, the network before and after, what it lost.

    A pass that is about wires has there what the circuit with its wires is worth, too.
    """

    name: str
    options: Mapping[str, object]
    exact: bool
    before: Mapping[str, float]
    after: Mapping[str, float]
    loss: Loss | None


_KEYS = ("crossbars", "memristors", "multiplications", "parameters")


def counts(design: Design, zeros: Zeros = "parked") -> dict[str, int]:
    """Crossbars, memristors, multiplications and parameters of the programmable stages.

    Multiplications are weights other than zero times the places each is used at: a weight of zero
    needs none (kernel elements first). Parameters are weights and biases other than zero. Before
    programming each counts as the pair of memristors it will become, those of zero where they are
    `parked`.
    """
    total = dict.fromkeys(_KEYS, 0)
    for stage in design.stages:
        if isinstance(stage, (Linear, Array)) and stage.programmable:
            for key, value in _counts(stage, zeros).items():
                total[key] += value
    return total


def macs(design: Design) -> int:
    """Multiplications with weights before programming, those of zero among them.

    A batch normalisation that is kept has none: it is the same network.
    """
    return sum(
        kernel.groups * kernel.places * kernel.devices
        for stage in design.stages
        if isinstance(stage, Linear) and stage.tiled
        for kernel in stage.kernels
    )


@dataclass(frozen=True)
class _Block:
    """A stack: its groups and places, and over all groups the weights and biases other than zero,
    and the memristors."""

    groups: int
    places: int
    weights: int
    biases: int
    memristors: int


def _counts(stage: Linear | Array, zeros: Zeros) -> dict[str, int]:
    found = (
        [_kernel(kernel, zeros) for kernel in stage.kernels]
        if isinstance(stage, Linear)
        else [_crossbar(crossbar) for crossbar in stage.crossbars]
    )
    total = dict.fromkeys(_KEYS, 0)
    for block in found:
        placed = stage.placed(block.places)
        # A kept batch normalisation stands beside the crossbars, as resources counts it.
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
    """A pair whose two conductances are equal is a weight of zero, whether it is there or not."""
    bias = crossbar.line == BIAS
    weights, biases = (_pairs(crossbar, lines) for lines in (~bias, bias))
    there = int(crossbar.present.sum())
    return _Block(crossbar.groups, crossbar.places, weights, biases, there)


def _pairs(crossbar: Crossbar, lines: NDArray[np.bool_]) -> int:
    """Pairs of different conductances on some of the word lines."""
    cell = crossbar.cell[lines]
    if (crossbar.polarity > 0).any():
        one, other = (cell[:, crossbar.polarity == sign] for sign in (1, -1))
    else:
        one, other = (cell[crossbar.sign[lines] == sign] for sign in (1, -1))
    there = (one >= 0) & (other >= 0)
    first, which = crossbar.equal
    g = crossbar.g[first]
    differ = g.take(one[there], axis=1) != g.take(other[there], axis=1)
    return int(np.count_nonzero(differ, axis=1) @ np.bincount(which))


def _nonzero(values: NDArray[Any], uses: NDArray[np.intp]) -> int:
    """Entries of (groups, devices) other than zero, each as often as its device is used."""
    if (uses == 1).all():
        return int(np.count_nonzero(values))
    return int(np.count_nonzero(values, axis=0) @ uses)
