"""Lane functions: the language, and that both engines compute the same as evaluate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memxc import engines, render
from memxc.ir import expr

#: A function of the language, the same function of Python's library, and the points to compare.
FUNCTIONS = [
    ("abs(x0)", abs, (-3.0, 0.0, 2.5)),
    ("exp(x0)", math.exp, (-700.0, -1.5, 0.0, 80.0)),
    ("ln(x0)", math.log, (1e-30, 0.25, 1.0, 3e20)),
    ("sqrt(x0)", math.sqrt, (0.0, 1e-20, 2.0, 3e10)),
    ("tanh(x0)", math.tanh, (-40.0, -0.75, 0.0, 0.5, 300.0)),
    ("sgn(x0)", lambda x: (x > 0) - (x < 0), (-2.5, -1e-9, 0.0, 1e-9, 7.0)),
    ("floor(x0)", math.floor, (-2.5, -2.0, -0.25, 0.0, 0.75, 3.0)),
    ("round(x0)", round, (-2.5, -1.5, -0.75, 0.0, 0.5, 1.5, 2.25)),
    ("erf(x0)", math.erf, (-9.0, -6.2, -2.0, -0.3, -1e-6, 0.0, 1e-3, 0.9, 3.0, 5.5, 1e6)),
    ("min(x0,1,-x0)", lambda x: min(x, 1, -x), (-3.0, 0.5, 2.0)),
    ("max(x0)", float, (-3.0, 2.0)),
]


@pytest.mark.parametrize(("text", "wanted", "points"), FUNCTIONS)
def test_expressions_evaluate_as_in_python(text, wanted, points):
    found = expr.evaluate(text, [np.array(points)])
    np.testing.assert_allclose(found, list(map(wanted, points)), rtol=1e-14, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "inputs", "wanted"),
    [
        ("x0*2-3", [(-1, 4)], (-5, 5)),
        ("x0-x1", [(0, 2), (-5, 7)], (-7, 7)),
        ("-x0*x1", [(-2, 3), (-1, 5)], (-15, 10)),
        ("x0/x1", [(-2, 6), (2, 4)], (-1, 3)),
        ("1/x0", [(-1, 1)], (-math.inf, math.inf)),
        ("abs(x0)", [(-3, 2)], (0, 3)),
        ("abs(x0)", [(-3, -2)], (2, 3)),
        ("max(x0,x1,1)", [(-3, 2), (0, 5)], (1, 5)),
        ("exp(min(x0,0))", [(-math.inf, math.inf)], (0, 1)),
        ("0*x0", [(-math.inf, 0)], (0, 0)),
        ("round(x0)", [(-0.4, 2.6)], (0, 3)),
        ("exp(x0)-exp(x1)", [(0, math.inf)] * 2, (-math.inf, math.inf)),
        ("exp(x0)-exp(x1)", [(800, math.inf)] * 2, (-math.inf, math.inf)),
    ],
)
def test_bounds_by_hand(text, inputs, wanted):
    assert expr.interval(text, inputs) == pytest.approx(wanted)


@given(st.floats(-5, 5), st.floats(0, 4), st.sampled_from(FUNCTIONS))
def test_no_value_is_outside_the_bounds(low, width, function):
    text, _, points = function
    low = low if min(points) < 0 else abs(low) + 1e-6
    found = expr.evaluate(text, [np.linspace(low, low + width, 37)])
    least, most = expr.interval(text, [(low, low + width)])
    assert least - 1e-12 <= found.min()
    assert found.max() <= most + 1e-12


@pytest.mark.spice
@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize(("text", "wanted", "points"), FUNCTIONS)
def test_engines_say_the_same(engine, text, wanted, points, ngspice):
    cell = render.cell("lane", subckt="f", ports=1, expression=expr.spice(text, ["v(x0)"]))
    cards = [f"v{k} i{k} 0 {v:.12e}\nx{k} i{k} o{k} f\n" for k, v in enumerate(points)]
    nets = [f"o{k}" for k in range(len(points))]
    (found,) = engines.get(engine).sweep(f"* t\nvk k 0 0\n{cell}{''.join(cards)}", nets, 1)
    # ngspice keeps 11 digits of a number in an expression.
    np.testing.assert_allclose(found, list(map(wanted, points)), rtol=1e-12, atol=1e-11)


@given(st.floats(-7, 7))
def test_the_error_function_is_within_1e_12(x):
    assert abs(float(expr.evaluate("erf(x0)", [np.array(x)])) - math.erf(x)) < 1e-12


@given(st.integers(-(2**20), 2**20))
def test_a_half_goes_to_the_even_integer(k):
    assert float(expr.evaluate("round(x0)", [np.array(k + 0.5)])) == round(k + 0.5)


@pytest.mark.parametrize(
    "text", ["erf(-x1)*x0-1/(x0+4)", "round(3*x0)+sgn(x1)", "--x0*ln(2+abs(x1))"]
)
def test_the_words_of_spice_read_back_are_the_same_function(text):
    points = list(np.random.default_rng(0).uniform(-3, 3, (2, 50)))
    words = expr.spice(text, ["(x0)", "(x1)"])
    np.testing.assert_allclose(expr.evaluate(words, points), expr.evaluate(text, points), 1e-12)


def test_fanin_counts_to_the_last_variable():
    assert [expr.fanin(text) for text in ("x0", "x2+x0", "exp(x10)", "1+2")] == [1, 3, 11, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("log(x0)", "calls 'log'"),
        ("exp(x0,x1)", "calls 'exp'"),
        ("erf()", "calls 'erf'"),
        ("max(*x0)", "uses Starred"),
        ("exp(x=x0)", "calls 'exp'"),
        ("(lambda: x0)()", "calls 'something'"),
        ("y0", "names 'y0'"),
        ("x0**2", "uses Pow"),
        ("x0 if x0 else 1", "uses IfExp"),
        ("'a'", "holds 'a'"),
        ("True", "holds True"),
        ("x0.real", "uses Attribute"),
        ("x0+", "cannot be read"),
        ("min+1", "names 'min'"),
        ("x99999999999", "names 'x99999999999'"),
        ("1e999", "holds inf"),
        ("1" + "0" * 400, "holds 1000"),
    ],
)  # fmt: skip
def test_everything_else_is_refused(text, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        expr.parse(text)


@pytest.mark.parametrize(
    "text", ["-" * 50_000 + "x0", "(" * 5000 + "x0" + ")" * 5000, "x0" + "*x0" * 2000,
             "x0" + "+x0" * 100_000],
    ids=["signs", "brackets", "products", "sums"],
)  # fmt: skip
def test_what_is_nested_too_deeply_is_refused(text):
    with pytest.raises(ValueError, match="lane function"):
        expr.parse(text)


def test_what_is_nested_deeply_is_the_same_everywhere():
    text = "x0" + "+x0" * 390
    assert float(expr.evaluate(text, [np.array(2.0)])) == 782
    assert expr.spice(text, ["v"]).count("v") == 391


def test_a_function_that_is_endless_in_spice_is_refused():
    """erf repeats its argument 14 times."""
    assert expr.spice("erf(erf(x0))", ["v"]).count("v") == 14**2
    with pytest.raises(ValueError, match="1,000,000 numbers in SPICE"):
        expr.parse("erf(erf(erf(erf(erf(x0)))))")
