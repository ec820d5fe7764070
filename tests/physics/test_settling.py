"""Settling times, against closed forms and against ngspice's transient analysis."""

from __future__ import annotations

import subprocess
from dataclasses import fields

import numpy as np
import pytest
from scipy.stats import gamma

from memxc.physics.network import lane_dynamics as lanes
from memxc.physics.network import settling
from memxc.physics.network.settling import LinearCircuits
from memxc.target import Amplifier

TOLERANCE = 1e-3
#: 30 MHz and about 60 degrees of phase margin without a load.
OPAMP = Amplifier(
    source="test", gain=1e-4 * 1e6 * 2.5e-4 * 2e5, swing_v=0.2, power_w=36e-6, area_m2=0,
    gm1_s=1e-4, r1_ohm=1e6, c1_f=30e-15, c_miller_f=530e-15, gm2_s=2.5e-4, r2_ohm=2e5,
    c2_f=150e-15, c_in_f=50e-15,
)  # fmt: skip


def two_poles(damping):
    """x1' = x2, x2' = 1 - x1 - 2 d x2: the output x1 settles at 1."""
    g = np.array([[[0.0, -1.0], [1.0, 2 * damping]]])
    return LinearCircuits(np.eye(2)[None], g, np.array([0.0, 1.0]), 0)


def drawn(count, seed=3):
    """Lanes with 100 kohm to 10 Mohm on each of up to 64 word lines, of row parts of 128 x 128."""
    rng = np.random.default_rng(seed)
    y_plus, y_minus = 10 ** rng.uniform(-5.5, -4, (2, count))
    c_plus, c_minus = 150e-15 * rng.integers(1, 4, (2, count))
    return lanes.LaneCircuits(
        y_plus, y_minus, c_plus, c_minus, 10 ** rng.uniform(4.3, 5.7, count),
        1 / y_plus, 10 ** rng.uniform(-6, -4.5, count), 10 ** rng.uniform(-13, -12, count),
    )  # fmt: skip


def compensated(some):
    """The feedback capacitances of op-amp 1 and 2."""
    second = some.y_minus + 1 / some.r_join
    return (
        lanes.feedback_f(some.y_plus, some.c_plus, some.r_join, OPAMP),
        lanes.feedback_f(second, some.c_minus, some.r_f, OPAMP),
    )


def test_two_equal_poles_settle_as_a_gamma_distribution():
    found = settling.responses(two_poles(1.0), TOLERANCE)
    assert found.seconds[0] == pytest.approx(gamma.ppf(1 - TOLERANCE, 2), rel=1e-4)
    assert found.overshoot[0] == 0
    assert found.steepest[0] == pytest.approx(np.exp(-1), rel=1e-3)


def test_a_cascade_settles_much_sooner_than_the_sum_of_its_stages():
    stages = [two_poles(1.0)] * 13
    one = gamma.ppf(1 - TOLERANCE, 2)
    found = settling.cascade(stages, TOLERANCE, 13 * one)
    assert found == pytest.approx(gamma.ppf(1 - TOLERANCE, 26), rel=1e-4)
    assert found < 0.4 * 13 * one
    assert settling.cascade(stages, TOLERANCE, found / 2) == np.inf


def test_overshoot_of_two_poles():
    """exp(-pi d / sqrt(1 - d^2)), and the last of three swings that leave 2 %."""
    found = settling.responses(two_poles(0.4), 0.02)
    assert found.overshoot[0] == pytest.approx(np.exp(-np.pi * 0.4 / np.sqrt(0.84)), rel=1e-3)
    times = np.linspace(0, 30, 300001)
    angle = np.arccos(0.4)
    error = np.exp(-0.4 * times) * np.sin(np.sqrt(0.84) * times + angle) / np.sqrt(0.84)
    assert found.seconds[0] == pytest.approx(times[np.abs(error) > 0.02][-1], abs=2e-4)


def test_an_unstable_circuit_never_settles():
    both = [two_poles(damping) for damping in (1.0, -0.1)]
    g = np.concatenate([circuit.conductance for circuit in both])
    found = settling.responses(
        LinearCircuits(np.stack([np.eye(2)] * 2), g, both[0].current, 0), 1e-3
    )
    assert np.isfinite(found.seconds).tolist() == [True, False]
    assert found.overshoot[1] == np.inf


def test_the_feedback_capacitance_damps_the_loop():
    """The roots of s^2 (c + c_in + c_f) + s (y + 1/r + w c_f) + w / r, w = 1e-4 / 530e-15."""
    y, c, r = np.array([1e-6, 3e-5, 2e-3]), np.array([1.5e-13, 4.5e-13, 3e-13]), np.full(3, 5e4)
    found = lanes.feedback_f(y, c, r, OPAMP)
    w = 1e-4 / 530e-15
    for at in range(2):
        total = c[at] + 50e-15 + found[at]
        roots = np.roots([total, y[at] + 1 / r[at] + w * found[at], w / r[at]])
        assert -roots[0].real / abs(roots[0]) == pytest.approx(0.9, rel=1e-9)
    # So many devices on the node damp it more than enough.
    assert found[2] == 0


def test_without_transconductance_only_passive_parts_are_left():
    """They are reciprocal, and what a row adds up to is what the node has to ground."""
    still = OPAMP.model_copy(update={"gm1_s": 0.0, "gm2_s": 0.0})
    some, (c_join, c_f) = drawn(2), compensated(drawn(2))
    made = lanes.pair(some, still, c_join, c_f, True)
    assert made.conductance == pytest.approx(made.conductance.mT)
    assert made.capacitance == pytest.approx(made.capacitance.mT)
    g = [some.y_plus, 1e-6, 5e-6, some.y_minus, 1e-6, 5e-6 + some.g_out]
    c = [some.c_plus + 5e-14, 3e-14, 1.5e-13, some.c_minus + 5e-14, 3e-14, 1.5e-13 + some.c_out]
    for node in range(6):
        assert made.conductance[:, node].sum(axis=1) == pytest.approx(g[node] * np.ones(2))
        assert 1e12 * made.capacitance[:, node].sum(axis=1) == pytest.approx(
            1e12 * c[node] * np.ones(2)
        )


def test_a_lane_without_feedback_capacitance_rings():
    """100 kohm of devices on four lines of 150 fF."""
    one = np.ones(1)
    some = lanes.LaneCircuits(
        1e-5 * one, 1e-5 * one, 6e-13 * one, 6e-13 * one, 1e5 * one, 1e5 * one, 0 * one, 0 * one
    )
    without = settling.responses(lanes.pair(some, OPAMP, 0 * one, 0 * one, False), TOLERANCE)
    with_ = settling.responses(lanes.pair(some, OPAMP, *compensated(some), False), TOLERANCE)
    assert without.overshoot[0] > 0.2
    assert with_.overshoot[0] < 0.03
    assert with_.seconds[0] < 0.7 * without.seconds[0]


OPAMP_CARDS = """* an op-amp as SPICE sees it
.subckt opamp n w
g1 0 a n 0 {gm1_s}
r1 a 0 {r1_ohm}
c1 a 0 {c1_f}
cm a w {c_miller_f}
g2 w 0 a 0 {gm2_s}
r2 w 0 {r2_ohm}
c2 w 0 {c2_f}
ci n 0 {c_in_f}
.ends
"""
LANE_CARDS = """.subckt lane{at} p m out
x1 p q opamp
rp p 0 {r_plus}
cp p 0 {c_plus}
rj p q {r_join}
cj p q {c_join}
rk q m {r_join}
x2 m out opamp
rm m 0 {r_minus}
cl m 0 {c_minus}
rf m out {r_f}
cf m out {c_f}
ro out 0 {r_out}
co out 0 {c_out}
.ends
"""
RUN_CARDS = """i1 0 {first} pulse(0 1u 0 1p 1p 1 2)
.options reltol=1e-6 abstol=1e-18 vntol=1e-12
.control
tran {step} {end} 0 {step}
wrdata {path} v({last})
quit 0
.endc
.end
"""


def cards(some, at, caps):
    """The cards of lane `at`, as a subcircuit."""
    return LANE_CARDS.format(
        **{f.name: getattr(some, f.name)[at] for f in fields(some)},
        r_plus=1 / some.y_plus[at], r_minus=1 / some.y_minus[at], r_out=1 / some.g_out[at],
        c_join=caps[0][at] + 1e-21, c_f=caps[1][at] + 1e-21, at=at,
    )  # fmt: skip


def in_spice(circuit, first, last, end, folder):
    """The settling time and the overshoot of net `last` in ngspice, for a current into `first`."""
    ends = {"first": first, "last": last, "end": end, "step": end / 4000}
    text = OPAMP_CARDS.format(**{key: getattr(OPAMP, key) for key in lanes.SKELETON})
    text += circuit + RUN_CARDS.format(path=folder / "out.txt", **ends)
    (folder / "deck.cir").write_text(text)
    command = ["ngspice", "-b", folder / "deck.cir"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    times, volts = np.loadtxt(folder / "out.txt").T
    error = volts / volts[-1] - 1
    return times[np.abs(error) > TOLERANCE][-1], error.max()


def compare(count, folder):
    some = drawn(count)
    # Every third lane has no capacitance over its resistors, and rings.
    caps = [farads * (np.arange(count) % 3 > 0) for farads in compensated(some)]
    for first in ("p", "m"):
        found = settling.responses(lanes.pair(some, OPAMP, *caps, first == "p"), TOLERANCE)
        for at in range(count):
            circuit = cards(some, at, caps) + f"x1 p m out lane{at}\n"
            seconds, overshoot = in_spice(circuit, first, "out", 3 * found.seconds[at], folder)
            assert found.seconds[at] == pytest.approx(seconds, rel=0.02), at
            assert found.overshoot[at] == pytest.approx(overshoot, abs=0.005), at


@pytest.mark.spice
def test_lanes_settle_as_in_spice(ngspice, tmp_path):
    compare(2, tmp_path)


@pytest.mark.spice
@pytest.mark.slow
def test_twenty_lanes_settle_as_in_spice(ngspice, tmp_path):
    compare(20, tmp_path)


@pytest.mark.spice
def test_a_chain_without_a_clock_settles_as_in_spice(ngspice, tmp_path):
    """Four lanes; the output of each sets the plus current of the next."""
    some = drawn(4, seed=5)
    caps = compensated(some)
    circuits = lanes.pair(some, OPAMP, *caps, True)
    each = settling.responses(circuits, TOLERANCE).seconds
    stages = [circuits.some(np.array([at])) for at in range(4)]
    found = settling.cascade(stages, TOLERANCE, 1.5 * each.sum())
    chain = "".join(
        cards(some, at, caps) + f"x{at} p{at} m{at} p{at}o lane{at}\n" for at in range(4)
    )
    chain += "".join(f"g{at} 0 p{at + 1} p{at}o 0 1u\n" for at in range(3))
    seconds, _ = in_spice(chain, "p0", "p3o", 1.5 * each.sum(), tmp_path)
    assert found == pytest.approx(seconds, rel=0.02)
    assert found < 0.8 * each.sum()


def test_a_pair_with_a_step_of_its_minus_current_is_a_lane_with_one_opamp():
    """At DC: op-amp 1 of a lane whose plus current is 0 only adds its joining resistor."""
    some = drawn(3)
    caps = compensated(some)
    final = lanes.pair(some, OPAMP, *caps, False).final()[:, 5]
    alone = lanes.single(some, OPAMP, caps[1]).final()[:, 2]
    assert final == pytest.approx(-some.r_f, rel=1e-2)
    assert alone == pytest.approx(-some.r_f, rel=1e-2)
    assert (np.abs(alone) > np.abs(final)).all()
