"""memxc characterize: the table of memxc's macro, and an op-amp of the user's own."""

import pytest

from memxc.target import characterisation

#: One pole and no second stage: 40 dB, 16 MHz; its output has 1 kohm.
OWN = """* mine
.subckt op_amp inp inn out vdd vss
g1 0 a inp inn 1e-4
r1 a 0 {r1}
c1 a 0 1p
e1 b 0 a 0 1
r2 b out 1k
cn inn 0 10f
ri vdd vss 100k
.ends op_amp
"""


@pytest.fixture
def own(tmp_path):
    def write(given):
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "op_amp.cir").write_text(given)
        return folder

    return write


@pytest.mark.spice
def test_an_own_op_amp_is_measured_and_its_misfit_said(memxc, ngspice, own, tmp_path):
    table = tmp_path / "mine.json"
    done = memxc("characterize", "sky130-128", "--cells", own(OWN.format(r1="1e6")), "-o", table)
    # The gain of 100 leaves errors of 2 %, and a pair has twice as much.
    assert done.code == 1
    assert "tia does not fit" in done.out
    assert "op_amp does not fit" not in done.out
    found = characterisation.read(table)
    assert (found.variant, found.level, found.engine) == ("own", "macro", "ngspice")
    first = found.points[0]
    # 100 into 20 kohm behind 1 kohm; 1.8 V over 100 kohm.
    assert first.gain == pytest.approx(100 * 20 / 21, rel=1e-3)
    assert first.power_w == pytest.approx(1.8**2 / 1e5, rel=1e-3)
    assert first.gain_bandwidth_hz == pytest.approx(1e-4 / (2e-12 * 3.1416) * 20 / 21, rel=0.02)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["ideal"], "amplifier.gm1_s: the level macro needs it"),
        (["sky130-128", "--corner", "tt"], "the level macro has no corners"),
        (["sky130-128", "--temperature", "400"], "-55 to 150 degrees"),
        (["sky130-128", "--temperature", "nan"], "-55 to 150 degrees"),
        (["sky130-128", "--temperature", "27", "--temperature", "27"], "has a value twice"),
        (["sky130-128", "--level", "transistor", "--corner", "xx"], "one of tt, ss, ff, sf, fs"),
    ],
)
def test_what_cannot_be_measured_is_a_usage_fault(memxc, args, said):
    done = memxc("characterize", *args)
    assert done.code == 2
    assert said in done.err


@pytest.mark.spice
def test_an_op_amp_that_does_nothing_is_a_fault(memxc, ngspice, own):
    given = OWN.format(r1=1).replace("e1 b 0 a 0 1", "e1 b 0 a 0 0")
    done = memxc("characterize", "sky130-128", "--cells", own(given))
    assert done.code == 3
    assert "no table can hold" in done.err


def test_models_that_are_not_here_are_a_fault(memxc, monkeypatch, tmp_path):
    monkeypatch.setenv("MEMXC_PDK", str(tmp_path))
    done = memxc("characterize", "sky130-128", "--level", "transistor")
    assert done.code == 3
    assert "memxc pdk add" in done.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (OWN.replace("inp inn out", "inn inp out"), "wanted are inp inn out vdd vss"),
        (OWN.replace("op_amp", "opamp"), "has none of the cells"),
        (OWN.replace("ri vdd", "x1 a sky130_fd_pr__nfet_01v8\nri vdd"), "no file of the netlist"),
        (OWN + ".control\nshell id\n.endc\n", ".control"),
    ],
)
def test_cells_that_do_not_fit_are_faults(memxc, own, given, said):
    done = memxc("characterize", "sky130-128", "--cells", own(given.format(r1=1)))
    assert done.code == 3
    assert said in done.err
