"""I-V laws: values worked out by hand, and measured curves from a user's file."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import target
from memxc.errors import MemxcError
from memxc.physics.device import iv_laws

HFOX = target.load("paper-128")  # read at 0.2 V

#: Two states on different points; the first without 0 V, the second with both sides.
CSV = """state_ohm,volts,amperes
1e5,0.1,0.8e-6
1e5,0.2,2.0e-6
1e5,0.4,5.0e-6
1e4,-0.5,-7e-5
1e4,0,0
1e4,0.3,3.5e-5
1e4,0.1,1e-5
1e4,-0.2,-2e-5
"""


@pytest.fixture
def measured(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV)
    return HFOX.with_set(f"device.iv_csv={tmp_path / 'mine.csv'}")


def amperes(device, g, volts):
    return iv_laws.law(device)(np.array(g), np.array(volts))[0]


def test_a_sinh_cell():
    device = HFOX.with_set("device.iv=sinh", "device.sinh_v0=0.1").device
    assert amperes(device, [2e-5, 0.0], 0.1) == pytest.approx([2e-6 * 1.1752011936438014, 0.0])
    assert amperes(device, 3e-5, 1e-9) == pytest.approx(3e-14)


def test_a_linear_cell_is_what_targets_have():
    assert amperes(HFOX.device, 2e-5, -0.1) == pytest.approx(-2e-6)


@pytest.mark.parametrize(
    ("g", "volts", "says"),
    [
        (1e-5, 0.1, 0.8e-6),  # a point
        (1e-5, 0.05, 0.4e-6),  # between 0 V and the first
        (1e-5, -0.3, -3.5e-6),  # odd, between two points
        (1.125e-4, -0.35, -4.5e-5 * 1.0),  # the second state itself: see below
        (5e-6, 0.1, 0.4e-6),  # half the first state
    ],
)
def test_measured_curves_by_hand(measured, g, volts, says):
    # The second state at 0.2 V: 1e-5 + (3.5e-5 - 1e-5) / 2 = 2.25e-5 A, so 1.125e-4 S.
    if g == 1.125e-4:
        says = -2e-5 - (7e-5 - 2e-5) * 0.15 / 0.3
    assert amperes(measured.device, g, volts) == pytest.approx(says, rel=1e-12)


def test_between_and_above_the_states(measured):
    # A third of the way from 1e-5 to 1.125e-4 S, at 0.1 V: from 0.8e-6 to 1e-5 A.
    third = 1e-5 + (1.125e-4 - 1e-5) / 3
    assert amperes(measured.device, third, 0.1) == pytest.approx(0.8e-6 + 9.2e-6 / 3)
    assert amperes(measured.device, 2.25e-4, 0.1) == pytest.approx(2e-5)
    assert amperes(measured.device, 0.0, 0.1) == 0.0


def test_a_cell_read_at_the_read_voltage_has_its_conductance(measured):
    g = np.array([1e-7, 1e-5, 3e-5, 1.125e-4, 5e-4])
    assert amperes(measured.device, g, 0.2) == pytest.approx(0.2 * g, rel=1e-12)


@pytest.mark.parametrize("law", ["linear", "sinh", "table"])
def test_the_slope_is_the_derivative(measured, law):
    device = measured.with_set(f"device.iv={law}", "device.sinh_v0=0.1").device
    rng = np.random.default_rng(1)
    g, volts, small = 10 ** rng.uniform(-6, -3, (40, 30)), rng.uniform(-0.6, 0.6, 30), 1e-9
    rule = iv_laws.law(device)
    slope = (rule(g, volts + small)[0] - rule(g, volts - small)[0]) / (2 * small)
    np.testing.assert_allclose(rule(g, volts)[1], slope, rtol=1e-5)
    assert (slope > 0).all()


def test_the_reach_is_the_range_that_all_curves_cover(measured):
    assert iv_laws.law(measured.device).reach == (-0.4, 0.3)
    assert iv_laws.law(HFOX.device).reach == (-np.inf, np.inf)


def test_a_folder_keeps_the_curves(measured):
    again = target.Target.model_validate(measured.model_dump(mode="json"))
    assert again == measured
    assert "iv_csv = mine.csv" in again.device.source


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("state_s,volts\n1,1\n", "the first line reads"),
        ("state_s,state_ohm,volts,amperes\n1,1,1,1\n", "the first line reads"),
        ("", "no points"),
        ("state_s,volts,amperes\n1e-5,x,1\n1e-5,0.1,inf\n", "no number|not finite"),
        ("state_s,volts,amperes\n1e-5,0.1,1e-6,7\n", "more cells"),
        ("state_s,volts,amperes\n-1e-5,0.1,1e-6\n", "above 0"),
        ("state_s,volts,amperes\n1e-5,0.3,3e-6\n1e-5,0.1,3e-6\n", "does not rise from 0.1 to 0.3"),
        ("state_s,volts,amperes\n1e-5,0.3,3e-6\n1e-5,0.3,4e-6\n", "two currents at 0.3 V"),
        ("state_s,volts,amperes\n1e-5,0.3,-3e-6\n", "does not rise"),
        ("state_s,volts,amperes\n1e-5,0,1e-9\n1e-5,0.3,3e-6\n1e-5,-0.3,-3e-6\n", "current at 0 V"),
        ("state_s,volts,amperes\n1e-5,0,0\n", "no point but 0 V"),
        ("state_s,volts,amperes\n1e-5,0.1,1e-6\n", "not measured at read_voltage_v = 0.2"),
        ("state_s,volts,amperes\n1e-5,0.3,3e-9\n", "1e-05 S has 1e-08 S"),
        ("state_s,volts,amperes\n1e-5,0.3,3e-6\n1.1e-5,0.3,3e-6\n", "same conductance"),
    ],
)
def test_a_file_that_is_no_measurement(tmp_path, text, says):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(MemxcError, match=says):
        HFOX.with_set(f"device.iv_csv={tmp_path / 'bad.csv'}")


def test_every_bad_point_is_named(tmp_path):
    (tmp_path / "bad.csv").write_text("state_s,volts,amperes\n1,x,1\n1,1,1\n1,1,y\n")
    with pytest.raises(MemxcError) as caught:
        HFOX.with_set(f"device.iv_csv={tmp_path / 'bad.csv'}")
    assert [fault.where[-7:] for fault in caught.value.faults] == ["point 1", "point 3"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["device.iv=sinh"], "needs sinh_v0_v"),
        (["device.iv=table"], "needs iv_csv"),
        (["device.iv=cubic"], "linear"),
        (["device.iv=sinh", "device.sinh_v0_v=0"], "greater than"),
        (["device.iv=sinh", "device.sinh_v0_v=0.009"], "more than 20 times"),
        (["device.curves=1"], "no key"),
    ],
)
def test_settings_of_an_unknown_or_incomplete_law_are_faults(settings, says):
    with pytest.raises(MemxcError, match=says):
        HFOX.with_set(*settings)
