"""Port admittance of crossbars, against a sparse solve, SPICE and circuits worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import neospice
import numpy as np
import pytest
from scipy.linalg import solve_banded

from memxc.physics.network import admittance, nested_dissection, nodal
from memxc.physics.network.nodal import WireResistance
from memxc.verify.library import wired

EXACT = 1e-10


def conductances(rng, shape):
    """Return three decades of siemens; most crossbars have some open cells, rows and columns."""
    g = 10 ** rng.uniform(-6, -3, shape)
    g[rng.random(shape) < rng.choice([0, 0.1, 0.9])] = 0
    if rng.random() < 0.2:
        g[rng.integers(shape[0])] = 0
        g[:, rng.integers(shape[1])] = 0
    return g


def resistances(rng):
    """Return four resistances from 0 to 100 ohm, a third of them exactly 0."""
    return WireResistance(*np.where(rng.random(4) < 1 / 3, 0.0, rng.uniform(0, 100, 4)).tolist())


def direct(g, wires, drive="left"):
    rows = len(g)
    y = nodal.admittance(nodal.Grid(g, np.zeros(0, int), np.zeros((1, rows)), drive), wires)
    return y[:rows, :rows], -y[:rows, rows:], y[rows:, rows:]


def assert_ports(found, g, wires, drive="left", number=0):
    ohms = [r for r in (wires.source, wires.word_line, wires.bit_line, wires.neuron) if r]
    # The direct solve computes its admittances as differences of the wires' conductances, and it
    # has a small leak at every node; neither affects the transfers.
    rounding = 1e-15 * max((1 / r for r in ohms), default=0) + 4e-18 * g.size
    blocks = zip(("y_in", "t", "y_out"), direct(g, wires, drive), (1, 0, 1), strict=True)
    for name, expected, differs in blocks:
        worst = np.abs(getattr(found, name)[number] - expected).max()
        assert worst <= EXACT * np.abs(expected).max() + differs * rounding, name


@pytest.mark.parametrize("seed", range(10))
def test_500_random_crossbars_against_a_direct_solve(seed):
    rng = np.random.default_rng([4, seed])
    for _ in range(50):
        shape = tuple(rng.choice([1, 2, 3, 5, 8, 13, 17, 24, 33, 47], 2).tolist())
        g, wires = conductances(rng, shape), resistances(rng)
        drive = ("left", "both")[rng.integers(2)]
        assert_ports(admittance.port_admittance(g[None], wires, drive), g, wires, drive)


@pytest.mark.parametrize("shape", [(128, 128), (127, 100), (65, 129)])
def test_a_large_crossbar_against_a_direct_solve(shape):
    rng = np.random.default_rng(5)
    g, wires = 10 ** rng.uniform(-6, -4, shape), WireResistance(10.0, 1.0, 2.0, 5.0)
    assert_ports(admittance.port_admittance(g[None], wires), g, wires)


@pytest.mark.parametrize("drive", ["left", "both"])
def test_a_stack_is_its_crossbars_one_by_one(drive, monkeypatch):
    monkeypatch.setattr(admittance, "_CELLS", 400)
    rng = np.random.default_rng(6)
    g = np.stack([conductances(rng, (9, 14)) for _ in range(11)])
    wires = WireResistance(3.0, 1.0, 2.0, 0.0)
    stack = admittance.port_admittance(g, wires, drive, threads=3)
    for number, one in enumerate(g):
        assert_ports(stack, one, wires, drive, number)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(admittance, "_CELLS", 600)
    g = 10 ** np.random.default_rng(12).uniform(-6, -3, (7, 20, 13))
    one, three = (
        admittance.port_admittance(g, WireResistance(3, 1, 2, 5), threads=n) for n in (1, 3)
    )
    for name in ("y_in", "t", "y_out"):
        assert np.array_equal(getattr(one, name), getattr(three, name))


def test_one_cell_is_a_series_resistance():
    ohms = 3 + 5 + 1 / 1e-3 + 7 + 11
    found = admittance.port_admittance(np.array([[[1e-3]]]), WireResistance(3.0, 5.0, 7.0, 11.0))
    for block in (found.y_in, found.t, found.y_out):
        assert block[0, 0, 0] == pytest.approx(1 / ohms, rel=1e-14)


@pytest.mark.parametrize("drive", ["left", "both"])
def test_without_wires_the_transfer_is_the_conductances(drive):
    g = conductances(np.random.default_rng(7), (6, 19))
    found = admittance.port_admittance(g[None], WireResistance(0, 0, 0, 0), drive)
    assert found.t[0] == pytest.approx(g, rel=1e-14, abs=0)
    assert found.y_in[0] == pytest.approx(np.diag(g.sum(axis=1)), rel=1e-14, abs=1e-18)
    assert found.y_out[0] == pytest.approx(np.diag(g.sum(axis=0)), rel=1e-14, abs=1e-18)


def test_a_row_with_ideal_bit_lines_is_a_ladder():
    # From the far end back: a cell, then a segment in series, and so on.
    g, seen = np.array([1e-3, 5e-4, 2e-3, 1e-4, 3e-3]), 0.0
    for cell in g[::-1]:
        seen = 1 / (1 / (seen + cell) + 20.0)
    seen = 1 / (1 / seen + 50.0)
    found = admittance.port_admittance(g[None, None], WireResistance(50.0, 20.0, 0.0, 0.0))
    assert found.y_in[0, 0, 0] == pytest.approx(seen, rel=1e-13)


@pytest.mark.parametrize("ohms", [1e-9, 1e-6, 1e-3, 1e6, 1e12])
@pytest.mark.parametrize("drive", ["left", "both"])
def test_extreme_resistances_keep_their_digits(ohms, drive):
    g = 10 ** np.random.default_rng(8).uniform(-6, -3, (1, 21, 10))
    found = admittance.port_admittance(g, WireResistance(0.0, ohms, 0.0, 0.0), drive)
    # With ideal bit lines every word line is a separate chain, solved for its currents.
    for row in range(21):
        assert found.t[0, row] == pytest.approx(chain(g[0, row], ohms, drive), rel=EXACT)


def chain(g, ohms, drive):
    """Return currents of the cells of one word line at 1 V, in exact rational arithmetic."""
    count, r = len(g), Fraction(ohms)
    g = [Fraction(x) for x in g]
    if drive == "left":
        volts, more = [Fraction(1)], Fraction(0)
        for x in g[:0:-1]:
            volts.append(volts[-1] + r * (more := more + x * volts[-1]))
        more += g[0] * volts[-1]
        source = volts[-1] + r * more
        return np.array([float(x * v / source) for x, v in zip(g, volts[::-1], strict=True)])
    # v[j+1] = (2 + r g[j]) v[j] - v[j-1] with v = 1 at both ends: two recursions from the left.
    paths = []
    for start in (Fraction(0), Fraction(1)):
        v = [Fraction(1), start]
        for x in g:
            v.append((2 + r * x) * v[-1] - v[-2])
        paths.append(v)
    share = (1 - paths[0][-1]) / (paths[1][-1] - paths[0][-1])
    v = [a + share * (b - a) for a, b in zip(*paths, strict=True)]
    return np.array([float(g[j] * v[j + 1]) for j in range(count)])


def test_a_crossbar_in_spice():
    rng = np.random.default_rng(9)
    g, wires, volts = (
        conductances(rng, (11, 6)),
        WireResistance(3.0, 1.0, 2.0, 5.0),
        rng.normal(size=11),
    )
    cards = ["* t", wired("xb0", g, wires)]
    cards += [f"v{i} i{i} 0 {v:.12e}" for i, v in enumerate(volts)]
    cards += [f"vb{j} b{j} 0 0" for j in range(6)]
    cards.append(
        "x0 " + " ".join([*(f"i{i}" for i in range(11)), *(f"b{j}" for j in range(6))]) + " xb0"
    )
    simulator = neospice.Simulator()
    found = simulator.run_dc(simulator.parse("\n".join([*cards, ".op", ".end"])))
    amperes = [found.current(f"vb{j}") for j in range(6)]
    assert volts @ admittance.port_admittance(g[None], wires).t[0] == pytest.approx(
        amperes, rel=1e-6
    )


def test_the_admittance_is_symmetric_and_passive():
    g = conductances(np.random.default_rng(10), (20, 31))
    found = admittance.port_admittance(g[None], WireResistance(5.0, 1.0, 3.0, 2.0), "both")
    y = np.block([[found.y_in[0], -found.t[0]], [-found.t[0].T, found.y_out[0]]])
    assert np.abs(y - y.T).max() <= 1e-14 * np.abs(y).max()
    assert np.linalg.eigvalsh(y).min() >= -1e-14 * np.abs(y).max()


@pytest.mark.parametrize("bad", [-1e-6, np.nan, np.inf])
def test_a_conductance_has_to_be_finite_and_not_negative(bad):
    g = np.full((1, 3, 4), 1e-5)
    g[0, 1, 2] = bad
    with pytest.raises(AssertionError, match="negative or not finite"):
        admittance.port_admittance(g, WireResistance(1, 1, 1, 1))


def test_an_answer_that_lost_its_digits_is_refused(monkeypatch):
    smallest = nested_dissection._smallest

    def rough(grid, wires):
        piece = smallest(grid, wires)
        piece.h[:] = piece.h.astype(np.float32)
        return piece

    monkeypatch.setattr(nested_dissection, "_smallest", rough)
    g = 10 ** np.random.default_rng(11).uniform(-6, -3, (1, 20, 30))
    with pytest.raises(AssertionError, match="Kirchhoff"):
        admittance.port_admittance(g, WireResistance(1, 1, 1, 1))


def test_a_bit_line_of_thousands_of_cells():
    """The roundings of so many lines add up: the average of a map of 64 x 64 pixels is one line."""
    g, wires = np.full((4096, 1), 1e-9), WireResistance(0.0, 1.0, 1.0, 0.0)
    found = admittance.port_admittance(g[None], wires)
    # All sources at 1 V, the read-out at ground: a ladder of 1 ohm, into which each cell feeds.
    siemens, bands = 1 / (1e9 + 1.0), -np.ones((3, 4096))
    bands[1] = 2 + siemens
    bands[1, 0] = 1 + siemens
    volts = solve_banded((1, 1), bands, np.full(4096, siemens))
    assert found.t.sum() == pytest.approx(volts[-1] / 1.0, rel=1e-8)
