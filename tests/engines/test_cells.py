"""The periphery cells behind a 2 x 3 crossbar, in both engines, against Kirchhoff's law by hand."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import engines, render

# Volts on the word lines: 0.3 k and -0.2. Siemens of the three bit lines, and their sums.
V0, V1 = 0.3 * np.arange(4), -0.2
CURRENT = [V0 / 10e3 + V1 / 20e3, V0 / 40e3 + V1 / 8e3, V0 / 25e3]
LOAD = [1 / 10e3 + 1 / 20e3, 1 / 40e3 + 1 / 8e3, 1 / 25e3]
R_F, R_JOIN = 50e3, 20e3
CROSSBAR = """* crossbar
vk k 0 0
b0 w0 0 v=0.3*v(k)
v1 w1 0 -0.2
.subckt xb0 w0 w1 c0 c1 c2
R0_0 w0 c0 10k
R0_1 w0 c1 40k
R0_2 w0 c2 25k
R1_0 w1 c0 20k
R1_1 w1 c1 8k
.ends xb0
x1 w0 w1 p m s xb0
"""


@pytest.fixture(params=["neospice", "ngspice", "vacask"])
def solve(request, ngspice):
    """Return net o of the crossbar and the given nets, at four points."""

    def solved(cards):
        return engines.get(request.param).sweep(CROSSBAR + cards, ["o"], 4)[:, 0]

    return solved


def _cell(name, gain):
    return render.cell(name, subckt=name, gain=gain)


@pytest.mark.parametrize("gain", [np.inf, 1e4, 30.0])
def test_a_differential_pair(solve, gain):
    found = solve(f"{_cell('tia', gain)}xa p m o tia r_f=50000 r_join=20000\nrs s 0 1\n")
    if gain == np.inf:
        wanted = 3.75 * V0 - 3.75 * V1
    else:
        # Each op-amp drives its output to -gain times the volts left on its summing node.
        left_plus = CURRENT[0] / (LOAD[0] + (1 + gain) / R_JOIN)
        into_minus = CURRENT[1] - gain * left_plus / R_JOIN
        wanted = -gain * into_minus / (LOAD[1] + 1 / R_JOIN + (1 + gain) / R_F)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("gain", [np.inf, 1e4, 30.0])
def test_one_op_amp(solve, gain):
    found = solve(f"{_cell('tia_single', gain)}xa s o tia_single r_f=50000\nrp p 0 1\nrm m 0 1\n")
    ideal = gain == np.inf
    wanted = -2 * V0 if ideal else -gain * CURRENT[2] / (LOAD[2] + (1 + gain) / R_F)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


REST = "rp p 0 1\nrm m 0 1\nrs s 0 1\n"


@pytest.mark.parametrize(("gain", "slope"), [(np.inf, -1.0), (1e4, -1 / 1.0002), (8.0, -0.8)])
def test_an_inverter(solve, gain, slope):
    found = solve(f"{REST}{_cell('inverter', gain)}xi w0 o inverter\n")
    np.testing.assert_allclose(found, slope * V0, atol=1e-9)


def test_a_limiter(solve):
    limiter = render.cell("limiter", subckt="limiter")
    found = solve(f"{REST}{limiter}bd d 0 v=v(w0)-0.5\nxl d o limiter clip=0.35\n")
    np.testing.assert_allclose(found, [-0.35, -0.2, 0.1, 0.35], atol=1e-9)


def test_a_lane(solve):
    text = "2*max(v(x0),v(x1))-min(v(x0),0.45)"
    lane = render.cell("lane", subckt="f0", ports=2, expression=text)
    found = solve(f"{REST}{lane}bd d 0 v=0.75-v(w0)\nxf w0 d o f0\n")
    np.testing.assert_allclose(found, [1.5, 0.6, 0.75, 1.35], atol=1e-9)
