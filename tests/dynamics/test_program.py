"""A programming plan, the deck that applies it in ngspice, and what programming costs."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest

from memxc.backends.programming import cost, deck, plan
from memxc.backends.programming.crossbars import ToProgram

#: Pulses for the models of conftest: coarse ones, and others that reach every conductance.
THRESHOLD = {"v_set_v": 2.0, "v_reset_v": 2.0, "width_s": 2e-10, "tolerance": 0.03}
FINE = {"v_set_v": 2.0, "v_reset_v": 1.75, "width_s": 1e-10, "tolerance": 0.1}
VTEAM = {"v_set_v": 0.78, "v_reset_v": 0.5, "width_s": 1e-6, "tolerance": 0.1, "most_v": 1.4,
         "step_v": 0.005}  # fmt: skip
FILAMENT = {"v_set_v": 1.0, "v_reset_v": 0.8, "width_s": 1e-6, "tolerance": 0.05, "most_v": 2.5,
            "step_v": 0.02, "start": "lrs", "scheme": "1T1R", "access_ohm": 2500.0,
            "compliance_a": 5e-5}  # fmt: skip


def siemens(target, shape=(3, 4)):
    """Conductances of a crossbar of 3 word lines and 4 bit lines; one crossing has no device."""
    g = np.random.default_rng(5).uniform(target.device.g_min, target.device.g_max, shape)
    g[1, 2] = 0.0
    return g


def test_a_plan_by_hand(dynamic):
    """dR = beta (2.0 - 1.6) 0.2 ns = 800 ohm a pulse, from 10 kohm on: 4.4 kohm takes 7 pulses."""
    target = dynamic("threshold", **THRESHOLD, read_s=1e-9)
    found = plan.planned(1 / np.array([4.4e3, 10e3, 4.35e3]), target)
    assert found.wanted.tolist() == pytest.approx([1e-4, 1 / 4.4e3, 1 / 4.35e3])
    assert [found.runs[k] for k in found.sequence] == [(), ((1, 7),), ((1, 7),)]
    assert found.reached_s[found.sequence] == pytest.approx([1e-4, 1 / 4.4e3, 1 / 4.4e3])
    # R falls at beta * 0.4 V from 10 to 4.4 kohm, so joules are V^2 ln(10 / 4.4) / (beta 0.4 V).
    joules = 4 * np.log(10 / 4.4) / (1e13 * 0.4)
    assert found.energy_j[found.sequence] == pytest.approx([0, joules, joules])
    assert not found.failed.any()


def test_an_overshoot_is_reset_or_fails(dynamic):
    """800 ohm a pulse miss 4 kohm by 400 (tolerance 120): up and down for ever."""
    target = dynamic("threshold", **THRESHOLD, most_pulses=12)
    found = plan.planned(np.array([1 / 4e3]), target)
    assert found.failed.tolist() == [True]
    assert found.pulses[found.sequence] == [12]
    assert found.runs[found.sequence[0]][:3] == ((1, 8), (-1, 1), (1, 1))
    gentle = THRESHOLD | {"v_reset_v": 1.75}
    found = plan.planned(np.array([1 / 4e3]), dynamic("threshold", **gentle))
    assert found.failed.tolist() == [False]
    assert found.runs[found.sequence[0]] == ((1, 8), (-1, 1))  # 3.6 kohm, and 300 ohm back


def test_volts_rise_from_pulse_to_pulse(dynamic):
    pulse = dynamic("vteam", **VTEAM | {"step_v": 0.3}).programming
    assert plan.volts(pulse, 1, 4).tolist() == pytest.approx([0.78, 1.08, 1.38, 1.4])
    assert plan.volts(pulse, -1, 2).tolist() == pytest.approx([-0.5, -0.8])


def test_a_plan_does_not_depend_on_the_other_conductances(dynamic):
    target = dynamic("filament", **FILAMENT)
    g = siemens(target)
    every = plan.planned(g[g > 0], target)
    assert not every.failed.any()
    for one in (g[0, 1], g[2, 3]):
        alone = plan.planned(np.array([one]), target)
        k, other = alone.sequence[0], every.of(np.array([one]))[0]
        assert alone.runs[k] == every.runs[other]
        assert alone.reached_s[k] == pytest.approx(every.reached_s[other], rel=1e-5)
        assert abs(alone.reached_s[k] / one - 1) < 0.05


def test_volts_below_the_threshold_fail_at_once(dynamic):
    target = dynamic("threshold", **THRESHOLD | {"v_set_v": 1.5})
    found = plan.planned(np.array([1e-4, 5e-4]), target)
    assert found.failed.tolist() == [False, True]
    assert found.pulses.max() == 1


def spice(ngspice, folder, text):
    """What ngspice prints for a deck."""
    (folder / "deck.cir").write_text(text)
    done = subprocess.run([ngspice, "-n", "-b", "deck.cir"], cwd=folder, capture_output=True,
                          text=True, check=False)  # fmt: skip
    return done.stdout + done.stderr


def read_back(words):
    """The siemens of each cell in the words of ngspice."""
    found = re.findall(r"^g(\d+)_(\d+)\s*=\s*(\S+)", words, re.M)
    assert found, words
    return {(int(row), int(column)): float(value) for row, column, value in found}


def integrated(text, g):
    """The deck with a measurement of all joules that its sources give before the reads."""
    first = float(re.search(r"^\.meas tran i0_0 .* at=(\S+)", text, re.M)[1])
    width = float(re.search(r"^\.tran (\S+)", text, re.M)[1]) * 20
    lines = [f"w{row}" for row in range(g.shape[0])] + [f"c{col}" for col in range(g.shape[1])]
    watts = "+".join(f"v({line})*i(v{line})" for line in lines)
    return text.replace(".options", f"""bwatts joules 0 i=1e9*({watts})
cjoules joules 0 1
.meas tran joules find v(joules) at={first - 0.52 * width:.12e}
.options""", 1)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "keys", "slack"),
    [
        ("threshold", FINE, 0.005),
        pytest.param("threshold", FINE | {"scheme": "V/3"}, 0.005, marks=pytest.mark.slow),
        pytest.param("vteam", VTEAM, 0.01, marks=pytest.mark.slow),
        pytest.param("filament", FILAMENT, 0.01, marks=pytest.mark.slow),
    ],
)
def test_ngspice_reaches_what_the_plan_says(ngspice, tmp_path, dynamic, model, keys, slack):
    """The conductances, and the joules of all sources: in programmed cells and beside them."""
    target = dynamic(model, **keys)
    g = siemens(target)
    found = plan.planned(g[g > 0], target)
    assert not found.failed.any()
    text = integrated("\n".join(deck.deck(g, found, target, "xb0")) + "\n", g)
    words = spice(ngspice, tmp_path, text)
    values = read_back(words)
    assert set(values) == set(zip(*map(np.ndarray.tolist, np.nonzero(g)), strict=True))
    for place, value in values.items():
        planned = found.reached_s[found.of(g[place])]
        assert value == pytest.approx(planned, rel=slack), place
        assert abs(value / g[place] - 1) < target.programming.tolerance + slack
    joules = float(re.search(r"^joules\s*=\s*(\S+)", words, re.M)[1]) * 1e-9
    programmed = found.energy_j[found.of(g[g > 0])].sum()
    beside = cost.bystanders_j(ToProgram("xb0", g, 1), found, target)
    assert (beside > 0) == (target.programming.scheme != "1T1R")
    # The plan stops within a tolerance of g, and its bystanders are at g.
    assert joules == pytest.approx(programmed + beside, rel=0.02)


def test_half_select_disturbs_and_a_third_does_not(ngspice, tmp_path, dynamic):
    """Pulses of 1.1 V before a threshold of 0.5 V: V/2 is above it, and V/3 below."""
    keys = {"v_set_v": 1.1, "v_reset_v": 1.1, "width_s": 2e-8, "tolerance": 0.2}
    changes = {}
    for scheme in ("V/2", "V/3"):
        target = dynamic(
            "vteam", dynamics={"v_set_v": 0.5, "v_reset_v": 0.5}, scheme=scheme, **keys
        )
        g = np.full((2, 3), target.device.g_min)
        g[0, 0] = 0.9 * target.device.g_max
        found = plan.planned(g.reshape(-1), target)
        counts = found.pulses[found.of(g)]
        assert counts[0, 0] > 3
        assert counts.sum() == counts[0, 0]
        bound = cost.disturb(target, cost.exposed_s(counts, target.programming))
        values = read_back(
            spice(ngspice, tmp_path, "\n".join(deck.deck(g, found, target, "x")) + "\n")
        )
        others = [values[place] for place in ((0, 1), (0, 2), (1, 0), (1, 1), (1, 2))]
        changes[scheme] = np.abs(np.array(others) / target.device.g_min - 1)
        assert (bound > 1e-4) == (scheme == "V/2")
        assert changes[scheme].max() <= bound + 3e-6
    assert changes["V/2"][:3].min() > 1e-4  # on the selected lines
    assert changes["V/2"][3:].max() < 3e-6  # gmin
    assert changes["V/3"].max() < 3e-6


def test_seconds_that_each_cell_is_half_selected_by_hand(dynamic):
    """By hand: at (0, 0) of the V/2 scheme 2 + 3 pulses of its row and 4 of its column."""
    counts = np.array([[1, 2, 3], [4, 0, 0]])
    pulse = dynamic("vteam", **VTEAM).programming
    assert cost.exposed_s(counts, pulse) == pytest.approx(9e-6)
    third = pulse.model_copy(update={"scheme": "V/3"})
    assert cost.exposed_s(counts, third) == pytest.approx(10e-6)
    assert cost.exposed_s(counts, pulse.model_copy(update={"scheme": "1T1R"})) == 0
