"""The keys that decide programming, found by programming with each key changed."""

from __future__ import annotations

import pytest

from memxc import target
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.ir.store import save
from memxc.simulate.points import SweepPlan, points

#: A second value for every number of a target.
OTHER = {
    "device.r_on_ohm": "2e4", "device.r_off_ohm": "5e5", "device.levels": "4",
    "device.read_voltage_v": "0.1", "device.threshold_v": "0.22", "device.r_on_sigma": "0.1",
    "device.r_off_sigma": "0.1", "device.programming_sigma": "0.1", "device.read_noise": "0.01",
    "device.stuck_at_lrs": "0.1", "device.stuck_at_hrs": "0.1", "device.drift_nu": "0.1",
    "device.drift_time_s": "100", "crossbar.rows": "17", "crossbar.columns": "12",
    "crossbar.cell_area_m2": "2e-13", "crossbar.stage_time_s": "2e-9", "amplifier.gain": "500",
    "amplifier.swing_v": "0.05", "amplifier.power_w": "1", "amplifier.area_m2": "1",
    "wire.r_source_ohm": "3", "wire.r_word_line_ohm": "3", "wire.r_bit_line_ohm": "3",
    "wire.r_neuron_ohm": "3", "wire.open_word_line": "0.1", "wire.open_bit_line": "0.1",
}  # fmt: skip
PROGRAMMED = {
    "device.r_on_ohm", "device.r_off_ohm", "device.levels", "device.read_voltage_v",
    "device.threshold_v", "crossbar.rows", "crossbar.columns", "amplifier.gain",
    "amplifier.swing_v",
}  # fmt: skip


def design(model, chosen, folder):
    folder.mkdir()
    made = compile_model(Options(model, chosen), check=False).design
    return [path.read_bytes() for path in save(made, folder)]


@pytest.mark.parametrize("key", OTHER)
def test_keys_that_give_another_design_are_programmed_again(model, tmp_path, key):
    hfox = target.load("paper-128")
    (point,) = points(SweepPlan((f"{key}={OTHER[key]}",)), hfox)
    assert point.target != hfox
    assert point.reprogrammed == ((key,) if key in PROGRAMMED else ())
    same = design(model, hfox, tmp_path / "a") == design(model, point.target, tmp_path / "b")
    assert same == (key not in PROGRAMMED)


def test_all_that_is_programmed_again_is_named():
    settings = ("device.levels=4", "wire.r_source=3", "amplifier.swing_v=2")
    (point,) = points(SweepPlan(settings), target.load("paper-128"))
    assert point.reprogrammed == ("device.levels", "amplifier.swing_v")


def test_a_fault_of_a_sweep_is_told_once_and_by_its_name():
    plan = SweepPlan(sweep=(("device.sigmaa", ("0", "0.1")), ("device.levels", ("0", "7"))))
    with pytest.raises(MemxcError) as caught:
        points(plan, target.load("paper-128"))
    assert [(f.where, f.what) for f in caught.value.faults] == [
        ("--sweep device.sigmaa=0", "no key 'sigmaa' in device")
    ]


@pytest.mark.parametrize(
    ("settings", "sweep", "where"),
    [
        ((), (("device.levels", ("4", "8")), ("device.levels", ("16",))), "device.levels=16"),
        (("device.levels=4",), (("device.levels", ("8", "16")),), "device.levels=8"),
        ((), (("wire.r_source", ("1",)), ("wire.r_source_ohm", ("2",))), "wire.r_source_ohm=2"),
    ],
)
def test_a_key_given_twice_is_a_fault(settings, sweep, where):
    with pytest.raises(MemxcError) as caught:
        points(SweepPlan(settings, sweep), target.load("paper-128"))
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("usage", f"--sweep {where}")
    assert fault.what.endswith("is given twice")
