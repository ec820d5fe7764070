"""Closed loops of amplifiers over crossbars that share summing nodes, against a sparse solve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.physics.network import admittance, amplifier, closed_loop, nodal
from memxc.physics.network.nodal import WireResistance

LANES = 3
PAIRS = nodal.Amplifiers(
    plus=np.array([3, 0, 5]),
    minus=np.array([1, 4, 2]),
    r_f=np.array([2e4, 5e4, 1e4]),
    r_join=np.array([7e3, 2e4, 9e3]),
    gain=1e4,
)
GAINS = [1e2, 1e4, 1e6, np.inf]
WIRES = [
    WireResistance(3.0, 1.0, 2.0, 5.0),
    WireResistance(0, 0, 0, 0),
    WireResistance(0, 4.0, 1.0, 0),
    WireResistance(9.0, 0, 0, 7.0),
]


def conductances(rng, shape):
    return 10 ** rng.uniform(-6, -3.5, shape) * (rng.random(shape) < 0.9)


def solved(tiles, amplifiers, nodes, wires, drive="left"):
    """Return the effective matrix from a direct solve, with one word line at 1 V at a time."""
    words, first, grids = sum(len(g) for g, _ in tiles), 0, []
    for g, node in tiles:
        grids.append(nodal.Grid(g, node, np.eye(words)[:, first : first + len(g)], drive))
        first += len(g)
    return nodal.solve(grids, amplifiers, nodes, wires)


def closed_over(tiles, amplifiers, nodes, wires, drive="left"):
    parts = [(admittance.port_admittance(g[None], wires, drive), node) for g, node in tiles]
    return closed_loop.matrix(parts, amplifiers, nodes)[0]


def assert_equal(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("drive", ["left", "both"])
def test_tiles_on_shared_nodes_against_a_direct_solve(gain, wires, drive):
    rng = np.random.default_rng(1)
    # Row parts of different height and order; the last one has two bit lines for one node.
    tiles = [
        (conductances(rng, (rows, len(node))), np.array(node))
        for rows, node in ((7, [0, 1, 2, 3, 4, 5]), (4, [5, 3, 1, 0, 2, 4]), (9, [2, 2, 0, 5]))
    ]
    amplifiers = replace(PAIRS, gain=gain)
    expected = solved(tiles, amplifiers, 6, wires, drive)
    assert_equal(closed_over(tiles, amplifiers, 6, wires, drive), expected)


@pytest.mark.parametrize("gain", GAINS)
def test_lanes_with_one_op_amp(gain):
    rng = np.random.default_rng(2)
    tiles = [(conductances(rng, (rows, LANES)), np.array([2, 0, 1])) for rows in (5, 11)]
    none = np.full(LANES, -1)
    singles = replace(PAIRS, plus=none, minus=np.arange(LANES), r_join=np.ones(LANES), gain=gain)
    assert_equal(closed_over(tiles, singles, 3, WIRES[0]), solved(tiles, singles, 3, WIRES[0]))


@pytest.mark.parametrize("gain", GAINS)
def test_sixteen_tiles_of_a_large_stage(gain):
    rng = np.random.default_rng(3)
    lanes = np.arange(10)
    amplifiers = nodal.Amplifiers(lanes, lanes + 10, np.full(10, 3e3), np.full(10, 4e3), gain)
    tiles = [(conductances(rng, (24, 20)), np.arange(20)) for _ in range(16)]
    expected = solved(tiles, amplifiers, 20, WIRES[0])
    assert_equal(closed_over(tiles, amplifiers, 20, WIRES[0]), expected)


@pytest.mark.parametrize("gain", [30.0, np.inf])
def test_a_terminated_bit_line_is_at_ground(gain):
    rng = np.random.default_rng(4)
    g, wires = conductances(rng, (8, 4)), WIRES[0]
    amplifiers = nodal.Amplifiers(
        np.array([0]), np.array([1]), np.array([2e4]), np.array([7e3]), gain
    )
    found = closed_over([(g, np.array([-1, 1, 0, -1]))], amplifiers, 2, wires)
    # Kirchhoff's law by hand for the two nodes that no ideal op-amp holds.
    y = nodal.admittance(nodal.Grid(g, np.zeros(0, int), np.zeros((1, 8))), wires)
    at = [8 + 2, 8 + 1]
    t, inner = -y[at, :8], y[np.ix_(at, at)] / gain
    inner += [[(1 + 1 / gain) / 7e3, 0], [1 / 7e3, 1 / 7e3 / gain + (1 + 1 / gain) / 2e4]]
    assert_equal(found, -np.linalg.solve(inner, t)[1:].T)


def test_a_stack_has_its_own_resistors():
    rng = np.random.default_rng(5)
    stacks = [np.stack([conductances(rng, (rows, 6)) for _ in range(4)]) for rows in (5, 8)]
    r_f, r_join = rng.uniform(1e3, 1e5, (2, 4, LANES))
    node, wires = np.array([4, 1, 0, 2, 5, 3]), WIRES[0]
    parts = [(admittance.port_admittance(g, wires), node) for g in stacks]
    found = closed_loop.matrix(parts, replace(PAIRS, r_f=r_f, r_join=r_join), 6, threads=2)
    for number in range(4):
        own = replace(PAIRS, r_f=r_f[number], r_join=r_join[number])
        assert_equal(found[number], solved([(g[number], node) for g in stacks], own, 6, wires))


def test_without_wires_it_is_the_closed_form():
    rng = np.random.default_rng(6)
    g, volts, gain = conductances(rng, (9, 2)), rng.normal(size=(5, 9)), 200.0
    amplifiers = nodal.Amplifiers(
        np.array([1]), np.array([0]), np.array([2e4]), np.array([7e3]), gain
    )
    i, y = volts @ g, g.sum(axis=0)
    expected = amplifier.pair(
        i[:, 1:], i[:, :1], y[1:], y[:1], amplifiers.r_f, amplifiers.r_join, gain
    )
    found = closed_over([(g, np.array([0, 1]))], amplifiers, 2, WIRES[1])
    assert volts @ found == pytest.approx(expected, rel=1e-12)


def test_summing_finished_tiles_would_be_wrong():
    """The loss of gain is not a sum, so tiles are joined before the amplifiers are closed."""
    rng = np.random.default_rng(7)
    tiles = [(conductances(rng, (24, 6)), np.arange(6)) for _ in range(8)]
    amplifiers = replace(PAIRS, gain=1e2)
    whole = closed_over(tiles, amplifiers, 6, WIRES[0])
    apart = np.concatenate([closed_over([tile], amplifiers, 6, WIRES[0]) for tile in tiles])
    assert np.abs(apart - whole).max() > 0.01 * np.abs(whole).max()


def test_a_node_without_an_amplifier_is_refused():
    ports = admittance.port_admittance(np.full((1, 2, 7), 1e-5), WIRES[0])
    with pytest.raises(AssertionError, match="no amplifier"):
        closed_loop.matrix([(ports, np.arange(7))], PAIRS, 7)
