"""Engines: answers known by hand, and a fault if an engine gives less or something else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from memxc import engines
from memxc.engines import vacask
from memxc.errors import MemxcError

HEAD = "* t\nvk k 0 0\n"
DIVIDER = HEAD + "r1 k a 1k\nr2 a 0 3k\n"
BOTH = pytest.mark.parametrize("name", ["neospice", "ngspice", "vacask"])


@pytest.fixture(autouse=True)
def _needs_ngspice(ngspice):
    """Every test here compares with ngspice or runs it."""


def _fault(name, deck, outputs=("o",), points=3):
    with pytest.raises(MemxcError) as caught:
        engines.get(name).sweep(deck, outputs, points)
    (fault,) = caught.value.faults
    assert fault.where == name
    return fault


@BOTH
def test_nets_instances_and_currents_point_by_point(name):
    deck = HEAD + ".subckt s a b\nr1 a c3 1k\nr2 c3 b 3k\n.ends s\nva k q 0\nX1 q 0 s\n"
    found = engines.get(name).sweep(deck, ["x1.c3", "Q", "i(va)", "x1.c3"], 5)
    k = np.arange(5)
    np.testing.assert_allclose(found, np.array([0.75 * k, k, k / 4e3, 0.75 * k]).T, atol=1e-12)


@BOTH
@pytest.mark.parametrize("points", [1, 2, 256])
def test_a_stimulus_of_many_points_is_exact(name, points):
    volts = np.random.default_rng(3).uniform(-1, 1, points)
    pairs = ",\n+ ".join(f"{k},{v:.12e}" for k, v in enumerate([*volts, volts[-1]]))
    found = engines.get(name).sweep(HEAD + f"b1 a 0 v=pwl(v(k),\n+ {pairs})\n", ["a"], points)
    assert found.shape == (points, 1)
    np.testing.assert_allclose(found[:, 0], volts, atol=1e-12)


@BOTH
def test_a_stimulus_with_points_at_other_places(name):
    deck = HEAD + "b1 a 0 v=pwl(v(k),0,1,2,3,4,-1)\nb2 b 0 v=pwl(v(a),0,1,1,-2,2,4,3,5)\n"
    found = engines.get(name).sweep(deck, ["a", "b"], 4)
    np.testing.assert_allclose(found, [[1, -2], [2, 4], [3, 5], [1, -2]], atol=1e-12)


@BOTH
def test_a_line_and_a_card_of_any_length(name):
    ports = " ".join(f"p{i}" for i in range(700))
    deck = HEAD + f".subckt s {ports}\nr1 p3 p699 1k\nr2 p699 0 3k\n.ends s\n"
    nets = " ".join(f"some_longer_net_{i}" for i in range(700))
    found = engines.get(name).sweep(
        f"{deck}v1 some_longer_net_3 0 2\nx1 {nets} s\n", ["some_longer_net_699"], 1
    )
    assert found == pytest.approx(1.5)


@BOTH
def test_case_does_not_matter(name):
    deck = HEAD + ".SUBCKT S A b\nR1 a C 1K\nr2 c B 3k\n.ENDS\nX1 K 0 s\n"
    assert engines.get(name).sweep(deck, ["x1.c"], 3)[2] == pytest.approx(1.5)


def test_the_power_of_a_device():
    deck = HEAD + ".subckt s a b\nr00_01 a b 2\nr00_02 a b 5\n.ends s\nxu k 0 s\n"
    engine = engines.get("ngspice")
    assert engine.reports_power
    found = engine.sweep(deck, ["@r.xu.r00_01[p]", "k", "@r.xu.r00_02[p]"], 4)
    k = np.arange(4)
    np.testing.assert_allclose(found, np.array([k**2 / 2, k, k**2 / 5]).T, atol=1e-12)
    assert not engines.get("neospice").reports_power


@BOTH
@pytest.mark.parametrize("output", ["o", "x1.o", "i(va)", "@r.x1.r1[p]"])
def test_an_output_that_does_not_exist_is_a_fault_and_not_zero(name, output):
    assert _fault(name, DIVIDER, ["a", output]).code == "engine-failed"


@BOTH
@pytest.mark.parametrize(
    "card",
    [
        "r9 a o nothing",
        "x9 a o nothing",
        "b9 o 0 v=foo(v(k))",
        "b9 o 0 v=min(v(k),1,2)",
        "b9 o 0 v=v(k)+nothing",
        "b9 o 0 v=i(nothing)",
        "v9 a 0 1\nv8 a 0 2",
    ],
)
def test_a_card_that_cannot_be_read_or_solved_is_a_fault(name, card):
    fault = _fault(name, f"{DIVIDER}r5 o 0 1k\n{card}\n")
    assert fault.code == "engine-failed"
    assert len(fault.what) > 5


@BOTH
def test_a_cell_with_too_many_nets(name):
    deck = HEAD + ".subckt s a b\nr1 a b 1k\n.ends s\nx1 k o k s\nr5 o 0 1k\n"
    assert _fault(name, deck).code == "engine-failed"


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        ("neospice", "a1 k o g1\n.model g1 gain(gain=2)"),
        ("neospice", "U1 k o 0 uu\n.model uu urc"),
        ("neospice", "b1 o 0 v=v(k)>0.5 ? 1 : 2"),
        ("neospice", "e1 o 0 vol='v(k)*2+1'"),
        ("ngspice", "b1 o 0 v=limit(v(k),1,2)"),
    ],
)
def test_decks_that_an_engine_would_answer_with_zeros_are_faults(name, cards):
    """Each of these gives, or gave, 0 V without a warning in one engine and not in the other."""
    deck = f"{HEAD}* an amplifier, a limit(x)\nr5 o 0 1k\n{cards}\n"
    assert _fault(name, deck).code == "engine-failed"
    other = "ngspice" if name == "neospice" else "neospice"
    assert np.ptp(engines.get(other).sweep(deck, ["o"], 3)) > 0.9


def test_settings_of_the_user_do_not_reach_ngspice(tmp_path, monkeypatch):
    (tmp_path / ".spiceinit").write_text("set filetype=ascii\nquit\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SPICE_ASCIIRAWFILE", "1")
    assert engines.get("ngspice").sweep(DIVIDER, ["a"], 3)[2] == pytest.approx(1.5)
    assert [path.name for path in tmp_path.iterdir()] == [".spiceinit"]


@pytest.mark.parametrize("name", ["vacask"])
def test_settings_of_the_user_do_not_reach_vacask(tmp_path, monkeypatch, name):
    (tmp_path / ".vacaskrc.toml").write_text("[Paths]\nmodule_path = 7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("SIM_MODULE_PATH", "SIM_OPENVAF", "SIM_INCLUDE_PATH"):
        monkeypatch.setenv(variable, str(tmp_path))
    deck = f"{DIVIDER}b1 o 0 v=max(v(a),1)\n"
    assert engines.get(name).sweep(deck, ["o"], 3)[2] == pytest.approx(1.5)
    assert [path.name for path in tmp_path.iterdir()] == [".vacaskrc.toml"]


def test_a_missing_ngspice_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert engines.get("ngspice").version() is None
    fault = _fault("ngspice", DIVIDER, ["a"])
    assert fault.code == "missing-engine"
    assert "apt-get install ngspice" in fault.hint


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'Fatal error: out of tea'; exit 3", "out of tea"),
        ("echo nothing to report", "nothing to report"),
        ("printf 'Variables:\\n 0 v(a) voltage\\nValues:\\n0 0.5' > out.raw", "no answer"),
        ("printf 'Variables:\\n 0 v(a) voltage\\nBinary:\\n12345678' > out.raw", "no answer"),
    ],
)
def test_an_ngspice_that_breaks_off(tmp_path, monkeypatch, script, words):
    (tmp_path / "ngspice").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "ngspice").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    fault = _fault("ngspice", DIVIDER, ["a"])
    assert fault.code == "engine-failed"
    assert words in fault.what
    assert engines.get("ngspice").version() == "unknown"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'Singular matrix.'; exit 0", "Singular matrix"),
        ("echo 'out of tea'; exit 3", "out of tea"),
        ("kill -9 $$", "no answer"),
        ("printf 'Variables:\\n 0 a notype\\nBinary:\\n12345678' > out.raw", "gave 1 of 3 points"),
        ("printf 'Variables:\\n 0 b notype\\nBinary:\\n12345678' > out.raw", "has no net a"),
    ],
)
def test_a_vacask_that_breaks_off(tmp_path, monkeypatch, script, words):
    """Some failed analyses of VACASK end with exit status 0."""
    program = tmp_path / "vacask"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(vacask, "_program", lambda: program)
    assert words in _fault("vacask", DIVIDER, ["a"]).what


def test_a_missing_vacask_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(vacask, "_program", lambda: None)
    fault = _fault("vacask", DIVIDER, ["a"])
    assert fault.code == "missing-engine"
    assert "memxc[vacask]" in fault.hint


def test_vacask_gets_a_netlist_that_was_read_and_rewritten(monkeypatch):
    """No text of the deck reaches VACASK, whose control blocks run programs."""
    seen = []
    monkeypatch.setattr(vacask, "_program", lambda: Path("vacask"))
    monkeypatch.setattr(vacask, "_run", lambda *given: seen.append(given) or {})
    with pytest.raises(MemxcError):
        engines.get("vacask").sweep(f"{DIVIDER}* control\n*postprocess(PYTHON)\n", ["a"], 3)
    assert "postprocess" not in seen[0][1]
    for card in ("control", 'embed "x" <<<F', "r1 a b 1 postprocess", 'x1 a b "c"'):
        assert _fault("vacask", f"{DIVIDER}{card}\n", ["a"]).code == "engine-failed"
    assert len(seen) == 1


def test_the_self_check_sees_a_wrong_engine():
    class Swapped:
        name = "swapped"
        reports_power = False

        def version(self):
            return "1"

        def sweep(self, deck, outputs, points):
            swapped = deck.replace("r0_1 w0 c1 2k", "r0_1 w1 c1 2k")
            return engines.get("neospice").sweep(swapped, outputs, points)

    assert "i(vm)" in engines.check(Swapped())


def test_engines_by_name():
    assert engines.names() == ["neospice", "ngspice", "vacask"]
    with pytest.raises(MemxcError) as caught:
        engines.get("hspice")
    assert caught.value.faults[0].code == "usage"
    assert "ngspice" in caught.value.faults[0].hint
