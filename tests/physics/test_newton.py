"""Crossbars of nonlinear cells against SPICE, scipy's root finder and the linear solution."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.optimize import root

from memxc import engines
from memxc.errors import MemxcError
from memxc.physics.device import newton
from memxc.physics.device.iv_laws import LinearLaw, SinhLaw, TableLaw
from memxc.physics.network import admittance
from memxc.physics.network.nodal import WireResistance
from memxc.verify.library import wired

OHM = (
    WireResistance(0.0, 0.0, 0.0, 0.0),
    WireResistance(0.0, 5.0, 5.0, 0.0),
    WireResistance(30.0, 0.0, 7.0, 11.0),
)
DRIVES = ("left", "both")


def conductances(rng, shape):
    g = 10 ** rng.uniform(-6, -3, shape)
    g[rng.random(shape) < rng.choice([0, 0.1, 0.5])] = 0
    return g


def curved(rng):
    """Return a law of three measured states with different points, up to 0.4 V on either side."""
    volts = np.unique([-0.4, 0.0, 0.2, 0.4, *rng.uniform(-0.4, 0.4, 8).round(3)])
    g, bend = np.array([0.0, 1e-5, 1e-4, 4e-4]), np.array([0.1, 0.08, 0.2, 0.5])[:, None]
    shape = bend * np.sinh(volts / bend)
    return TableLaw(g, volts, g[:, None] * shape / shape[:, volts == 0.2] * 0.2)


@pytest.mark.parametrize("seed", range(4))
def test_linear_cells_are_the_linear_crossbar(seed):
    rng = np.random.default_rng([1, seed])
    for _ in range(25):
        rows, columns = rng.choice([1, 2, 3, 5, 8, 17, 40], 2)
        g = conductances(rng, (2, rows, columns))
        wires = WireResistance(
            *np.where(rng.random(4) < 1 / 3, 0.0, rng.uniform(0, 100, 4)).tolist()
        )
        drive = DRIVES[rng.integers(2)]
        volts, ends = rng.normal(size=(1, 3, rows)), 0.1 * rng.normal(size=(2, 3, columns))
        found = newton.currents(g, LinearLaw(), wires, volts, drive, ends)
        ports = admittance.port_admittance(g, wires, drive)
        expected = volts @ ports.t - ends @ ports.y_out
        assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()


def kirchhoff(g, law, wires, volts, ends, drive):
    """Return amperes at the bit-line ends from scipy's root of the node equations.

    No wire may be 0 ohm.
    """
    rows, columns = g.shape

    def flows(x):
        word, bit = x.reshape(2, rows, columns)
        amperes = law(g, word - bit)[0]
        along = np.diff(word, axis=1) / wires.word_line
        into = -amperes
        into[:, :-1] += along
        into[:, 1:] -= along
        into[:, 0] += (volts - word[:, 0]) / (wires.source + wires.word_line)
        if drive != "left":
            into[:, -1] += (volts - word[:, -1]) / (wires.source + wires.word_line)
        down = np.diff(bit, axis=0) / wires.bit_line
        out = amperes.copy()
        out[:-1] += down
        out[1:] -= down
        read = (bit[-1] - ends) / (wires.bit_line + wires.neuron)
        out[-1] -= read
        return into, out, read

    start = np.concatenate([np.repeat(volts, columns), np.tile(ends, rows)])
    found = root(
        lambda x: 1e4 * np.concatenate([f.ravel() for f in flows(x)[:2]]), start, tol=1e-14
    )
    assert np.abs(found.fun).max() < 1e-11
    return flows(found.x)[2]


@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize("seed", range(4))
def test_against_a_root_of_the_node_equations(drive, seed):
    rng = np.random.default_rng([2, seed])
    rows, columns = ((4, 3), (2, 6), (5, 1), (1, 4))[seed]
    g, wires = conductances(rng, (1, rows, columns)), WireResistance(*rng.uniform(1, 60, 4))
    volts, ends = rng.uniform(-0.2, 0.2, (1, 3, rows)), rng.uniform(-0.02, 0.02, (1, 3, columns))
    for law in (SinhLaw(0.05), curved(rng)):
        found = newton.currents(g, law, wires, volts, drive, ends)
        expected = [
            kirchhoff(g[0], law, wires, u, v, drive) for u, v in zip(volts[0], ends[0], strict=True)
        ]
        np.testing.assert_allclose(found[0], expected, rtol=1e-8, atol=1e-13)


def spice(engine, g, wires, volts, source):
    """Return amperes (points, columns) from an engine; `source(conductance, across)` is a cell."""
    rows, columns = g.shape

    def card(match):
        i, j, a, b = match.groups()
        return f"b{i}_{j} {a} {b} i={source(g[int(i), int(j)], f'v({a},{b})')}"

    deck = [
        "* t",
        "vk k 0 0",
        re.sub(r"^R(\d+)_(\d+) (\S+) (\S+) .*$", card, wired("xb", g, wires), flags=re.M),
    ]
    for i, column in enumerate(volts.T):
        pairs = ",".join(f"{k},{v:.12e}" for k, v in enumerate(column))
        deck.append(f"bi{i} i{i} 0 v=pwl(v(k),{pairs})")
    deck += [f"vo{j} o{j} 0 0" for j in range(columns)]
    ports = [*(f"i{i}" for i in range(rows)), *(f"o{j}" for j in range(columns))]
    deck.append(" ".join(["x1", *ports, "xb"]))
    outputs = [f"i(vo{j})" for j in range(columns)]
    return engines.get(engine).sweep("\n".join([*deck, ""]), outputs, len(volts))


@pytest.mark.parametrize("wires", OHM, ids=("0", "5", "mixed"))
@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
def test_sinh_cells_in_spice(engine, wires, ngspice):
    rng = np.random.default_rng(3)
    g, volts = conductances(rng, (6, 5)), rng.uniform(-0.3, 0.3, (4, 6))
    expected = spice(engine, g, wires, volts, lambda g, v: f"{g * 0.1:.15e}*sinh({v}/0.1)")
    found = newton.currents(g[None], SinhLaw(0.1), wires, volts[None])[0]
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("wires", OHM, ids=("0", "5", "mixed"))
@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
def test_measured_cells_in_spice(engine, wires, ngspice):
    rng = np.random.default_rng(4)
    law = curved(rng)
    g, volts = conductances(rng, (6, 5)), rng.uniform(-0.3, 0.3, (4, 6))

    def source(g, v):
        # The currents at every point, interpolated by hand between the two states.
        amperes = [np.interp(g, law.g, i) if g <= 4e-4 else i[-1] * g / 4e-4 for i in law.amperes.T]
        points = zip(law.volts, amperes, strict=True)
        return f"pwl({v}," + ",".join(f"{v:.15e},{i:.15e}" for v, i in points) + ")"

    expected = spice(engine, g, wires, volts, source)
    found = newton.currents(g[None], law, wires, volts[None])[0]
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


def test_without_wires_a_current_is_the_sum_of_the_cells():
    rng = np.random.default_rng(5)
    g, volts = conductances(rng, (2, 7, 4)), rng.uniform(-0.2, 0.2, (2, 5, 7))
    found = newton.currents(g, SinhLaw(0.03), OHM[0], volts)
    expected = np.einsum("nrc,npr->npc", g, 0.03 * np.sinh(volts / 0.03))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-18)


def test_a_stack_is_its_crossbars_and_vectors_one_by_one(monkeypatch):
    monkeypatch.setattr(newton, "_CELLS", 400)
    rng = np.random.default_rng(6)
    g, volts = conductances(rng, (3, 9, 14)), rng.uniform(-0.2, 0.2, (1, 8, 9))
    wires = WireResistance(3.0, 1.0, 2.0, 0.0)
    stack = newton.currents(g, SinhLaw(0.1), wires, volts, threads=3)
    np.testing.assert_array_equal(stack, newton.currents(g, SinhLaw(0.1), wires, volts, threads=1))
    for n in range(3):
        for p in range(8):
            one = newton.currents(g[n : n + 1], SinhLaw(0.1), wires, volts[:, p : p + 1])
            np.testing.assert_allclose(stack[n, p], one[0, 0], rtol=1e-9, atol=1e-15)


def test_an_array_of_zeros_and_a_vector_of_zeros():
    wires = WireResistance(1.0, 2.0, 3.0, 4.0)
    volts = np.zeros((1, 2, 3))
    volts[0, 1] = 0.1
    assert not newton.currents(np.zeros((1, 3, 5)), SinhLaw(0.1), wires, volts).any()
    found = newton.currents(np.full((1, 3, 5), 1e-4), SinhLaw(0.1), wires, volts)[0]
    assert not found[0].any()
    assert (found[1] > 0).all()


@pytest.mark.parametrize(
    ("ohms", "v0", "most"), [(1.0, 0.01, 0.2), (100.0, 0.1, 2.0), (1000.0, 0.02, 0.2)]
)
def test_cells_that_are_far_from_linear(ohms, v0, most):
    rng = np.random.default_rng(7)
    g, volts = conductances(rng, (1, 40, 30)), rng.uniform(-most, most, (1, 4, 40))
    wires = WireResistance(0.0, ohms, ohms, 0.0)
    found = newton.currents(g, SinhLaw(v0), wires, volts)
    half = newton.currents(g, SinhLaw(v0 / 2), wires, volts / 2)
    np.testing.assert_allclose(half, found / 2, rtol=1e-9, atol=1e-15)


def test_cells_with_an_abrupt_change_of_slope():
    rng = np.random.default_rng(8)
    # The slope is a hundred times larger beyond 0.1 V.
    law = TableLaw(np.array([0.0, 1e-4]), np.array([-2.0, -0.1, 0.1, 2.0]),
                np.array([[0.0, 0, 0, 0], [-1.901e-2, -1e-5, 1e-5, 1.901e-2]]))  # fmt: skip
    g, volts = conductances(rng, (1, 30, 20)), rng.uniform(-0.9, 0.9, (1, 6, 30))
    wires = WireResistance(10.0, 20.0, 20.0, 0.0)
    found = newton.currents(g, law, wires, volts)
    np.testing.assert_allclose(
        newton.currents(g, law, wires, -volts), -found, rtol=1e-8, atol=1e-14
    )


def test_volts_that_were_not_measured_are_a_fault():
    law = curved(np.random.default_rng(9))
    g, volts = np.full((1, 3, 2), 1e-5), np.full((1, 1, 3), 0.41)
    with pytest.raises(MemxcError, match="iv_csv") as caught:
        newton.currents(g, law, OHM[0], volts)
    assert "from -0.4 to 0.4 V, a cell has 0 to 0.41 V" in caught.value.faults[0].what
    # No condition holds for the volts of an open cell.
    assert not newton.currents(0 * g, law, OHM[0], volts).any()
    assert newton.currents(g, law, WireResistance(2e4, 0.0, 0.0, 0.0), volts).any()


@pytest.mark.parametrize("bad", [-1e-6, np.nan, np.inf])
def test_conductances_and_volts_have_to_be_finite(bad):
    g, volts = np.full((1, 3, 2), 1e-5), np.full((1, 4, 3), 0.1)
    broken = g.copy()
    broken[0, 1, 1] = bad
    with pytest.raises(AssertionError, match="conductance"):
        newton.currents(broken, LinearLaw(), OHM[0], volts)
    if not np.isfinite(bad):
        volts[0, 2, 1] = bad
        with pytest.raises(AssertionError, match="volts"):
            newton.currents(g, LinearLaw(), OHM[0], volts)


def test_an_answer_that_has_not_converged_is_refused(monkeypatch):
    monkeypatch.setattr(newton, "_STEPS", 2)
    rng = np.random.default_rng(10)
    g, volts = conductances(rng, (1, 20, 30)), rng.uniform(-0.2, 0.2, (1, 2, 20))
    with pytest.raises(AssertionError, match="not solved"):
        newton.currents(g, SinhLaw(0.05), OHM[1], volts)
