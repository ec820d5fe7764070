"""--conductances: the score of a chip whose conductances were read back."""

from __future__ import annotations

import hashlib
import json
from importlib import resources

import numpy as np
import pytest

import memxc as library


def chip(folder, **changed):
    """The programmed conductances of a folder, some of them replaced, in a file."""
    arrays = library.load(folder).conductances() | changed
    np.savez(folder.parent / "chip.npz", **{k: v for k, v in arrays.items() if v is not None})
    return folder.parent / "chip.npz"


def scores(memxc, folder, *args):
    done = memxc("simulate", folder, "--data", folder / "samples.npz", "--metric", "error",
                 "--json", *args)  # fmt: skip
    assert done.code == 0, done.err
    return [row["mean"] for row in done.json["rows"]]


def test_the_programmed_conductances_give_the_same_score(memxc, compiled):
    folder = compiled()
    assert scores(memxc, folder, "--conductances", chip(folder)) == scores(memxc, folder)


def test_a_measured_chip_is_the_design_with_these_conductances(memxc, compiled):
    """The oracle: the last dense layer by hand, from the volts that the design gives it."""
    folder = compiled("-t", "ideal")
    build = library.load(folder)
    name, g = list(build.conductances().items())[-1]
    assert g.shape[0] != g.shape[1]
    (dense,) = [s for s in build._loaded.design.stages if s.name.endswith("dense")]
    crossbar = dense.crossbars[0]
    one = g.copy()
    row, column = np.flatnonzero(crossbar.line < 0)[0], 1  # the bias: the same for each picture
    one[row, column] += 2e-5
    x = np.random.default_rng(0).uniform(-1, 1, (3, 2, 6, 5)).astype(np.float32)
    before, after = (build.predict(x, conductances={**build.conductances(), name: values})
                     for values in (g, one))  # fmt: skip
    lane, sign = crossbar.column[column], crossbar.polarity[column]
    logits = [np.log(answers["y"]) for answers in (before, after)]
    moved = logits[1] - logits[0]
    moved -= np.delete(moved, lane, axis=1).mean(axis=1, keepdims=True)  # softmax loses a constant
    assert np.abs(np.delete(moved, lane, axis=1)).max() < 1e-5
    amperes = 2e-5 * dense.v_bias * crossbar.sign[row]
    by_hand = sign * amperes * dense.r_f[lane] / build._loaded.design.buses[dense.dst].scale
    assert np.allclose(moved[:, lane], by_hand, rtol=1e-3)


def test_a_placed_crossbar_may_have_its_own(memxc, compiled):
    folder = compiled("--tile", "8x12")
    rows = [line.split(",") for line in (folder / "mapping.csv").read_text().split()[1:]]
    tiles = [row[1] for row in rows if row[8] == "xb0"]
    assert len(tiles) > 1
    g = library.load(folder).conductances()["xb0"]
    dead = np.where(np.isfinite(g), 0.0, np.nan)
    programmed = scores(memxc, folder)
    one = scores(memxc, folder, "--conductances", chip(folder, **{tiles[1]: dead}))
    every = scores(memxc, folder, "--conductances", chip(folder, **dict.fromkeys(tiles, dead)))
    assert programmed < one < every
    # Arrays of all placed crossbars stand for the definition, which may be left out then.
    assert every == scores(
        memxc, folder, "--conductances", chip(folder, **dict.fromkeys(tiles, dead), xb0=None)
    )


def test_a_score_names_its_chip(memxc, compiled):
    folder = compiled()
    g = library.load(folder).conductances()["xb0"]
    scores(memxc, folder, "--conductances", chip(folder, xb0=0.5 * g))
    kept = json.loads((folder / "simulate/results.jsonl").read_text().splitlines()[-1])
    assert "measured" in kept["design"]
    assert scores(memxc, folder) != [kept["value"]]


def test_a_measurement_has_all_effects_but_read_noise(memxc, compiled):
    folder = compiled()
    path = chip(folder)
    assert len(set(scores(memxc, folder, "--conductances", path, "--set", "device.read_noise=0.1",
                          "--sweep", "amplifier.offset_sigma_v=0,0.001"))) == 2  # fmt: skip
    nu = ("--set", "device.drift_nu=0.1")
    for key in ("device.sigma=0.1", "device.stuck_at_lrs=0.1", "device.drift_time=1e6"):
        done = memxc("simulate", folder, "--data", folder / "samples.npz", "--conductances", path,
                     "--set", key, *nu)  # fmt: skip
        assert (done.code, "these were measured" in done.err) == (2, True)
    again = memxc("twin", folder, "-o", folder.parent / "twin.onnx", "--conductances", path,
                  "--set", "device.levels=4")  # fmt: skip
    assert (again.code, "cannot be programmed again" in again.err) == (2, True)


def test_effects_of_the_target_are_not_drawn_again(memxc, model, compiled, tmp_path):
    """The measured chip of a target with spread and defects is that of the same ideal target."""
    text = (resources.files("memxc") / "targets" / "hfox-128.toml").read_text()
    spread = "levels = 0\nprogramming_sigma = 0.1\nr_on_sigma = 0.1\nstuck_at_lrs = 0.01\n"
    spread += "drift_time_s = 1e6\ndrift_nu = 0.1\n"
    (tmp_path / "mine.toml").write_text(text.replace("levels = 0\n", spread))
    done = memxc("compile", model, "-o", tmp_path / "mine", "-t", tmp_path / "mine.toml")
    assert done.code == 0, done.err
    path = chip(tmp_path / "mine")
    done = memxc("simulate", tmp_path / "mine", "--data", tmp_path / "mine" / "samples.npz",
                 "--metric", "error", "--draws", "3", "--json", "--conductances", path)  # fmt: skip
    assert done.json["rows"][0]["scores"] == scores(memxc, compiled())
    assert done.json["conductances"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"xb0": None}, "xb0: no siemens for this crossbar"),
        ({"xb99": np.zeros((2, 3))}, "xb99: no crossbar of memristors"),
        ({"xb0": np.zeros((2, 3))}, "xb0: is 2 x 3, not "),
        ({"xb0": np.array("text")}, "xb0: is a single number"),
        ({"xb0": -1}, "no possible conductance (-1"),
        ({"xb0": np.inf}, "no possible conductance (inf)"),
        ({"xb0": np.nan}, "no possible conductance (nan)"),
    ],
)  # fmt: skip
def test_what_is_no_measurement_is_a_fault(memxc, compiled, changed, says):
    folder = compiled()
    if np.ndim(changed.get("xb0")) == 0 and isinstance(changed.get("xb0"), int | float):
        changed = {"xb0": np.full_like(library.load(folder).conductances()["xb0"], changed["xb0"])}
    done = memxc("simulate", folder, "--data", folder / "samples.npz", "--conductances",
                 chip(folder, **changed))  # fmt: skip
    assert done.code == 3
    assert says in done.err


def test_all_faults_at_once_and_no_file(memxc, compiled):
    folder = compiled()
    done = memxc("simulate", folder, "--data", folder / "samples.npz", "--conductances",
                 chip(folder, xb0=None, xb99=np.zeros((2, 3))))  # fmt: skip
    assert done.err.count("error[bad-samples]") == 2
    done = memxc("simulate", folder, "--data", folder / "samples.npz", "--conductances",
                 folder / "report.json")  # fmt: skip
    assert (done.code, "cannot be read as .npz" in done.err) == (3, True)
