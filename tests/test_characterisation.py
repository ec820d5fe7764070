"""A table of a characterised op-amp fills the amplifier of a target, or says what is wrong."""

import json
import re
from importlib import resources

import pytest

from memxc import target
from memxc.errors import MemxcError

POINT = {
    "corner": "", "temperature_k": 300.0, "r_load_ohm": 1e5, "c_load_f": 2e-13, "noise_gain": 2.0,
    "offset_v": 0.0, "power_w": 4e-5, "source_w_per_a": 0.9, "sink_w_per_a": 0.9, "transfer": [],
    "output_low_v": -0.8, "output_high_v": 0.8, "source_a": 3e-5, "sink_a": 6e-5, "gain": 5e3,
    "gain_bandwidth_hz": 3e7, "phase_margin_deg": 60.0, "c_in_f": 2e-14, "slew_v_per_s": 2e7,
    "settling_s": 3e-8, "overshoot": 0.0,
}  # fmt: skip
TABLE = {
    "level": "macro", "variant": "", "sha256": "", "engine": "ngspice", "engine_version": "39",
    "process": "", "process_sha256": "", "supply_v": 0.8, "output_class": "A",
    "skeleton": {
        "gm1_s": 5e-5, "r1_ohm": 8e6, "c1_f": 2e-14, "c_miller_f": 2e-13, "gm2_s": 2e-4,
        "r2_ohm": 1.6e5, "c2_f": 3e-14, "c_in_f": 2e-14, "error_db": 0.1, "error_deg": 1.0,
    },
    "points": [POINT, POINT | {"power_w": 7e-5, "source_a": 2e-5, "sink_a": 9e-5}],
    "cells": [],
}  # fmt: skip


def _load(folder, table):
    """Return the amplifier of a target that reads the table and gives gm2_s itself."""
    text = (resources.files("memxc") / "targets" / "sky130-128.toml").read_text("utf-8")
    head, rest = text.split("[amplifier]\n")
    own, bracket, end = rest.partition("\n[")
    kept = re.findall(r"^(?:source|swing_v|area_m2) = .*\n", f"{own}\n", re.M)
    given = 'characterisation = "op.json"\ngm2_s = 3e-4\n' + "".join(kept)
    (folder / "op.json").write_text(json.dumps(table))
    (folder / "t.toml").write_text(f"{head}[amplifier]\n{given}{bracket}{end}")
    return target.load(str(folder / "t.toml")).amplifier


def test_a_table_fills_what_the_target_does_not_give(tmp_path):
    amplifier = _load(tmp_path, TABLE)
    assert amplifier.power_w == 4e-5
    assert (amplifier.source_a, amplifier.sink_a) == (2e-5, 6e-5)
    assert (amplifier.supply_v, amplifier.output_class) == (0.8, "A")
    assert amplifier.gain == 12800
    assert amplifier.gm2_s == 3e-4
    assert "op.json, op-amp of level macro, ngspice 39" in amplifier.source


def test_a_copy_of_a_shipped_target_reads_the_shipped_table(tmp_path):
    text = (resources.files("memxc") / "targets" / "hfox-128.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(text)
    found = target.load(str(tmp_path / "mine.toml")).amplifier
    assert found == target.load("hfox-128").amplifier
    # A table beside the file goes before the shipped one; no other place is looked at.
    (tmp_path / "opamp-sky130.json").write_text(json.dumps(TABLE))
    assert target.load(str(tmp_path / "mine.toml")).amplifier.power_w == 4e-5
    (tmp_path / "mine.toml").write_text(text.replace("opamp-sky130.json", "x/opamp-sky130.json"))
    with pytest.raises(MemxcError, match="cannot be read"):
        target.load(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"supply_v": float("nan")}, "supply_v"),
        ({"points": []}, "points"),
        ({"points": [POINT] * 5000}, "larger than 1 MiB"),
        ({"schema": "memxc-characterisation/9"}, "schema"),
        ({"more": 1}, "more"),
    ],
)
def test_a_wrong_table_is_a_fault(tmp_path, change, said):
    with pytest.raises(MemxcError) as caught:
        _load(tmp_path, TABLE | change)
    assert {fault.code for fault in caught.value.faults} == {"bad-target"}
    assert said in str(caught.value)
