"""evaluate's amplifiers at any load and lane functions, against both engines."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import engines, render
from memxc.ir import expr
from memxc.physics.network import amplifier

GAIN = pytest.mark.parametrize("gain", [97.0, 1e4, 1e6, float("inf")])
BOTH = pytest.mark.parametrize("name", ["neospice", "ngspice", "vacask"])
#: Five points of seven word lines; a plus and a minus bit line with different loads.
VOLTS = np.random.default_rng(5).uniform(-0.2, 0.2, (5, 7))
G = np.random.default_rng(6).uniform(1e-6, 1e-4, (2, 7)) * [[1.0], [3.0]]


@pytest.fixture(autouse=True)
def _needs_ngspice(ngspice):
    """Every test here runs both engines."""


def _sweep(name, cells, cards, volts):
    deck = ["* t\nvk k 0 0\n", cells]
    for i, column in enumerate(volts.T):
        pairs = ",\n+ ".join(f"{k},{v:.15e}" for k, v in enumerate([*column, column[-1]]))
        deck.append(f"b{i} i{i} 0 v=pwl(v(k),\n+ {pairs})\n")
    return engines.get(name).sweep("".join([*deck, *cards]), ["out"], len(volts))[:, 0]


def _bit_line(net, conductances):
    return [f"r{net}{i} i{i} {net} {1 / g:.15e}\n" for i, g in enumerate(conductances)]


@BOTH
@GAIN
def test_a_differential_pair(name, gain):
    r_f, r_join = 13e3, 4.7e3
    cards = [*_bit_line("p", G[0]), *_bit_line("m", G[1])]
    cards.append(f"x1 p m out tia r_f={r_f:.9e} r_join={r_join:.9e}\n")
    found = _sweep(name, render.cell("tia", subckt="tia", gain=gain), cards, VOLTS)
    plus, minus = VOLTS @ G[0], VOLTS @ G[1]
    wanted = amplifier.pair(plus, minus, G[0].sum(), G[1].sum(), r_f, r_join, gain)
    np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max())


@BOTH
@GAIN
def test_one_op_amp(name, gain):
    cards = [*_bit_line("m", G[1]), "x1 m out tia_single r_f=13k\n"]
    found = _sweep(name, render.cell("tia_single", subckt="tia_single", gain=gain), cards, VOLTS)
    wanted = amplifier.single(VOLTS @ G[1], G[1].sum(), 13e3, gain)
    np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max())


@BOTH
@GAIN
def test_an_inverter(name, gain):
    cell = render.cell("inverter", subckt="inverter", gain=gain)
    found = _sweep(name, cell, ["x1 i0 out inverter\nrl out 0 50\n"], VOLTS[:, :1])
    np.testing.assert_allclose(found, amplifier.inverter(VOLTS[:, 0], gain), atol=1e-12)


@BOTH
@pytest.mark.parametrize(
    ("function", "ports"),
    [
        ("max(x0,0)", 1),
        ("max(x0,x1,x2,x3)", 4),
        ("min(max(x0,0),6)", 1),
        ("x0-x1/2-x2", 3),
        ("x0*-x1", 2),
        ("-x0*x0", 1),
        ("x0*min(max(x0/6+0.5,0),1)", 1),
        ("1/(1+exp(-x0))", 1),
        ("2-(1-tanh(x0))", 1),
        ("abs(x0-1)", 1),
    ],
)
def test_a_lane_function(name, function, ports):
    volts = np.random.default_rng(1).uniform(-8, 8, (9, ports))
    text = expr.spice(function, [f"v(x{k})" for k in range(ports)])
    cell = render.cell("lane", subckt="lane7", ports=ports, expression=text)
    nets = " ".join(f"i{k}" for k in range(ports))
    found = _sweep(name, cell, [f"x1 {nets} out lane7\n"], volts)
    wanted = expr.evaluate(function, list(volts.T))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
