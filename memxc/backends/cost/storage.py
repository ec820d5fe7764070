"""Storage: how many devices hold a weight of the network, and how many bits a pair can hold."""

from __future__ import annotations

import math

import numpy as np

from memxc.backends.cost.storage_rows import Storage
from memxc.ir.design import Design
from memxc.ir.stages import Linear
from memxc.target import Device


def measure(unlaid: Design, memristors: int, device: Device) -> Storage:
    """Return how a circuit stores the weights of a design.

        devices per weight = memristors / weights that are not zero
        bits of a pair     = log2(2 L - 1):  L - 1 values of either sign, and zero

    unlaid: the design before its kernels are laid out on crossbars, where each weight stands once.
    memristors: those of all placed crossbars.
    """
    weights = sum(
        int(np.count_nonzero(kernel.values))
        + (0 if kernel.bias is None else int(np.count_nonzero(kernel.bias)))
        for stage in unlaid.stages
        if isinstance(stage, Linear) and stage.programmable
        for kernel in stage.kernels
    )
    levels = device.levels or len(device.states)
    return Storage(
        weights=weights,
        devices_per_weight=memristors / weights if weights else None,
        weight_bits=round(math.log2(2 * levels - 1), 6) if levels else None,
    )
