"""The figures of an op-amp: four decks for each condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memxc.cells.bench import Bench, Step, places
from memxc.engines import Complex, Floats
from memxc.target.characterisation import CurvePoint, OpAmpPoint

#: Volts of input that drive the output to its limits, and the steps of the transfer curve to them.
_DRIVE_V = 5e-3
_CURVE = np.array([0.0, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, _DRIVE_V])
#: The current at which the supply's power is compared with that without a current.
_TEST_A = 1e-5
#: The step of the output after which it settles; a large step goes from minus to plus a third of
#: the supply.
_SMALL_V = 0.05


@dataclass(frozen=True)
class Condition:
    """What is at the output of an op-amp, and the noise gain of its feedback (above 1)."""

    r_load_ohm: float
    c_load_f: float
    noise_gain: float


@dataclass(frozen=True, eq=False)
class Response:
    """The gain without feedback (n,) over the frequencies (n,) in Hz, with its load."""

    condition: Condition
    hz: Floats
    gain: Complex


def measure(bench: Bench, condition: Condition) -> tuple[OpAmpPoint, Response]:
    """Return what an op-amp does under a condition. Raises MemxcError as engines do, and
    ValueError for a figure that a point cannot hold.
    """
    supply = bench.circuits.supply_v
    load = f"rl{{0}} {{0}} 0 {condition.r_load_ohm:.9e}\ncl{{0}} {{0}} 0 {condition.c_load_f:.9e}\n"
    offset, watts = _closed(bench, load, supply)
    curve, low_a, high_a = _open(bench, load, offset, supply)
    response, c_in = _response(bench, load, condition, offset)
    crossing = _crossing(response, 1.0)
    meeting = _crossing(response, condition.noise_gain)
    slopes, settled = _steps(bench, load, condition, supply, crossing)
    return OpAmpPoint(
        corner=bench.corner,
        temperature_k=rounded(bench.celsius + 273.15, 5),
        r_load_ohm=condition.r_load_ohm,
        c_load_f=condition.c_load_f,
        noise_gain=condition.noise_gain,
        offset_v=rounded_volts(offset),
        power_w=rounded(watts[0]),
        source_w_per_a=rounded((watts[1] - watts[0]) / _TEST_A),
        sink_w_per_a=rounded((watts[2] - watts[0]) / _TEST_A),
        transfer=tuple(
            CurvePoint(input_v=rounded_volts(v), output_v=rounded_volts(o)) for v, o in curve
        ),
        output_low_v=rounded(curve[0][1]),
        output_high_v=rounded(curve[-1][1]),
        source_a=rounded(high_a),
        sink_a=rounded(low_a),
        gain=rounded(abs(response.gain[0])),
        gain_bandwidth_hz=None if crossing is None else rounded(crossing[0]),
        phase_margin_deg=None if meeting is None else rounded(180 + meeting[1]),
        c_in_f=rounded(c_in),
        slew_v_per_s=None if None in slopes else rounded(min(s.slope for s in slopes if s)),
        settling_s=None if settled is None else rounded(settled.seconds),
        overshoot=None if settled is None else rounded_volts(settled.overshoot),
    ), response


def rounded(value: float, digits: int = 4) -> float:
    """Return a figure without the digits in which processors differ."""
    return float(f"{value:.{digits}g}")


def rounded_volts(value: float) -> float:
    """Return volts, or a share of volts, as `rounded` does; what only rounding makes becomes 0."""
    return rounded(value) if abs(value) > 1e-8 else 0.0


def _closed(bench: Bench, load: str, supply: float) -> tuple[float, Floats]:
    """Return the offset at an output of 0 V, and the watts without, with sourced, sunk current."""
    cards = (
        f"xo 0 inn out vdd vss op_amp\nef inn 0 out 0 1\n{load.format('out')}"
        f"bi out 0 i={places([0.0, _TEST_A, -_TEST_A])}\n"
    )
    found = bench.sweep(cards, ["out", "i(vdd)", "i(vss)"], 3)
    return float(found[0, 0]), supply * (found[:, 2] - found[:, 1])


def _open(
    bench: Bench, load: str, offset: float, supply: float
) -> tuple[list[tuple[float, float]], float, float]:
    """Return the transfer curve, and the currents that the output can sink and source.

    The curve has (volts from inn to inp, volts at the output). One op-amp drives the load, and
    another one a voltage source.
    """
    inputs = np.concatenate([-_CURVE[:0:-1], _CURVE])
    held = np.repeat([-supply / 3, 0.0, supply / 3], 2)
    drive = np.tile([-_DRIVE_V, _DRIVE_V], 3)
    cards = (
        f"bt ti 0 v={places(offset - inputs)}\nxt 0 ti to vdd vss op_amp\n{load.format('to')}"
        f"bh hi 0 v={places(offset - drive)}\nxh 0 hi ho vdd vss op_amp\n"
        f"bo hx 0 v={places(held)}\nvh ho hx 0\n"
    )
    found = bench.sweep(cards, ["to", "i(vh)"], len(inputs))
    curve = list(zip(inputs.tolist(), found[:, 0].tolist(), strict=True))
    return curve, -float(found[0:6:2, 1].max()), float(found[1:6:2, 1].min())


def _response(
    bench: Bench, load: str, condition: Condition, offset: float
) -> tuple[Response, float]:
    """Return the gain from inn to the output over frequency, and the capacitance of inn.

    A source holds inn at the offset, so the output is near 0 V without any feedback.
    """
    cards = f"vi inn 0 dc {offset:.12e} ac 1\nxo 0 inn out vdd vss op_amp\n{load.format('out')}"
    hz, found = bench.small_signal(cards, ["out", "i(vi)"])
    at = int(np.argmin(np.abs(hz - 1e6)))
    c_in = -float(found[at, 1].imag / (2 * np.pi * hz[at]))
    if not np.abs(found[:, 0]).min() > 0:
        raise ValueError("the output does not depend on the input")
    return Response(condition, hz, -found[:, 0]), c_in


def _crossing(response: Response, gain: float) -> tuple[float, float] | None:
    """Return the frequency at which the gain falls to a value, and its phase there in degrees."""
    size = np.log(np.abs(response.gain) / gain)
    below = np.flatnonzero(size <= 0)
    if not len(below) or not below[0]:
        return None
    at = int(below[0])
    share = size[at - 1] / (size[at - 1] - size[at])
    hz = np.exp(np.interp(share, [0, 1], np.log(response.hz[at - 1 : at + 1])))
    phase = np.degrees(np.unwrap(np.angle(response.gain)))
    return float(hz), float(np.interp(share, [0, 1], phase[at - 1 : at + 1]))


def _steps(
    bench: Bench,
    load: str,
    condition: Condition,
    supply: float,
    crossing: tuple[float, float] | None,
) -> tuple[tuple[Step | None, ...], Step | None]:
    """Return the large steps up and down of a follower, and the small step at the noise gain.

    The input of the follower stays at 0 V, and its feedback has the step in it.
    """
    if crossing is None:
        return (None, None), None
    large = supply / 3
    r_in = condition.r_load_ohm / (condition.noise_gain - 1)
    small = -_SMALL_V / (condition.noise_gain - 1)
    cards = "".join(
        f"v{name} s{name} 0 pulse({-size:.9e} {size:.9e} {{step}} 1e-12 1e-12 1 2)\n"
        f"e{name} n{name} 0 {name} s{name} 1\nx{name} 0 n{name} {name} vdd vss op_amp\n"
        f"{load.format(name)}"
        for name, size in (("up", large), ("down", -large))
    )
    cards += (
        f"vs s 0 pulse(0 {small:.9e} {{step}} 1e-12 1e-12 1 2)\nrs s n {r_in:.9e}\n"
        f"rf n o {condition.r_load_ohm:.9e}\ncl o 0 {condition.c_load_f:.9e}\n"
        "xs 0 n o vdd vss op_amp\n"
    )
    end = 20 * max(5.0, condition.noise_gain) / (2 * np.pi * crossing[0])
    up, down, settled = bench.steps(cards, ["up", "down", "o"], end)
    return (up, down), settled
