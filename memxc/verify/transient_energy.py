"""The energy of one evaluation of a lane: what the rails of its op-amps deliver until it settles.

The op-amps are the macros of the target (`templates/cells/op_amp/macro.cir.j2`): their rails carry
the quiescent current and that of the output. The word lines step from 0 V to the volts that they
have on the first sample. The report's law for the same time t, as in `backends.cost.ledger`, is

    energy = t (power + V |i|)  for each op-amp,     i1 = 2 i+,   i2 = v (1 / r_f + load)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost.lane_loads import ArrayLoads, NetLoads
from memxc.cells import cells as contracts
from memxc.cells import text
from memxc.engines import TransientEngine
from memxc.evaluation import evaluate
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS
from memxc.target import Amplifier, Target
from memxc.verify.library import Library
from memxc.verify.stage_units import Unit
from memxc.verify.transient_cards import load, transient_deck

Floats = NDArray[np.float64]

#: Time steps of an evaluation.
_STEPS = 500
_MACRO = """.global vdd vss
vdd vdd 0 {supply_v:.9e}
vss vss 0 -{supply_v:.9e}
.subckt memxc_skeleton n w
x1 0 n w vdd vss op_amp
.ends
"""


def possible(amplifier: Amplifier) -> bool:
    """Return whether a target gives all that the macro of its op-amp needs."""
    return all(getattr(amplifier, key) is not None for key in text.MACRO)


def macro(amplifier: Amplifier) -> str:
    """Return the rails, and the macro in the place of the linear skeleton of an op-amp."""
    circuits = text.circuits(amplifier, "macro", contracts())
    return circuits.text("op_amp") + _MACRO.format(supply_v=circuits.supply_v)


def volts(design: Design, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Return the volts of every bus on the first sample, (width,) each."""
    found = {name: evaluate.drive(design.buses[name], inputs[name][:1]) for name in design.inputs}
    for stage in design.stages:
        sources = [found[src] for src in stage.srcs]
        found[stage.dst] = evaluate.step(stage, design.buses, sources)
    return {name: values[0] for name, values in found.items()}


def measure(
    unit: Unit,
    drive: Floats,
    loads: ArrayLoads,
    hung: NetLoads,
    cells: Library,
    target: Target,
    engine: TransientEngine,
    seconds: float,
) -> tuple[float, float]:
    """Return the joules of an evaluation that takes `seconds`, of the engine and of the report.

    unit: with one lane. drive: volts of its inputs (inputs,).
    """
    deck = transient_deck(unit, drive, loads, hung, cells, target, macro(target.amplifier))
    times, found = engine.transient(deck, ["i(vdd)", "i(vss)"], seconds / _STEPS, seconds)
    supply_v = target.amplifier.supply_v
    assert supply_v is not None
    watts = supply_v * (found[:, 1] - found[:, 0])
    joules = float(np.diff(times) @ (watts[1:] + watts[:-1]) / 2)
    plus, minus = _currents(unit, drive)
    r_f, lane = float(unit.r_f[0]), int(unit.lanes.max())
    siemens, _ = load(lane, hung, target)
    first = 0.0 if unit.stage.single_ended else 2 * abs(plus)
    second = abs(r_f * (plus - minus)) * (1 / r_f + siemens)
    opamps = 1 if unit.stage.single_ended else 2
    told = opamps * target.amplifier.power_w + supply_v * (first + second)
    return joules, told * seconds


def _currents(unit: Unit, drive: Floats) -> tuple[float, float]:
    """Return the amperes of the plus and the minus bit lines of a unit with one lane."""
    sums = np.zeros(2)
    for placed in unit.placed:
        crossbar = unit.crossbar(placed)
        g = crossbar.conductance(slice(placed.group, placed.group + 1))[0]
        biased = placed.words == BIAS
        words = np.where(biased, unit.stage.v_bias, drive[np.where(biased, 0, placed.words)])
        used = placed.bits >= 0
        side = (crossbar.polarity[used] < 0).astype(np.intp)
        np.add.at(sums, side, (crossbar.sign * words) @ g[:, used])
    return float(sums[0]), float(sums[1])
