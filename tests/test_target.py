"""Targets: the shipped ones, the keys of a file, measured states, and single settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from memxc import target
from memxc.errors import MemxcError
from memxc.interfaces import Context
from memxc.ir.design import Bus, Design, Linear
from memxc.ir.kernel import Kernel
from memxc.ir.windows import identity_windows
from memxc.passes.program import Program
from memxc.target import Target

HFOX = target.load("hfox-128")


def faults(call, *args):
    with pytest.raises(MemxcError) as caught:
        call(*args)
    return [(f.code, f.where, f.what, f.hint) for f in caught.value.faults]


def toml(tmp_path, device, wire=""):
    text = (
        'name = "mine"\n[crossbar]\nrows = 8\ncolumns = 6\ncell_area_m2 = 0\nstage_time_s = 1e-9\n'
        f'source = "s"\n[wire]\nsource = "s"\n{wire}\n'
        '[amplifier]\ngain = 1e4\nswing_v = 1\npower_w = 0\narea_m2 = 0\nsource = "s"\n'
        f'[device]\nread_voltage_v = 0.1\nthreshold_v = 0.2\nsource = "s"\n{device}\n'
    )
    (tmp_path / "mine.toml").write_text(text)
    return str(tmp_path / "mine.toml")


RANGE = "r_on_ohm = 1e4\nr_off_ohm = 1e6\n"


@pytest.mark.parametrize("name", target.names())
def test_shipped_targets_say_where_their_numbers_come_from(name):
    found = target.load(name)
    assert found.name == name
    assert found.summary
    assert all(getattr(found, t).source for t in ("crossbar", "device", "wire", "amplifier"))
    # A folder's manifest holds the same target.
    assert Target.model_validate(found.model_dump(mode="json")) == found


def test_shipped_targets_are_all_there():
    assert {"hfox-128", "hfox-256", "ideal", "ideal-finite-gain", "threshold-128"} < set(
        target.names()
    )


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("stuck_at_lrs = 0.6\nstuck_at_hrs = 0.5", "more than all devices"),
        ("stuck_at_lrs = 1.5", "less than or equal to 1"),
        ("programming_sigma = -0.1", "greater than or equal to 0"),
        ("programming_sigma = nan", "less than or equal to 1"),
        ("programming_model = 'gauss'", "'normal' or 'lognormal'"),
        ("drift_time_s = 0.5", "before drift_t0_s"),
        ("drift_time_s = inf", "less than or equal to"),
        ("temperature_k = 400\ntemperature_coefficient_per_k = -0.01", "no conductance"),
    ],
)
def test_effects_that_cannot_be(tmp_path, device, says):
    ((code, where, what, _),) = faults(target.load, toml(tmp_path, RANGE + device))
    assert code == "bad-target"
    assert "device" in where
    assert says in what


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "-1.0"])
@pytest.mark.parametrize(
    "key",
    [
        *("crossbar.cell_area_m2", "crossbar.stage_time_s", "device.r_on_ohm", "device.r_off_ohm"),
        *("device.read_voltage_v", "amplifier.swing_v", "amplifier.power_w", "amplifier.area_m2"),
    ],
)
def test_numbers_are_within_bounds(key, value):
    found = faults(HFOX.with_set, f"{key}={value}")
    assert all(code == "usage" and key in where for code, where, *_ in found)
    assert {what.split(" than ")[0] for *_, what, _ in found} == {
        "has to be greater" if value == "-1.0" else "has to be less"
    }


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("r_on_ohm = 'abc'", ("device.r_on_ohm", "is not a number")),
        ("r_on_ohm = []", ("device.r_on_ohm", "is not a number")),
        ("levels = 2.5", ("device.levels", "is not a whole number")),
        ("levels = 'two'", ("device.levels", "is not a whole number")),
        ("levels = []", ("device.levels", "is not a whole number")),
        ("states = 5", ("device.states", "is not a list")),
        ("states = [5]", ("device.states.0", "is not a table")),
        ("states = [{mean_s = 1e-6}]", ("device.states.0.sigma_s", "is missing")),
        ("temperature_k = inf", ("device.temperature_k", "has to be less than or equal to 2000")),
        ("iv = 'x'", ("device.iv", "has to be 'linear', 'sinh' or 'table'")),
        ("source = ''", ("device.source", "is empty")),
        ("source = 5", ("device.source", "is not text")),
    ],
)
def test_what_is_wrong_is_in_our_own_words(tmp_path, device, says):
    text = Path(toml(tmp_path, "")).read_text()
    if device.startswith("source"):
        text = text.replace('threshold_v = 0.2\nsource = "s"', "threshold_v = 0.2")
    (tmp_path / "mine.toml").write_text(text + device)
    found = faults(target.load, str(tmp_path / "mine.toml"))
    assert (f"{tmp_path / 'mine.toml'}: {says[0]}", says[1]) in [
        (w, what) for _, w, what, _ in found
    ]


def test_an_empty_file_lacks_every_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty.toml").write_text("")
    assert [(where, what) for _, where, what, _ in faults(target.load, "empty.toml")] == [
        (f"empty.toml: {key}", "is missing")
        for key in ("name", "crossbar", "device", "wire", "amplifier")
    ]
    Path("name.toml").write_text(f"name = '{'x' * 81}'")
    assert faults(target.load, "name.toml")[0][2] == "has to have at most 80 characters"


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("nofile.toml", "cannot be read: no such file", ""),
        ("hfox128.toml", "cannot be read: no such file", "did you mean 'hfox-128'?"),
        ("folder.toml", "cannot be read: Is a directory", ""),
        ("bytes.toml", "cannot be read: not UTF-8 text", ""),
        ("mine", "no such target", "did you mean 'mine.toml'?"),
        ("hfox-12", "no such target", "did you mean 'hfox-128'? memxc targets lists them"),
        ("other", "no such target", "memxc targets lists them"),
        ("x" * 5000, "no such target", "memxc targets lists them"),
    ],
)
def test_targets_that_are_not_there(tmp_path, monkeypatch, name, what, hint):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text("")
    Path("bytes.toml").write_bytes(b"\xff\xfe")
    Path("folder.toml").mkdir()
    assert faults(target.load, name) == [("bad-target", name, what, hint)]


@pytest.mark.parametrize("setting", ["r_on_ohm=1e-4", "r_off_ohm=2e15", "read_voltage_v=1e-30"])
def test_a_value_in_the_wrong_unit_is_refused(setting):
    ((code, where, *_),) = faults(HFOX.with_set, f"device.{setting}")
    assert (code, setting.split("=")[0] in where) == ("usage", True)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = toml(tmp_path, RANGE)
    text = (tmp_path / "mine.toml").read_bytes()
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + text)
    assert target.load(path).name == "mine"


def test_brackets_in_brackets(tmp_path):
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000)
    ((code, _, what, _),) = faults(target.load, str(tmp_path / "deep.toml"))
    assert code == "bad-target"
    assert "not TOML" in what


def test_near_names_of_new_keys(tmp_path):
    found = faults(target.load, toml(tmp_path, RANGE + "programing_sigma = 1", "open_wordline = 0"))
    assert [hint for *_, hint in found] == [
        "did you mean 'programming_sigma'?",
        "did you mean 'open_word_line'?",
    ]


CSV = "level,mean_ohm,sigma_ohm\n2,1e4,100\n0,1e6,5e4\n1,2e4,1000\n"


def test_measured_states(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV)
    device = target.load(toml(tmp_path, "states_csv = 'mine.csv'")).device
    assert [s.mean_s for s in device.states] == pytest.approx([1e-6, 5e-5, 1e-4])
    # d(1/r) = dr / r^2
    assert [s.sigma_s for s in device.states] == pytest.approx([5e-8, 2.5e-6, 1e-6])
    assert device.r_on_ohm == pytest.approx(1e4)
    assert device.r_off_ohm == pytest.approx(1e6)


def test_a_file_with_a_curve_chooses_the_law_of_the_curve(tmp_path):
    (tmp_path / "c.csv").write_text("state_ohm,volts,amperes\n1e4,0.1,1e-5\n1e4,0.2,3e-5\n")
    ohms = "r_on_ohm = 9e3\nr_off_ohm = 1e6\n"
    for more, law in (
        ("iv_csv = 'c.csv'", "table"),
        ("sinh_v0_v = 0.1", "sinh"),
        ("iv_csv = 'c.csv'\niv = 'linear'", "linear"),
        ("", "linear"),
    ):
        assert target.load(toml(tmp_path, ohms + more)).device.iv == law
    assert HFOX.with_set("device.sinh_v0=0.1").device.iv == "sinh"
    assert HFOX.with_set("device.iv=linear", "device.sinh_v0=0.1").device.iv == "linear"
    assert HFOX.with_set("device.sinh_v0=0.1", "device.iv=linear").device.iv == "linear"
    assert HFOX.with_set("device.sigma=0.1").device.iv == "linear"


def test_measured_states_in_siemens(tmp_path):
    (tmp_path / "a.csv").write_text("target_s, mean_s, sigma_s\r\n1e-6,2e-6,1e-7\r\n,5e-5,0\r\n")
    device = target.load(toml(tmp_path, "states_csv = 'a.csv'")).device
    assert [(s.mean_s, s.sigma_s) for s in device.states] == [(2e-6, 1e-7), (5e-5, 0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no states"),
        ("mean_s,sigma_s\n1e-6,0\n", "1 states"),
        ("mean_s,sd\n1,2\n3,4\n", "first line reads"),
        ("mean_s,mean_ohm,sigma_s\n1,2,3\n4,5,6\n", "first line reads"),
        ("mean_s,sigma_s\n1e-6,0\nx,0\n", "mean_s is not a number: 'x'"),
        ("mean_s,sigma_s\n1e-6,0\n1e-5\n", "sigma_s is not a number"),
        ("mean_s,sigma_s\n1e-6,0\n1e-5,0,9\n", "more cells than columns"),
        ("mean_s,sigma_s\n1e-6,0,9\n1e-5,0\n", "more cells than columns"),
        ("mean_s,sigma_s\n1e-6,0\n-1e-5,0\n", "mean_s has to be above 0"),
        ("mean_s,sigma_s\n1e-6,0\n1e-5,nan\n", "not finite"),
        ("mean_s,sigma_s\n1e-6,0\n1e-6,1\n1e-5,0\n", "no two of them may have the same mean"),
        ('mean_s,sigma_s\n1e-6,0\n"1e-5,0\n', "not CSV"),
        ("mean_ohm,sigma_s\n1e-320,0\n1,0\n", ""),
    ],
)
def test_states_that_are_none(tmp_path, text, says):
    (tmp_path / "bad.csv").write_text(text)
    path = toml(tmp_path, "states_csv = 'bad.csv'")
    found = faults(target.load, path)
    assert all(code == "bad-target" for code, *_ in found)
    assert says in found[0][2]


def test_states_that_are_no_text(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert "cannot be read" in faults(target.load, toml(tmp_path, "states_csv='bad.csv'"))[0][2]
    assert "cannot be read" in faults(target.load, toml(tmp_path, "states_csv='no.csv'"))[0][2]


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("levels = 4", "replace levels"),
        ("programming_sigma = 0.1", "replace levels"),
        ("r_on_ohm = 9e3", "r_on_ohm comes from the states (10000)"),
        ("r_off_ohm = 2e6", "r_off_ohm comes from the states (1e+06)"),
    ],
)
def test_states_cannot_be_combined_with_other_keys(tmp_path, device, says):
    (tmp_path / "mine.csv").write_text(CSV)
    path = toml(tmp_path, f"states_csv = 'mine.csv'\n{device}")
    assert says in faults(target.load, path)[0][2]


def test_a_misspelt_key_of_a_state(tmp_path):
    device = "states = [{mean_s = 1e-6, sigma = 0}, {mean_s = 1e-5, sigma_s = 0}]"
    found = faults(target.load, toml(tmp_path, device))
    assert ("did you mean 'sigma_s'?") in [hint for *_, hint in found]


def test_program_takes_the_nearest_state(tmp_path, convolution_design):
    (tmp_path / "mine.csv").write_text(CSV)
    chosen = target.load(toml(tmp_path, "states_csv = 'mine.csv'"))
    smooth = chosen.model_copy(update={"device": chosen.device.model_copy(update={"states": ()})})
    means = np.array([1e-6, 5e-5, 1e-4])
    g, wanted = (
        Program().run(convolution_design, Context(t, {})).ir.stages[0].crossbars[0].g
        for t in (chosen, smooth)
    )
    assert set(np.unique(g)) == {s.mean_s for s in chosen.device.states}
    apart = np.abs(wanted[..., None] - means)
    assert np.abs(g - wanted) == pytest.approx(apart.min(axis=-1), abs=1e-15)


@pytest.fixture
def convolution_design():
    values = np.random.default_rng(2).normal(size=(1, 35))
    kernel = Kernel(values, None, None, identity_windows(5), identity_windows(7), (1,))
    buses = {"x": Bus("x", (1, 5), 0.1), "y": Bus("y", (1, 7), 0.1)}
    return Design("net", ("x",), ("y",), buses, (Linear("fc", "x", "y", (kernel,)),))


def test_set_keys_with_and_without_their_unit():
    found = HFOX.with_set("wire.r_word_line=2", "wire.r_bit_line_ohm = 3", "crossbar.rows=64")
    assert (found.wire.r_word_line_ohm, found.wire.r_bit_line_ohm) == (2.0, 3.0)
    assert found.crossbar.rows == 64
    assert (HFOX.wire.r_word_line_ohm, HFOX.crossbar.rows) == (1.0, 128)
    assert "r_word_line_ohm = 2" in found.wire.source
    assert found.amplifier == HFOX.amplifier
    assert HFOX.with_set("amplifier.gain=inf").amplifier.gain == np.inf
    assert HFOX.with_set("device.sigma=0.1").device.programming_sigma == 0.1
    assert HFOX.with_set() == HFOX


def test_another_tile_is_told_in_the_source():
    found = HFOX.with_tile(64, 32)
    assert (found.crossbar.rows, found.crossbar.columns) == (64, 32)
    notes = " (Set by the user: rows = 64) (Set by the user: columns = 32)"
    assert found.crossbar.source == HFOX.crossbar.source + notes
    assert found.model_copy(update={"crossbar": HFOX.crossbar}) == HFOX


def test_set_applies_all_before_it_checks():
    found = HFOX.with_set("device.r_on=2e6", "device.r_off=1e7")
    assert found.device.g_max == pytest.approx(5e-7)


def test_set_measured_states(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV)
    levels = HFOX.with_set("device.levels=16", "device.sigma=0.1")
    found = levels.with_set(f"device.states_csv={tmp_path / 'mine.csv'}")
    assert found.device.g_max == pytest.approx(1e-4)
    assert len(found.device.states) == 3
    # A report must not contain a path.
    assert str(tmp_path) not in str(found.model_dump())


@pytest.mark.parametrize("states_first", [True, False])
def test_set_does_not_drop_what_measured_states_replace(tmp_path, states_first):
    (tmp_path / "mine.csv").write_text(CSV)
    both = [f"device.states_csv={tmp_path / 'mine.csv'}", "device.r_on=2e4", "device.sigma=0.1"]
    found = faults(HFOX.with_set, *(both if states_first else reversed(both)))
    what, hint = "device.states_csv brings its own", "set one of the two"
    assert found == [
        ("usage", "--set device.programming_sigma", what, hint),
        ("usage", "--set device.r_on_ohm", what, hint),
    ]


@pytest.mark.parametrize(
    ("setting", "says", "hint"),
    [
        ("wire.r_wordline=2", "no key 'r_wordline' in wire", "did you mean 'r_word_line_ohm'?"),
        ("wires.r_word_line=2", "no table 'wires'", "did you mean 'wire'?"),
        ("device.state_csv=a", "no key 'state_csv'", "did you mean 'states_csv'?"),
        ("name=x", "not TABLE.KEY=VALUE", "tables are crossbar, device, wire, amplifier"),
        ("wire.r_word_line", "not TABLE.KEY=VALUE", "tables are crossbar"),
        ("wire.r_word_line=", "not TABLE.KEY=VALUE", "tables are crossbar"),
        ("wire.source=me", "no key 'source'", ""),
        ("device.states=1", "no key 'states'", ""),
        ("wire.r_word_line=two", "is not a number", ""),
        ("crossbar.rows=1e2", "is not a whole number", ""),
        ("wire.r_word_line=-1", "greater than or equal to 0", ""),
        ("device.r_on=1e7", "has to be smaller than r_off_ohm", ""),
    ],
)
def test_settings_that_are_none(setting, says, hint):
    ((code, where, what, found),) = faults(HFOX.with_set, setting)
    assert code == "usage"
    assert where.startswith(f"--set {setting}")
    assert says in what
    assert hint in found


@pytest.mark.parametrize(
    ("first", "again", "key"),
    [
        ("wire.r_word_line=2", "wire.r_word_line_ohm=2", "wire.r_word_line_ohm"),
        ("device.programming_sigma=0.1", "device.sigma=0.2", "device.programming_sigma"),
        ("device.states_csv=mine.csv", "device.states_csv=mine.csv", "device.states_csv"),
    ],
)
def test_a_key_set_twice(tmp_path, monkeypatch, first, again, key):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(CSV)
    found = faults(HFOX.with_set, first, "amplifier.gain=50", again)
    assert found == [("usage", f"--set {again}", f"{key} is given twice", "")]


def test_all_wrong_settings_at_once():
    assert len(faults(HFOX.with_set, "a.b=1", "wire.q=1", "c")) == 3
    assert len(faults(HFOX.with_set, "wire.r_source=x", "device.levels=-1")) == 2
