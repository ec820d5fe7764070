"""Power: what the devices and the amplifiers of a programmed design draw; watts add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.backends import resources
from memxc.backends.nets import chunks
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes

Floats = NDArray[np.float64]

ASSUMPTIONS = (
    "Crossbar watts are the sum of V^2 G over every placed device, the mean over the samples; bit "
    "lines are at virtual ground and wires are perfect conductors. The volts are those of the "
    "calibrated network, before its conductances are rounded to levels and its amplifiers have a "
    "finite gain.",
    "Resistors that stand in place of weights (average pooling) count as crossbar watts; the "
    "feedback and joining resistors of the amplifiers do not.",
    "A sequential stage draws the mean over its places, for as long as the inference takes.",
    "An amplifier draws its static power from the target; inverters are amplifiers. Converters (a "
    "quantised network's too: a target has no figure for them), multiplexers, drivers, diodes, "
    "multipliers and programming are not counted, nor is their area.",
    "Everything is powered for the whole inference: energy is total watts times inference time.",
    "The largest neuron power is that of the worst bit line (pair), its row parts together, with "
    "every word line at the read voltage; its amplifiers are not in it.",
)


@dataclass(frozen=True)
class Power:
    """Watts of a stage; `+` adds them, and keeps the larger neuron."""

    crossbar_w: float = 0.0
    amplifier_w: float = 0.0
    neuron_max_w: float = 0.0

    def __add__(self, other: Power) -> Power:
        return Power(
            self.crossbar_w + other.crossbar_w,
            self.amplifier_w + other.amplifier_w,
            max(self.neuron_max_w, other.neuron_max_w),
        )

    @property
    def total_w(self) -> float:
        """Crossbars and amplifiers."""
        return self.crossbar_w + self.amplifier_w


@dataclass(frozen=True)
class Row:
    """One stage of the report."""

    stage: str
    power: Power


def total(rows: Iterable[Row]) -> Power:
    """The sum over stages."""
    return sum((row.power for row in rows), Power())


def measure(
    design: Design,
    bills: Iterable[resources.Row],
    amplifier_w: float,
    squares: Mapping[str, Floats],
) -> tuple[Row, ...]:
    """Watts of the stages of `bills`. amplifier_w: of one op-amp.

    squares: of each bus that arrays read, the mean over the samples of the squared volts, (width,).
    """
    hardware = [stage for stage in design.stages if isinstance(stage, Array | Lanes)]
    rows = []
    for stage, bill in zip(hardware, bills, strict=True):
        found = Power(amplifier_w=bill.resources.opamps * amplifier_w)
        if isinstance(stage, Array):
            width = design.buses[stage.dst].width
            found += Power(
                crossbar_w=crossbar_w(stage, squares[stage.src]),
                neuron_max_w=_neuron_max_w(stage, width),
            )
        rows.append(Row(stage.name, found))
    return tuple(rows)


def crossbar_w(stage: Array, squares: Floats) -> float:
    """Watts of the placed devices, from the squared volts (width,) on the source bus."""
    # One more entry at the end, for nets at ground: their number is -1.
    grounded = np.append(squares, 0.0)
    watts = 0.0
    for crossbar in stage.crossbars:
        at_once = 1 if stage.schedule == "parallel" else crossbar.places
        bias, drains = crossbar.line == BIAS, crossbar.drains()
        for groups, places in chunks(crossbar.taps):
            rows = crossbar.taps.nets(groups, places)[..., crossbar.line[~bias]]
            inputs = np.einsum("gpr,gr->", grounded[rows], drains[groups][:, ~bias])
            supplied = drains[groups][:, bias].sum() * stage.v_bias**2 * rows.shape[1]
            watts += float(inputs + supplied) / at_once
    return watts


def _neuron_max_w(stage: Array, width: int) -> float:
    lanes = np.zeros(width)
    for crossbar in stage.crossbars:
        crossbar.sinks.add(lanes, _column_sums(crossbar))
    return float(lanes.max(initial=0.0)) * stage.v_bias**2


def _column_sums(crossbar: Crossbar) -> Floats:
    """Siemens on each output, both signs together: (groups, outputs)."""
    sums = np.zeros((crossbar.sinks.lines, crossbar.groups))
    np.add.at(sums, crossbar.column, crossbar.loads().T)
    return sums.T
