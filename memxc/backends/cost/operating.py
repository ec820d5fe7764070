"""The operating point of a design: volts, currents and loads of its amplifiers on the samples.

The ledger and the electrical rules read these numbers, and neither computes its own.

    i+   = sum over the plus bit lines of V G        op-amp 1:  v = -r_join i+,  i = 2 i+
    load = sum of G on the word lines of a net       op-amp 2:  i = v (1 / r_f + load)

The current of op-amp 1 flows through its feedback resistor and its joining resistor, which both end
at a virtual ground. So do the feedback resistor of op-amp 2, and the devices on the word lines that
it drives. An inverter is an op-amp with two equal resistors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.ir.stages import Array
from memxc.physics.network.amplifier import noise_gains

Floats = NDArray[np.float64]
#: Numbers that are kept for every net. Single precision halves the memory of a wide network.
Kept = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Signal:
    """A quantity of each lane over the samples, (width,).

    average: with its sign. mean: of its magnitude. square: of its square. largest: magnitude.
    Without `signed`, average is nan.
    """

    average: Kept
    mean: Kept
    square: Kept
    largest: Kept

    @classmethod
    def of(cls, values: Floats, signed: bool) -> Signal:
        """The statistics of values (samples, width)."""
        size = np.abs(values)
        largest = size.max(axis=0, initial=0.0)
        means = (size.mean(axis=0), np.square(values).mean(axis=0))
        kept = (number.astype(np.float32) for number in (*means, largest))
        if signed:
            return cls(values.mean(axis=0).astype(np.float32), *kept)
        return cls(np.broadcast_to(np.float32(np.nan), largest.shape), *kept)


@dataclass(frozen=True, eq=False)
class Net:
    """What the nets of a bus carry and drive, one number a lane: arrays (width,).

    load: siemens of the word lines on a net, as the mean over the calculation periods; load_once:
    the largest at one time. inverse: siemens of the word lines behind the inverter of a net, 0
    without an inverter. worst_v: the largest volts that can occur.
    """

    volts: Signal
    load: Kept
    load_once: Kept
    inverse: Kept
    worst_v: float


@dataclass(frozen=True, eq=False)
class ArrayPoint:
    """The amplifiers of one stage of crossbars, one number a lane: arrays (width,).

    share: the part of the time that a lane has the amplifier: 1, or 1 / places if sequential.
    plus: amperes of its plus bit lines. y_plus, y_minus: siemens that end at its summing nodes.
    worst_v: the largest volts that can be on its word lines.
    devices_w, inverted_w, bias_w: mean watts of all devices of the stage, of those behind
    inverters, and of those on bias lines.
    """

    stage: Array
    share: Kept
    plus: Signal
    y_plus: Kept
    y_minus: Kept
    worst_v: float
    devices_w: float
    inverted_w: float
    bias_w: float

    @property
    def noise_gain(self) -> tuple[Kept, Kept]:
        """The noise gains of op-amp 1 and 2 of each lane; of op-amp 1 it is 0 without one."""
        stage = self.stage
        return noise_gains(self.y_plus, self.y_minus, stage.r_f, stage.r_join, stage.single_ended)


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """Nets by the name of their bus, and the amplifiers of every stage of crossbars, in order."""

    nets: Mapping[str, Net]
    arrays: tuple[ArrayPoint, ...]
    samples: int
