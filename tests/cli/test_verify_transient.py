"""memxc verify --transient: lanes of every stage in ngspice's transient analysis."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest

SKELETON = """
gm1_s = 1e-4
r1_ohm = 1e6
c1_f = 3e-14
c_miller_f = {c_miller}
gm2_s = 2.5e-4
r2_ohm = 2e5
c2_f = 1.5e-13
c_in_f = 5e-14
r_f_min_ohm = 2e4
"""


@pytest.fixture
def target(tmp_path):
    """target(c_miller) -> a file: 100 kohm to 10 Mohm, with op-amps and lines of known dynamics."""
    text = (resources.files("memxc") / "targets" / "paper-128.toml").read_text()
    for old, new in (
        ("stage_time_s", "guard = 1.2\nstage_time_s"),
        ("r_on_ohm = 1.0e4", "r_on_ohm = 1.0e5"),
        ("r_off_ohm = 1.0e6", "r_off_ohm = 1.0e7"),
        ("r_source_ohm", "c_word_line_f = 5e-14\nc_bit_line_f = 2e-15\nr_source_ohm"),
        ("swing_v = 1.0\n", "swing_v = 0.2\n" + SKELETON),
    ):
        assert old in text
        text = text.replace(old, new)

    def write(c_miller="5.3e-13"):
        path = tmp_path / f"known{c_miller}.toml"
        path.write_text(text.format(c_miller=c_miller))
        return path

    return write


def verified(memxc, out, *args):
    done = memxc("verify", out, "--transient", "--json", "--count", "1", *args)
    assert "faults" not in done.json, done.json
    schema = json.loads((resources.files("memxc") / "schemas/memxc-verify-1.json").read_text())
    jsonschema.validate(done.json, schema)
    assert done.code == (0 if done.json["ok"] else 1)
    return done.json


@pytest.mark.spice
@pytest.mark.parametrize(
    "args", [["--tile", "10x6"], ["--signed", "inverted-inputs", "--schedule", "sequential"]]
)
def test_every_stage_settles_as_the_report_says(memxc, model, target, tmp_path, args, ngspice):
    out = tmp_path / "out"
    assert memxc("compile", model, "-o", out, "-t", target(), "--quiet", *args).code == 0
    found = verified(memxc, out)
    assert found["ok"], [
        part
        for key in ("stages", "cells", "limiters", "transients")
        for part in found[key]
        if not part["ok"]
    ]
    assert [one["stage"] for one in found["transients"]] == ["conv", "pool", "dense"]
    report = json.loads((out / "report.json").read_text())["latency"]
    rows = {row["stage"]: row for row in report["stages"]}
    for one in found["transients"]:
        whole = rows[one["stage"]]["settling_s"] / 1.2
        # The report's time has the inverters before the crossbars in it.
        inverted = "--signed" in args and one["stage"] != "pool"
        assert one["settling_s"] < 0.9 * whole if inverted else True
        assert inverted or one["settling_s"] == pytest.approx(whole, rel=0.02)
        assert one["overshoot"] == pytest.approx(one["expected_overshoot"], abs=0.01)
    only = verified(memxc, out, "--stage", "dense")
    assert only["transients"] == found["transients"][-1:]


@pytest.mark.spice
def test_nonlinear_devices_settle_as_linear_ones(memxc, model, target, tmp_path, ngspice):
    path, out = target(), tmp_path / "out"
    path.write_text(path.read_text().replace("levels = 0", "levels = 0\nsinh_v0_v = 0.43"))
    assert memxc("compile", model, "-o", out, "-t", path, "--quiet").code == 0
    (found,) = verified(memxc, out, "--stage", "dense")["transients"]
    assert found["ok"], [
        part
        for key in ("stages", "cells", "limiters", "transients")
        for part in found[key]
        if not part["ok"]
    ]
    assert found["settling_s"] == pytest.approx(found["expected_s"], rel=0.02)


@pytest.mark.spice
def test_a_stage_that_rings_fails(memxc, model, target, tmp_path, ngspice):
    """Its op-amp has a small Miller capacitance; ngspice and the report agree that it rings."""
    out = tmp_path / "out"
    assert memxc("compile", model, "-o", out, "-t", target("2e-14"), "--quiet").code == 0
    done = memxc("verify", out, "--transient", "--count", "1", "--stage", "dense")
    assert done.code == 1
    assert "the transient of dense" in done.out
    (found,) = verified(memxc, out, "--stage", "dense")["transients"]
    assert found["settling_s"] == pytest.approx(found["expected_s"], rel=0.02)
    assert found["overshoot"] == pytest.approx(found["expected_overshoot"], abs=0.01)
    assert found["overshoot"] > 0.2


def test_what_it_needs_is_said(memxc, compiled, model, target, tmp_path):
    done = memxc("verify", compiled("-t", "paper-128"), "--transient")
    assert done.code == 2
    assert "wire.c_bit_line_f" in done.err
    done = memxc("verify", tmp_path / "out", "--transient", "--engine", "neospice")
    assert done.code == 2
    assert "use --engine ngspice" in done.err


@pytest.mark.spice
def test_the_energy_of_an_evaluation_is_that_of_the_rails(memxc, model, tmp_path, ngspice):
    """What the currents of the outputs add to the idle energy is that of the report's ledger.

    The engine has less, because the currents rise from 0 A.
    """
    out = tmp_path / "out"
    assert memxc("compile", model, "-o", out, "--quiet").code == 0
    (one,) = verified(memxc, out, "--stage", "dense")["transients"]
    report = json.loads((out / "report.json").read_text())
    idle = 2 * report["target"]["amplifier"]["power_w"] * one["expected_s"]
    told = one["expected_energy_j"] - idle
    assert told > 0.03 * idle
    assert 0.8 * told < one["energy_j"] - idle < told
