"""The settling time of each stage: that of its slowest lane, at its own loads.

A stage that takes turns has a row driver before it and a sample-and-hold behind it in each turn.
A lane of crossbars is its op-amps with their feedback, the devices and bit lines at their summing
nodes, and the word lines of the next stages at its output. A lane function is an op-amp of noise
gain 2 for each of its op-amps in series. `physics.network.lane_dynamics` has the circuits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost import lane_loads, turns
from memxc.backends.cost.different import NONE, different
from memxc.backends.cost.lane_loads import ArrayLoads, Kept, NetLoads
from memxc.backends.cost.resources import periods
from memxc.cells.library.multiplier import CELL as MULTIPLIER
from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.stages import Array, Lanes
from memxc.physics.network import lane_dynamics, settling
from memxc.physics.network.lane_dynamics import LaneCircuits
from memxc.physics.network.settling import LinearCircuits, Responses
from memxc.target import Target

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: A stage has settled when its output stays this close to its final value, relative to it.
TOLERANCE = 1e-3
#: Responses of larger stacks of circuits are not kept for another stage.
_KEPT = 1024


@dataclass(frozen=True, eq=False)
class StageTime:
    """How a stage settles; seconds are without the guard factor.

    seconds: of its slowest lane; infinite if a lane is unstable. slew_s: the part of it that its
    op-amps take because of their limited slope.
    overshoot: the largest of all lanes and inverters, relative to the final value.
    lane_overshoot: the largest without the inverters.
    noise_gain: the largest of all op-amps.
    unstable: the number of different lanes that never settle.
    path: the circuits of the slowest lane, in series.
    slowest, ringing: the number of the slowest lane on the stage's bus, and of the one with the
    largest overshoot; and whether its plus current steps (True) or its minus current.
    """

    name: str
    periods: int
    seconds: float
    slew_s: float
    overshoot: float
    lane_overshoot: float
    noise_gain: float
    unstable: int
    path: tuple[LinearCircuits, ...]
    slowest: tuple[int, bool]
    ringing: tuple[int, bool]


@dataclass(frozen=True, eq=False)
class _Step:
    """Lanes one of whose currents steps: the plus or the minus one.

    siemens: of the devices that it comes from, (n,); 0 where there are none.
    """

    circuits: LinearCircuits
    plus: bool
    siemens: Floats


def lacking(target: Target) -> tuple[str, ...]:
    """Return the keys that a target would need for settling times, and does not give."""
    wanted = {
        "amplifier": (target.amplifier, (*lane_dynamics.SKELETON, "r_f_min_ohm")),
        "wire": (target.wire, ("c_word_line_f", "c_bit_line_f")),
        "crossbar": (target.crossbar, ("guard",)),
    }
    return tuple(
        f"{table}.{key}"
        for table, (values, keys) in wanted.items()
        for key in keys
        if getattr(values, key) is None
    )


def measure(
    design: Design, loads: Mapping[str, ArrayLoads], target: Target
) -> dict[str, StageTime]:
    """Return how every stage with op-amps settles, by its name; a stage without devices does not.

    loads: those of every programmed stage. The target lacks no key (`lacking`). Raises MemxcError
    (bad-target) if the values of the op-amps and lines lie too far apart for this computation.
    """
    hung, timer = lane_loads.outputs(design, loads), _Timer(target)
    found = {}
    try:
        # Values that overflow are found, for the modes of such a circuit do not add up.
        with np.errstate(all="ignore"):
            for stage in design.stages:
                if isinstance(stage, Array) and loads[stage.name].any:
                    limit = design.buses[stage.dst].limit
                    found[stage.name] = timer.array(
                        stage, loads[stage.name], hung[stage.dst], limit
                    )
                elif (
                    isinstance(stage, Lanes) and in_series(stage) and design.buses[stage.dst].width
                ):
                    found[stage.name] = timer.function(stage, hung[stage.dst])
    except np.linalg.LinAlgError as error:
        what = "their values lie too far apart to compute how lanes settle"
        hint = "look for a wrong power of ten in gm1_s ... c_in_f, c_word_line_f, c_bit_line_f"
        raise fail("bad-target", f"{target.name}: amplifier, wire", what, hint) from error
    return found


def in_series(stage: Lanes) -> int:
    """Return how many op-amps a signal passes in a lane function.

    A selector (max, min) has an op-amp and a diode for each of its signals, side by side. In any
    other circuit, all op-amps count, and those of its multipliers.
    """
    circuit, signals = stage.circuit, sum(taps.lines for taps in stage.taps)
    if circuit.opamps == circuit.diodes == signals:
        return 1
    return circuit.opamps + circuit.inverters + MULTIPLIER.opamps * circuit.multipliers


class _Timer:
    """Computes how stages settle with the op-amps and lines of a target."""

    def __init__(self, target: Target) -> None:
        self._amplifier, self._device = target.amplifier, target.device
        self._known: dict[bytes, Responses] = {}
        self._hold_s = 0.0 if target.hold is None else target.hold.settling_s
        assert target.wire.c_word_line_f is not None
        assert target.wire.c_bit_line_f is not None
        assert target.amplifier.r_f_min_ohm is not None
        assert target.amplifier.c_in_f is not None
        self._word_f, self._bit_f = target.wire.c_word_line_f, target.wire.c_bit_line_f
        self._ohms, self._c_in = target.amplifier.r_f_min_ohm, target.amplifier.c_in_f

    def array(
        self, stage: Array, loads: ArrayLoads, hung: NetLoads, limit: float | None
    ) -> StageTime:
        """Return how the lanes of a crossbar stage settle.

        limit: volts of its limiters, or None.
        """
        lanes, numbers = self._lanes(stage, loads, hung)
        second = lanes.y_minus if stage.single_ended else lanes.y_minus + 1 / lanes.r_join
        c_f = lane_dynamics.feedback_f(second, lanes.c_minus, lanes.r_f, self._amplifier)
        gains = 1 + lanes.r_f * second
        if stage.single_ended:
            steps = [_Step(lane_dynamics.single(lanes, self._amplifier, c_f), False, lanes.y_minus)]
        else:
            c_join = lane_dynamics.feedback_f(
                lanes.y_plus, lanes.c_plus, lanes.r_join, self._amplifier
            )
            steps = [
                _Step(lane_dynamics.pair(lanes, self._amplifier, c_join, c_f, plus), plus, siemens)
                for plus, siemens in ((True, lanes.y_plus), (False, lanes.y_minus))
            ]
            gains = np.maximum(gains, 1 + lanes.r_join * lanes.y_plus)
        volts = stage.v_bias if limit is None else limit
        swings = [(steps[-1].circuits, volts)]
        if not stage.single_ended:
            # Op-amp 1, whose output is node 2.
            swings.append((replace(steps[0].circuits, output=2), self._amplifier.swing_v))
        before: tuple[LinearCircuits, ...] = ()
        if loads.inverted:
            farads = loads.driven_segments * self._word_f
            inverters, _ = self._functions((loads.driven, farads))
            before = (self._last(inverters),)
            swings.append((before[0], volts))
        if turns.takes(stage):  # the row drivers behind the multiplexers
            drivers, _ = self._functions((loads.driven, loads.driven_segments * self._word_f))
            before = (*before, self._last(drivers))
            swings.append((before[-1], volts))
        return self._slowest(stage, steps, before, swings, float(gains.max()), numbers)

    def _lanes(
        self, stage: Array, loads: ArrayLoads, hung: NetLoads
    ) -> tuple[LaneCircuits, Indices]:
        """Return the different lanes of a stage that have devices, and the number of each."""
        rows, numbers = different([*loads.nodes(), stage.r_f, stage.r_join, *self._load(hung)])
        used = (rows[:, :2] > NONE).any(axis=1)
        rows, numbers = rows[used], numbers[used]
        y_plus, y_minus, plus, minus, r_f, r_join, g_out, c_out = rows.T
        c_plus, c_minus = plus * self._bit_f, minus * self._bit_f
        lanes = LaneCircuits(y_plus, y_minus, c_plus, c_minus, r_f, r_join, g_out, c_out)
        return lanes, numbers

    def _load(self, hung: NetLoads) -> tuple[Kept, Kept]:
        """Return siemens and farads on every net of a bus, each (width,)."""
        siemens = hung.siemens + hung.functions / self._ohms
        farads = hung.segments * self._word_f + hung.functions * self._c_in
        return siemens, farads

    def function(self, stage: Lanes, hung: NetLoads) -> StageTime:
        """Return how the op-amps of a lane function settle, each with the load of its lane."""
        ends, numbers = self._functions(self._load(hung))
        volts = self._device.read_voltage_v
        count = in_series(stage) + turns.takes(stage)  # with the row driver
        before = (self._last(ends),) * (count - 1)
        swings = [(ends, volts)] * count
        step = _Step(ends, False, np.ones(len(numbers)))
        return self._slowest(stage, [step], before, swings, 2.0, numbers)

    def _functions(self, load: tuple[Kept, Kept]) -> tuple[LinearCircuits, Indices]:
        """Return op-amps of noise gain 2 at every frequency, one for each different load.

        Their two resistors are the smallest that they can drive. Equal capacitances are parallel to
        them, one of which is the op-amp's input. load: siemens and farads, each (n,).
        """
        rows, first = different(load)
        siemens, farads = rows.T
        none, g = np.zeros(len(siemens)), np.full(len(siemens), 1 / self._ohms)
        lanes = LaneCircuits(none, g, none, none, 1 / g, 1 / g, siemens, farads)
        c_f = np.full(len(siemens), self._c_in)
        return lane_dynamics.single(lanes, self._amplifier, c_f), first

    def _slowest(
        self,
        stage: Array | Lanes,
        steps: list[_Step],
        before: tuple[LinearCircuits, ...],
        swings: list[tuple[LinearCircuits, float]],
        noise_gain: float,
        numbers: Indices,
    ) -> StageTime:
        """Return the time of the slowest of some lanes.

        steps: the lanes for each current that may step.
        before: op-amps that the signal passes before them. swings: each op-amp in series, for all
        lanes, and the volts that it moves by. numbers: of the lanes on the stage's bus.
        """
        found = [self._responses(step.circuits) for step in steps]
        possible = np.array([step.siemens > NONE for step in steps])
        seconds = np.where(possible, [one.seconds for one in found], 0.0)
        peaks = np.where(possible, [one.overshoot for one in found], 0.0)
        side, worst = np.unravel_index(np.argmax(seconds), seconds.shape)
        peak_side, peak = np.unravel_index(np.argmax(peaks), peaks.shape)
        ahead = [self._responses(one) for one in before]
        slew_s = self._slew_s(swings)
        hold_s = self._hold_s if turns.takes(stage) else 0.0
        total = seconds[side, worst] + sum(one.seconds[0] for one in ahead) + slew_s + hold_s
        return StageTime(
            name=stage.name,
            periods=periods(stage),
            seconds=float(total),
            slew_s=slew_s,
            overshoot=float(max(peaks.max(), *(one.overshoot.max() for one in ahead), 0.0)),
            lane_overshoot=float(peaks.max()),
            noise_gain=noise_gain,
            unstable=int(np.isinf(seconds).any(axis=0).sum()),
            path=(*before, steps[side].circuits.some(np.array([worst]))),
            slowest=(int(numbers[worst]), steps[side].plus),
            ringing=(int(numbers[peak]), steps[peak_side].plus),
        )

    def _last(self, circuits: LinearCircuits) -> LinearCircuits:
        """Return the circuit that settles last."""
        return circuits.some(np.array([np.argmax(self._responses(circuits).seconds)]))

    def _responses(self, circuits: LinearCircuits) -> Responses:
        """Return the step responses of circuits; equal stages, as of a recurrent node, have one."""
        key = hashlib.sha256(bytes(circuits.output))
        for part in (circuits.capacitance, circuits.conductance, circuits.current):
            key.update(repr(part.shape).encode() + part.tobytes())
        found = self._known.get(key.digest())
        if found is None:
            found = settling.responses(circuits, TOLERANCE)
            if len(found.seconds) <= _KEPT:
                self._known[key.digest()] = found
        return found

    def _slew_s(self, swings: list[tuple[LinearCircuits, float]]) -> float:
        """Return the time that op-amps take for swings steeper than their slope allows."""
        slew = self._amplifier.slew_v_per_s
        if slew is None:
            return 0.0
        steep = [
            volts
            for circuits, volts in swings
            if self._responses(circuits).steepest.max() * volts > slew
        ]
        return sum(steep) / slew
