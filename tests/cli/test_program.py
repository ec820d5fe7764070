"""memxc program: the plan on disk, its figures, and the way back to simulate."""

from __future__ import annotations

import csv
import json
import shutil
from importlib import resources

import jsonschema
import numpy as np
import pytest

import memxc as library
from memxc import target

TABLES = """
[dynamics]
model = "threshold"
threshold_v = 0.3
beta_ohm_per_v_s = 1e12
source = "by hand"

[programming]
v_set_v = 0.5
v_reset_v = 0.35
width_s = 1e-8
tolerance = 0.2
read_s = 1e-6
source = "assumed"
"""


@pytest.fixture
def dynamic(tmp_path):
    """A target of the size of hfox-128 whose memristors have a state."""
    data = target.load("hfox-128").model_dump(exclude_none=True)
    data["device"] |= {"r_on_ohm": 1e4, "r_off_ohm": 1e6}
    lines = ['name = "dynamic"']
    for table in ("crossbar", "device", "wire", "amplifier"):
        lines.append(f"[{table}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in data[table].items()
                  if value not in ((), [])]  # fmt: skip
    path = tmp_path / "dynamic.toml"
    path.write_text("\n".join(lines) + TABLES)
    return path


@pytest.fixture
def folder(memxc, model, dynamic, once, tmp_path):
    first = once / "dynamic"
    if not first.exists():
        done = memxc("compile", model, "-o", first, "-t", dynamic, "--tile", "8x12")
        assert (done.code, done.err) == (0, "")
    return shutil.copytree(first, tmp_path / "out")


def read(path):
    """The rows of a table, as dicts."""
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_plan_on_disk(memxc, folder, tmp_path):
    done = memxc("program", folder, "-o", tmp_path / "plan", "--json")
    assert done.code == 0, done.err
    text = (resources.files("memxc") / "schemas" / "memxc-program-1.json").read_text()
    jsonschema.validate(done.json, json.loads(text))
    rows = read(tmp_path / "plan" / "programming.csv")
    mapped = read(folder / "mapping.csv")
    # In the order of mapping.csv, one row for each device of a definition.
    names = list(dict.fromkeys(row["subckt"] for row in mapped if row["made_of"] != "resistor"))
    assert list(dict.fromkeys(row["subckt"] for row in rows)) == names
    programmed = library.load(folder).conductances()
    for row in rows:
        g = programmed[row["subckt"]][int(row["row"]), int(row["column"])]
        assert float(row["target_s"]) == pytest.approx(g, rel=1e-9)
        assert abs(float(row["reached_s"]) / g - 1) <= 0.2
        words = [word.split(":") for word in row["sequence"].split()]
        assert sum(int(word[-1]) for word in words) == int(row["pulses"])
        assert {word[0] for word in words} <= {"set", "reset"}
    # The totals are sums over the rows, each as often as its crossbar is placed.
    placed = [int(row["placed"]) for row in rows]
    assert (
        sum(placed) == done.json["cells"] == library.load(folder).report.resources.total.memristors
    )
    for key, column in (("pulses", "pulses"), ("serial_s", "time_s"), ("energy_j", "energy_j")):
        total = sum(n * float(row[column]) for n, row in zip(placed, rows, strict=True))
        assert done.json[key] == pytest.approx(total, rel=1e-6)
    assert done.json["disturb"] == 0.0  # 0.25 V is below the threshold
    assert done.json["sources"] == ["by hand", "assumed"]
    # The same figures are in the report, whose pages show them.
    report = json.loads((folder / "report.json").read_text())["programming"]
    assert report == {k: v for k, v in done.json.items() if k not in ("schema", "files")}
    assert "## Programming" in (folder / "report.md").read_text()
    # What the plan reaches has a score.
    scored = memxc("simulate", folder, "--data", folder / "samples.npz", "--conductances",
                   tmp_path / "plan" / "reached.npz", "--json")  # fmt: skip
    assert scored.code == 0, scored.err
    again = library.load(folder).program(tmp_path / "again", crossbar="xb0")
    assert again.energy_j == done.json["energy_j"]
    assert (tmp_path / "again" / "write_verify_xb0.cir").exists()
    for name in ("programming.csv", "reached.npz"):
        paths = (tmp_path / "plan" / name, tmp_path / "again" / name)
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(("scheme", "share"), [("V/2", 2), ("V/3", 3)])
def test_energy_beside_the_programmed_cells_by_hand(memxc, folder, tmp_path, scheme, share):
    """Cell by cell, in loops: half the volts through the cells of both lines, or a third of them
    through all cells."""
    done = memxc("program", folder, "-o", tmp_path / "plan", "--json", "--set",
                 f"programming.scheme={scheme}")  # fmt: skip
    total = 0.0
    rows = read(tmp_path / "plan" / "programming.csv")
    for name, g in library.load(folder).conductances().items():
        now = np.where(np.isfinite(g), 1e-6, 0.0)
        for row in (row for row in rows if row["subckt"] == name):
            r, c = int(row["row"]), int(row["column"])
            lines = now.sum() - now[r, c], now[r].sum() + now[:, c].sum() - 2 * now[r, c]
            beside = lines[scheme == "V/2"]
            for word in row["sequence"].split():
                _, volts, _, width, count = word.split(":")
                joules = (float(volts) / share) ** 2 * float(width) * int(count)
                total += int(row["placed"]) * joules * beside
            now[r, c] = g[r, c]
    assert done.json["bystander_energy_j"] == pytest.approx(total, rel=1e-6)


def test_a_deck_of_a_crossbar(memxc, folder, tmp_path):
    done = memxc("program", folder, "-o", tmp_path / "plan", "--crossbar", "xb1")
    assert done.code == 0, done.err
    text = (tmp_path / "plan" / "write_verify_xb1.cir").read_text()
    g = library.load(folder).conductances()["xb1"]
    assert text.count(" memristor_state x0=") == np.isfinite(g).sum()
    done = memxc("program", folder, "-o", tmp_path / "plan", "--crossbar", "xb99")
    assert (done.code, "no crossbar of memristors" in done.err) == (2, True)


def test_cells_that_miss_their_conductance_are_counted(memxc, folder, tmp_path):
    done = memxc("program", folder, "-o", tmp_path / "plan", "--json", "--set",
                 "programming.most_pulses=2")  # fmt: skip
    assert (done.code, done.json["failed"] > 0) == (1, True)
    rows = read(tmp_path / "plan" / "programming.csv")
    missed = sum(int(row["placed"]) for row in rows if row["within"] == "no")
    assert missed == done.json["failed"]


def test_a_target_without_the_tables(memxc, compiled, tmp_path):
    folder = compiled()
    done = memxc("program", folder, "-o", tmp_path / "plan")
    assert (done.code, "no table [programming]" in done.err) == (3, True)
    assert not (tmp_path / "plan").exists()
    assert "programming" not in json.loads((folder / "report.json").read_text())
    assert memxc("program", folder).code == 2
    done = memxc("program", folder, "-o", folder / "plan")
    assert (done.code, "which compile replaces" in done.err) == (2, True)
    # The template needs no tables.
    done = memxc("program", folder, "--template", tmp_path / "chip.npz")
    assert done.code == 0
    with np.load(tmp_path / "chip.npz") as arrays:
        for name, g in library.load(folder).conductances().items():
            assert np.array_equal(arrays[name], g, equal_nan=True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("beta_ohm", "beat_ohm", "did you mean 'beta_ohm_per_v_s'"),
        ("width_s", "widths", "did you mean 'width_s'"),
        ('"threshold"', '"thresold"', "model"),
        (TABLES.partition("[programming]")[0], "\n", "needs [dynamics]"),
        ("tolerance = 0.2", "tolerance = 0", "tolerance"),
        ("tolerance = 0.2", 'scheme = "1T1R"', "needs it"),
        ("tolerance = 0.2", "compliance_a = 1e-4", "needs the access transistors"),
        ("tolerance = 0.2", "step_v = 0.1", "step_v needs most_v"),
    ],
)
def test_faults_of_a_target(memxc, model, dynamic, tmp_path, old, new, says):
    dynamic.write_text(dynamic.read_text().replace(old, new))
    done = memxc("compile", model, "-o", tmp_path / "out", "-t", dynamic)
    assert done.code == 3
    assert says in done.err
