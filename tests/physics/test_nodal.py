"""Wires and amplifiers, against circuits worked out by hand and a SPICE engine."""

from __future__ import annotations

import neospice
import numpy as np
import pytest

from memxc.physics.network import amplifier, nodal
from memxc.verify.library import wired

NO_WIRES = nodal.WireResistance(0, 0, 0, 0)


def _amps(nodes, gain=np.inf, r_f=2e4, r_join=7e3):
    lanes = nodes // 2
    return nodal.Amplifiers(
        np.arange(lanes),
        np.arange(lanes) + lanes,
        np.full(lanes, r_f),
        np.full(lanes, r_join),
        gain,
    )


def test_one_cell_is_a_series_resistance():
    wires = nodal.WireResistance(3.0, 5.0, 7.0, 11.0)
    grid = nodal.Grid(np.array([[1e-3]]), np.array([0]), np.array([[0.5]]))
    # plus lane: out = +r_f * i, i = V / (source + segment + 1/g + segment + neuron)
    out = nodal.solve([grid], _amps(2), 2, wires)
    assert out[0, 0] == pytest.approx(2e4 * 0.5 / (3 + 5 + 1000 + 7 + 11), rel=1e-12)


def test_without_wires_it_is_the_matrix_product():
    rng = np.random.default_rng(0)
    g = rng.uniform(1e-6, 1e-4, (5, 4)) * (rng.random((5, 4)) < 0.7)
    volts = rng.normal(size=(3, 5))
    out = nodal.solve([nodal.Grid(g, np.array([0, 2, 1, 3]), volts)], _amps(4), 4, NO_WIRES)
    i = volts @ g
    assert out == pytest.approx(2e4 * (i[:, [0, 2]] - i[:, [1, 3]]), rel=1e-9)


@pytest.mark.parametrize("gain", [50.0, 1e4])
def test_the_closed_form_of_the_amplifiers(gain):
    rng = np.random.default_rng(1)
    g, volts = rng.uniform(1e-6, 1e-4, (6, 2)), rng.normal(size=(3, 6))
    solved = nodal.solve([nodal.Grid(g, np.array([0, 1]), volts)], _amps(2, gain), 2, NO_WIRES)
    i, y = volts @ g, g.sum(axis=0)
    closed = amplifier.pair(
        i[:, :1], i[:, 1:], y[:1], y[1:], np.array([2e4]), np.array([7e3]), gain
    )
    assert closed == pytest.approx(solved, rel=1e-9)


@pytest.mark.parametrize(
    "wires",
    [(1.5, 1.0, 2.0, 3.0), (0.0, 1.0, 2.0, 0.0), (0.0, 0.0, 2.0, 1.0), (2.0, 1.0, 0.0, 0.0)],
)
@pytest.mark.parametrize("gain", [1e3, np.inf])
def test_the_wired_netlist_in_spice(wires, gain):
    rng = np.random.default_rng(2)
    g = rng.uniform(1e-6, 1e-3, (7, 4)) * (rng.random((7, 4)) < 0.8)
    volts, wires = rng.uniform(-0.2, 0.2, 7), nodal.WireResistance(*wires)
    node = np.array([0, 2, 1, 3])
    expected = nodal.solve([nodal.Grid(g, node, volts[None])], _amps(4, gain), 4, wires)[0]
    cards = ["* t", wired("xb0", g, wires)]
    cards += [f"v{i} i{i} 0 {v:.12e}" for i, v in enumerate(volts)]
    words = [f"i{i}" for i in range(7)] + ["p0", "m0", "p1", "m1"]
    cards.append("x0 " + " ".join(words) + " xb0")
    for k in range(2):
        if np.isinf(gain):
            cards += [
                f"vp{k} p{k} 0 0",
                f"vm{k} m{k} 0 0",
                f"hp{k} q{k} 0 vp{k} 2e4",
                f"hm{k} o{k} q{k} vm{k} -2e4",
            ]
        else:
            cards += [
                f"e{k} q{k} 0 0 p{k} {gain}",
                f"ra{k} q{k} p{k} 7e3",
                f"rb{k} q{k} m{k} 7e3",
                f"f{k} o{k} 0 0 m{k} {gain}".replace("f", "eo", 1),
                f"rf{k} o{k} m{k} 2e4",
            ]
    simulator = neospice.Simulator()
    found = simulator.run_dc(simulator.parse("\n".join([*cards, ".op", ".end"])))
    assert [found.voltage("o0"), found.voltage("o1")] == pytest.approx(expected, rel=1e-8)


def test_the_inverter():
    # Unity resistors R around an op-amp: (V - v)/R + (o - v)/R = 0, o = -A v.
    gain, volts = 40.0, np.array([0.3, -0.2])
    v = volts / (2 + gain)
    assert amplifier.inverter(volts, gain) == pytest.approx(-gain * v, rel=1e-12)


def test_the_volts_across_the_cells_are_those_of_a_ladder():
    """One word line of two cells: 10 ohm, then 1,000 ohm to ground beside 10 ohm and 500 ohm."""
    wires = nodal.WireResistance(source=4.0, word_line=6.0, bit_line=0.0, neuron=0.0)
    g = np.array([[1e-3, 2e-3]])
    found = nodal.across(nodal.Grid(g, np.array([0, 1]), np.array([[2.0]])), wires)
    beyond = 1 / (1 / 1000 + 1 / 506)
    first = 2.0 * beyond / (10 + beyond)
    assert found[0] == pytest.approx(np.array([[first, first * 500 / 506]]))
