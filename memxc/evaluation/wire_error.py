"""The error of a stage that wire resistance causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.evaluation import evaluate, samples
from memxc.ir.design import Design
from memxc.ir.stages import Array, Stage
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import WireResistance

Floats = NDArray[np.float64]

#: Samples that a stage's error is measured on, and most numbers in them for a wide input.
_SAMPLES, _NUMBERS = 32, 1 << 17


def driven(design: Design, inputs: Mapping[str, NDArray[Any]]) -> Iterator[tuple[Stage, Floats]]:
    """Yield every stage and, for an array, the volts (samples, width) on the bus that it reads."""
    buses = evaluate.run(design, samples.few(inputs, _NUMBERS, _SAMPLES))
    for stage in design.stages:
        yield stage, buses[stage.src] if isinstance(stage, Array) else np.zeros((0, 0))


def error(
    design: Design, stage: Array, wires: WireResistance, volts: Floats, wanted: Floats
) -> float:
    """Return the relative error of a stage with wires: rms(outputs - wanted) / rms(wanted).

    volts: (samples, width of the source). wanted: the right outputs in volts, (samples, width).
    """
    with_wires = effective(design.with_stages([stage]), wires).stages[0]
    deviation = evaluate.step(with_wires, design.buses, [volts]) - wanted
    return float(np.sqrt(np.square(deviation).mean() / (np.square(wanted).mean() or 1.0)))
