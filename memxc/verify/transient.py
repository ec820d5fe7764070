"""A stage in SPICE's transient analysis: how its slowest lane settles, and whether a lane rings.

A bench has one lane, with the crossbars of the netlist that end at it. Word lines are ideal
sources, so other lanes on them change nothing and are left out. Each summing node has the
capacitance of its bit lines, each op-amp is the skeleton of the target, each feedback resistor has
its capacitance c_f, and each output its load. Word lines step from 0 V to volts at which only one
current of the lane steps: they are perpendicular to the conductances of the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import engines
from memxc.backends.cost import lane_loads, settling
from memxc.backends.cost.lane_loads import ArrayLoads, NetLoads
from memxc.backends.cost.resources import Tile
from memxc.backends.cost.settling import TOLERANCE, StageTime
from memxc.engines import TransientEngine
from memxc.errors import Fault, MemxcError, fail
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS
from memxc.ir.stages import Array
from memxc.physics.network import settling as responses
from memxc.target import Target
from memxc.verify import transient_energy
from memxc.verify.document import TransientResult
from memxc.verify.library import Library
from memxc.verify.plan import Plan
from memxc.verify.stage_units import Unit, array_units
from memxc.verify.transient_cards import transient_deck

Floats = NDArray[np.float64]

#: The settling time in SPICE may differ by this from the one of the report, and the overshoot.
_AGREE, _POINT = 0.02, 0.01
#: A lane that overshoots by more than this, relative to its final value, rings.
_RINGS = 0.2
#: With nonlinear devices, word lines step by this share of the read voltage.
_SMALL = 0.02
#: The analysis takes steps of this share of the settling time, and ends after a few of these times.
_STEP, _END = 1 / 500, 3.0


def check(
    design: Design,
    target: Target,
    cells: Library,
    tile: Tile,
    inputs: Mapping[str, NDArray[Any]],
    plan: Plan,
    progress: Callable[[str], None],
) -> tuple[TransientResult, ...]:
    """Simulate the slowest lane of every crossbar stage, or of the plan's stage.

    tile: see `Tile`. inputs: (samples, *shape), of which the first sample is evaluated. Raises
    MemxcError: usage if the target lacks a key, or if the stage has no crossbars; and what the
    engine raises.
    """
    engine = engines.transient("ngspice" if plan.engine == "auto" else plan.engine)
    stage = plan.stage
    if lacking := settling.lacking(target):
        what, hint = "a settling time needs it", "docs/targets.md: how long a stage takes"
        raise MemxcError([Fault("usage", f"--transient: {key}", what, hint) for key in lacking])
    loads = lane_loads.measure(design, tile)
    if stage is not None and stage not in loads:
        what = "has no crossbars and no resistors"
        raise fail("usage", f"--stage {stage}", what, f"stages: {', '.join([*loads][:30])}")
    times, hung = settling.measure(design, loads, target), lane_loads.outputs(design, loads)
    volts = transient_energy.volts(design, inputs)
    found = []
    for array in design.arrays:
        if stage in (None, array.name) and array.name in times:
            progress(f"{array.name}: transient")
            stage_bench = _Bench(array, target, loads[array.name], hung[array.dst], cells, engine)
            found.append(stage_bench.result(times[array.name], volts[array.src]))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Bench:
    """A stage, and all that its lanes are simulated with. hung: at its outputs."""

    stage: Array
    target: Target
    loads: ArrayLoads
    hung: NetLoads
    cells: Library
    engine: TransientEngine

    def result(self, time: StageTime, source: Floats) -> TransientResult:
        """Return how the slowest lane of the stage settles, and how the one that rings most does.

        The slowest lane is given by the report's calculation. source: volts (width,) of the
        stage's source, for the energy of one evaluation.
        """
        if time.unstable:
            values = ("settling_s", "expected_s", "overshoot", "expected_overshoot")
            nothing = dict.fromkeys((*values, "energy_j", "expected_energy_j"))
            return TransientResult.model_validate(
                {"stage": self.stage.name, "ok": False, **nothing}
            )
        # Inverters before the word lines are ideal here, so the time is that of the op-amps alone.
        expected = float(responses.responses(time.path[-1], TOLERANCE).seconds[0])
        seconds, _ = self._settled(*time.slowest, expected)
        _, overshoot = self._settled(*time.ringing, expected)
        joules, told = self._energy(time.slowest[0], source, expected)
        agrees = abs(seconds - expected) <= _AGREE * expected
        agrees &= abs(overshoot - time.lane_overshoot) <= _POINT
        return TransientResult(
            stage=self.stage.name,
            settling_s=seconds,
            expected_s=expected,
            overshoot=overshoot,
            expected_overshoot=time.lane_overshoot,
            energy_j=joules,
            expected_energy_j=told,
            ok=bool(agrees and overshoot <= _RINGS),
        )

    def _settled(self, lane: int, plus: bool, expected: float) -> tuple[float, float]:
        """Return the settling time and the overshoot of a lane when one of its currents steps."""
        unit = lane_unit(self.stage, lane)
        # Op-amps are linear, so a small step is as good as a large one, and I-V laws are linear
        # for it.
        linear = self.target.device.iv == "linear"
        volts = step(unit, plus) * self.stage.v_bias * (1.0 if linear else _SMALL)
        deck = transient_deck(unit, volts, self.loads, self.hung, self.cells, self.target)
        times, found = self.engine.transient(deck, ["u0o0"], expected * _STEP, expected * _END)
        moved = found[:, 0] - found[0, 0]
        error = moved / moved[-1] - 1
        outside = np.flatnonzero(np.abs(error) > TOLERANCE)
        return float(times[outside[-1]]), float(max(error.max(), 0.0))

    def _energy(
        self, lane: int, source: Floats, seconds: float
    ) -> tuple[float, float] | tuple[None, None]:
        """Return the joules of an evaluation, as `transient_energy.measure`; None if unknown."""
        if not transient_energy.possible(self.target.amplifier):
            return None, None
        unit = lane_unit(self.stage, lane)
        nets = unit.inputs[int(np.argmax(unit.lanes[:, 0] == lane))]
        drive = np.where(nets < 0, 0.0, source[np.maximum(nets, 0)])
        given = self.loads, self.hung, self.cells, self.target, self.engine
        return transient_energy.measure(unit, drive, *given, seconds)


def step(unit: Unit, plus: bool) -> Floats:
    """Return inputs (inputs,) of 1 at most, at which one current of an amplifier steps alone.

    With one input, or with equal devices on both lines, both currents have to step.
    """
    both = [side[:, 0] for side in weights(unit)]
    own, other = both if plus else both[::-1]
    if not own.any():
        what = "a lane that should step reads no input"
        raise fail("usage", f"--transient: {unit.stage.name}", what)
    alone = own - other * (own @ other / max(float(other @ other), 1e-300))
    if np.abs(alone).max() <= 1e-6 * np.abs(own).max():
        alone = own
    return np.asarray(alone / np.abs(alone).max())


def lane_unit(stage: Array, lane: int) -> Unit:
    """Return the part of a unit that ends at one lane, with one amplifier."""
    for unit in array_units(stage):
        if (unit.lanes == lane).any():
            at = int(np.argwhere(unit.lanes == lane)[0, 1])
            placed = tuple(
                replace(each, bits=np.where(each.bits == at, 0, -1).astype(each.bits.dtype))
                for each in unit.placed
                if (each.bits == at).any()
            )
            one = [at]
            return replace(
                unit,
                placed=placed,
                lanes=unit.lanes[:, one],
                r_f=unit.r_f[one],
                r_join=unit.r_join[one],
                offset=None if unit.offset is None else unit.offset[:, one],
            )
    raise AssertionError(f"{stage.name}: no unit has lane {lane}")


def weights(unit: Unit) -> tuple[Floats, Floats]:
    """Return siemens from each input to the plus and minus node of each amplifier.

    They are (inputs, amplifiers); an inverted word line counts negative.
    """
    found = np.zeros((2, unit.inputs.shape[1], len(unit.r_f)))
    for placed in unit.placed:
        crossbar = unit.crossbar(placed)
        g = crossbar.conductance(slice(placed.group, placed.group + 1))[0] * crossbar.sign[:, None]
        words, bits = np.flatnonzero(placed.words != BIAS), np.flatnonzero(placed.bits >= 0)
        side = (crossbar.polarity[bits] < 0).astype(np.intp)
        at = side, placed.words[words][:, None], placed.bits[bits]
        np.add.at(found, at, g[np.ix_(words, bits)])
    return found[0], found[1]
