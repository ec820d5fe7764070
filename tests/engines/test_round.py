"""Rounding in every engine: ties, noise near ties, codes of converters."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import engines, render
from memxc.ir import expr

HALVES = np.arange(-9, 10) / 2
#: Codes of 8 and 16 bits with ties, and values that differ from a tie by more than noise.
CODES = [127.5, 128.5, -128.5, 254.4, 254.6, 65534.5, 65533.5, -32767.5, 0.4999, -1.5001, 3.5001]


def swept(name, expression, volts):
    lane = render.cell("lane", subckt="f0", ports=1, expression=expression)
    pairs = ",\n+ ".join(f"{k},{v:.12e}" for k, v in enumerate([*volts, volts[-1]]))
    deck = f"* t\nvk k 0 0\n{lane}bi i 0 v=pwl(v(k),\n+ {pairs})\nxf i o f0\n"
    return engines.get(name).sweep(deck, ["o"], len(volts))[:, 0]


@pytest.mark.parametrize("name", ["neospice", "ngspice", "vacask"])
def test_rounds_half_to_even_in_both_engines(ngspice, name):
    values = np.array([*HALVES, *CODES])
    text = expr.spice("round(x0)", ["v(x0)"])
    np.testing.assert_array_equal(swept(name, text, values), np.round(values))


@pytest.mark.parametrize("name", ["neospice", "ngspice", "vacask"])
def test_a_converter_rounds_and_stays_between_its_last_codes(ngspice, name):
    # 0.001 V a unit in, a step of 0.05 units; 0.004 V a code out, and -3 is the code of zero
    text = expr.spice("min(max(round(x0/0.05)+-3,-8),7)", ["(v(x0)*1000)"])
    units = np.array([0.024, 0.026, -0.074, -0.076, 0.37, 0.51, 9.0, -0.26, -4.0])
    found = swept(name, f"0.004*({text})", units / 1000) / 0.004
    np.testing.assert_allclose(found, [-3, -2, -4, -5, 4, 7, 7, -8, -8], atol=1e-9)


@pytest.mark.parametrize("name", ["neospice", "ngspice", "vacask"])
def test_floor_is_known_to_both_engines(ngspice, name):
    found = swept(name, expr.spice("floor(x0)", ["v(x0)"]), HALVES)
    np.testing.assert_array_equal(found, np.floor(HALVES))


def test_noise_of_the_last_bits_does_not_move_a_tie():
    ties = np.arange(-300, 300) + 0.5
    for noise in (1e-9, -1e-9, 1e-7, -1e-7):
        np.testing.assert_array_equal(expr.evaluate("round(x0)", [ties + noise]), np.round(ties))


def test_numbers_that_are_no_ties_round_to_the_nearest():
    drawn = np.random.default_rng(0).uniform(-300, 300, 100_000)
    far = drawn[np.abs(np.abs(drawn - np.floor(drawn)) - 0.5) > 2e-6]
    np.testing.assert_array_equal(expr.evaluate("round(x0)", [far]), np.round(far))
