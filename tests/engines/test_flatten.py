"""A transistor with binned models in numbers, against ngspice's own reading of the library."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import engines
from memxc.dialects.flatten import flattened, with_numbers

#: Four bins, two of w and two of l, whose thresholds differ; lengths are in micrometres.
LIBRARY = """* a library in the form of a foundry's
.option scale=1.0u
.param corner=0.5 MM = 0
.param shift = {0.02*corner} + MM*AGAUSS(0,0.1,1)
.param
+ ratio = {1+shift/2} ; a comment
.subckt nfet d g s b mult=1
.param w = 1 l = 1 nf = 1 ad = 0 as = 0 nrd = {0.14/w}
+ sw = {shift*(0.1/l+0.9)+MM*AGAUSS(0,1.0,1)/sqrt(l*w*mult)}
Mn d g s b fet l = {l} w = {w} ad = {ad} as = {as} nrd = {nrd} nf = {nf}
+ delvto = {sw}
.model fet.1 nmos level = 54 lmin = 5E-7 lmax = 2E-6 wmin = 1E-6 wmax = 5E-6
+ toxe = {4E-9*ratio} vth0 = 0.45 u0 = 0.03 rdsw = 150
.model fet.2 nmos level = 54 lmin = 1E-7 lmax = 5E-7 wmin = 1E-6 wmax = 5E-6
+ toxe = {4E-9*ratio} vth0 = 0.5 u0 = 0.03 rdsw = 150
.model fet.3 nmos level = 54 lmin = 5E-7 lmax = 2E-6 wmin = 5E-6 wmax = 1E-4
+ toxe = {4E-9*ratio} vth0 = 0.55 u0 = 0.03 rdsw = 150
.model fet.4 nmos level = 54 lmin = 1E-7 lmax = 5E-7 wmin = 5E-6 wmax = 1E-4
+ toxe = {4E-9*ratio} vth0 = 0.6 u0 = 0.03 rdsw = 150
.ends nfet
"""
DECK = "* t\nvk k 0 0\n{0}vd d 0 1.2\nbg g 0 v=0.5+v(k)*0.2\n{1}"
#: Of source and drain. Without them VACASK and ngspice count the junctions differently.
AREAS = {"ad": 1.2, "as": 1.2}
SIZES = [(2, 0.18), (20, 0.5), (5, 0.5)]


def current(engine, text, card):
    """The current into the drain, at three voltages of the gate."""
    return engines.get(engine).sweep(DECK.format(text, card), ["i(vd)"], 3)[:, 0]


@pytest.mark.spice
@pytest.mark.parametrize(("w", "l"), SIZES)
def test_ngspice_computes_the_same(ngspice, w, l):  # noqa: E741
    found = flattened(LIBRARY, "nfet", {"w": w, "l": l})
    card = found.instance_card("m1", "d g 0 0", "one")
    mine = current("ngspice", found.model_card("one"), card)
    wanted = current("ngspice", LIBRARY, f"x1 d g 0 0 nfet w={w} l={l}\n")
    assert (wanted < -1e-9).all()
    np.testing.assert_allclose(mine, wanted, rtol=1e-9)


@pytest.mark.spice
@pytest.mark.parametrize("name", ["ngspice", "vacask"])
def test_engines_compute_the_same(ngspice, name):
    found = flattened(LIBRARY, "nfet", {"w": 4, "l": 0.6, "nf": 2, **AREAS})
    text, card = found.model_card("one"), found.instance_card("m1", "d g 0 0", "one")
    wanted = current("ngspice", LIBRARY, "x1 d g 0 0 nfet w=4 l=0.6 nf=2 ad=1.2 as=1.2\n")
    np.testing.assert_allclose(current(name, text, card), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("library", "given", "words"),
    [
        (LIBRARY, {"w": 0.5, "l": 1}, "no model for w = 5e-07 m and l = 1e-06 m"),
        (LIBRARY.replace("nfet", "pfet"), {}, "no subcircuit nfet"),
        (LIBRARY.replace("corner=0.5", "corner={shift}"), {}, "depends on itself"),
        (LIBRARY.replace("corner=0.5", "other=0.5"), {}, "no parameter corner"),
        (LIBRARY.replace("Mn d g s b fet l =", "Mn d g s b fet x ="), {}, "no width and length"),
        (LIBRARY.replace("Mn d g s b", "Mn d g"), {}, "not one MOSFET"),
        (LIBRARY.replace("Mn ", "Rn "), {}, "not one MOSFET"),
        (LIBRARY.replace(".model fet.", ".model bjt."), {}, "no model for"),
        (LIBRARY.partition(".model")[0] + ".model\n.model fet.1", {}, "no model for"),
        (LIBRARY.replace("0.14/w", "0.14/(w-1)"), {"w": 1}, "without a value"),
    ],
)
def test_a_library_that_does_not_say(library, given, words):
    with pytest.raises(ValueError, match=words):
        flattened(library, "nfet", {"w": 2, "l": 1} | given)


@pytest.mark.spice
@pytest.mark.parametrize(("name", "near"), [("ngspice", 1e-9), ("vacask", 1e-6)])
def test_an_amplifier_of_transistors(ngspice, name, near):
    """A pair of one size and a current source of another: two models, in a subcircuit."""
    cell = """.subckt pair inp inn out s vdd
X1 d inp s 0 nfet w=4 l=0.6
x2 out inn s 0 nfet
+ w=4 l=0.6 ad=1.2
x3 s vdd 0 0 nfet w=8 l=1.5
r1 vdd d 20k
r2 vdd out 20k
.ends pair
"""
    cards = "vd vdd 0 1.2\nbi in 0 v=0.7+0.05*v(k)\nvr ref 0 0.75\nx1 in ref o s vdd pair\n"
    numbers = with_numbers(cell, LIBRARY, ["nfet"])
    assert (numbers.count(".model"), numbers.count("nfet_0 "), numbers.count("nfet_1 ")) == (
        2,
        3,
        2,
    )
    head = "* t\nvk k 0 0\n"
    found = engines.get(name).sweep(head + numbers + cards, ["o", "s"], 3)
    wanted = engines.get("ngspice").sweep(head + LIBRARY + cell + cards, ["o", "s"], 3)
    assert np.ptp(wanted[:, 0]) > 0.02
    np.testing.assert_allclose(found, wanted, rtol=near)
