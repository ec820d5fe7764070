"""Nonlinear memristors from the target to SPICE: netlist, lvs, verify and simulate."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc import target
from memxc.build_folder import read
from memxc.lvs import compare


def curves(path, states=(1e4, 1e5, 1e6)):
    """Measured states whose currents bend more below 0 V than above."""
    rows = ["state_ohm,volts,amperes"]
    for ohms in states:
        for v in (-0.4, -0.25, -0.1, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4):
            bend = v + (0.3 if v > 0 else 0.9) * abs(v) * v
            rows.append(f"{ohms},{v},{bend / 1.06 / ohms}")
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture(params=["sinh", "table"])
def bent(request, tmp_path):
    """A target with nonlinear cells, a finite gain and wires."""
    text = (resources.files("memxc") / "targets" / "paper-128.toml").read_text()
    law = 'iv = "sinh"\nsinh_v0_v = 0.12'
    if request.param == "table":
        curves(tmp_path / "curves.csv")
        law = 'iv = "table"\niv_csv = "curves.csv"'
    text = text.replace("levels = 0", f"levels = 0\n{law}").replace("rows = 128", "rows = 20")
    text = text.replace("columns = 128", "columns = 12").replace(
        "_line_ohm = 1.0", "_line_ohm = 6.0"
    )
    (tmp_path / "bent.toml").write_text(text)
    return tmp_path / "bent.toml"


@pytest.fixture(params=["differential", "inverted-inputs"])
def out(memxc, model, bent, tmp_path, request):
    args = "-t", bent, "--signed", request.param, "--quiet"
    done = memxc("compile", model, "-o", tmp_path / "out", *args)
    assert done.code == 0, done.err
    return tmp_path / "out"


@pytest.mark.parametrize("only", [[], ["--report-only"]])
def test_compile_says_that_its_watts_are_those_of_linear_cells(memxc, model, bent, tmp_path, only):
    done = memxc("compile", model, "-o", tmp_path / "out", "-t", bent, "--quiet", *only)
    assert "the watts, and the error of the outputs, are calculated with linear devices" in done.err
    done = memxc("compile", model, "-o", tmp_path / "straight", "--quiet", *only)
    assert "linear" not in done.err


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize("wire", [[], ["--wire"]], ids=["bare", "wired"])
def test_spice_simulates_the_nonlinear_cells(memxc, out, engine, wire, ngspice):
    done = memxc("verify", out, "--count", "2", "--engine", engine, "--json", *wire)
    assert done.code == 0, done.out
    found = done.json
    assert max(stage["max_rel_error"] for stage in found["stages"]) <= 1e-5
    assert found["outputs"]["evaluate_max_rel_error"] <= 1e-5
    # Bent cells and wires are felt.
    assert found["outputs"]["max_rel_error"] > 1e-4


def test_the_netlist_is_read_back(memxc, out):
    done = memxc("lvs", out, "--json")
    assert (done.code, done.json["user_cells"]) == (0, [])
    path = next((out / "netlist" / "cells").glob("s00_*"))
    text = path.read_text()
    assert re.search(r"^X0*0_0*0 w0*0 c0*0 memristor r=\d", text, re.M)
    done = memxc("verify", out, "--count", "1", "--json")
    fine = [stage["name"] for stage in done.json["stages"] if stage["ok"]]

    lowest = min(re.findall(r" r=(\S+)$", text, re.M), key=float)
    path.write_text(text.replace(f"r={lowest}", f"r={2 * float(lowest):.9e}", 1))
    done = memxc("lvs", out, "--json")
    assert done.code == 1
    (difference,) = done.json["differences"]
    assert difference["expected"] == f"{float(lowest):.9e} ohm"
    assert "X" in difference["where"]
    done = memxc("verify", out, "--count", "1", "--json")
    assert [stage["name"] for stage in done.json["stages"] if not stage["ok"]] == [fine[0]]


def test_resistors_in_place_of_the_cells_are_found(memxc, out):
    path = next((out / "netlist" / "cells").glob("s00_*"))
    text = re.sub(r"^X(.*) memristor r=", r"R\1 ", path.read_text(), flags=re.M)
    path.write_text(text)
    done = memxc("lvs", out, "--json")
    assert done.code == 1
    assert {d["expected"] for d in done.json["differences"]} == {"memristor"}
    assert {d["found"] for d in done.json["differences"]} == {"resistors"}
    assert memxc("verify", out, "--count", "1").code == 1


def test_a_changed_law_makes_the_cell_the_users_own(memxc, out):
    path = next((out / "netlist" / "cells").glob("periphery*"))
    text, count = re.subn(r"^(b1 a b i=)", r"\1 1.0001*", path.read_text(), flags=re.M)
    assert count == 1
    path.write_text(text)
    done = memxc("lvs", out, "--json")
    assert done.code == 0
    assert [cell["name"] for cell in done.json["user_cells"]] == ["memristor"]
    assert (
        "memristor is your own cell: lvs does not check it, and memxc verify simulates it alone"
        in memxc("lvs", out).out
    )
    done = memxc("verify", out, "--count", "1", "--json")
    assert done.code == 1
    assert "memristor" in [cell["name"] for cell in done.json["cells"] if not cell["ok"]]


def test_a_netlist_without_the_cell(memxc, out):
    path = next((out / "netlist" / "cells").glob("periphery*"))
    text = path.read_text()
    start = text.index(".subckt memristor")
    path.write_text(text[:start] + text[text.index(".ends memristor") + len(".ends memristor\n") :])
    done = memxc("lvs", out, "--json")
    assert [d["where"] for d in done.json["differences"]] == ["memristor"]


def test_a_network_without_crossbars(memxc, bent, tmp_path):
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 5)) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, ir_version=8), tmp_path / "relu.onnx")
    out = tmp_path / "out"
    assert memxc("compile", tmp_path / "relu.onnx", "-o", out, "-t", bent, "--quiet").code == 0
    done = memxc("lvs", out, "--json")
    assert (done.code, done.json["devices"], done.json["instances"]) == (0, 0, 5)


def test_simulate_says_what_spice_says(memxc, out, tmp_path, model):
    """With the same samples and wires, simulate's error is the one that verify's volts give."""
    x = np.load(model.parent / "net.samples.npz")["x"][:3].astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    simulated = memxc("simulate", out, "--data", tmp_path / "x.npz", "--json").json
    verified = memxc("verify", out, "--samples", tmp_path / "x.npz", "--wire", "--json").json
    # The mean over pictures of each one's error, and the largest over all.
    worst = verified["outputs"]["max_rel_error"]
    assert 0.2 * worst < simulated["rows"][0]["mean"] < 1.5 * worst
    bare = [f"--set=wire.{name}=0" for name in ("r_word_line", "r_bit_line")]
    plain = memxc("simulate", out, "--data", tmp_path / "x.npz", "--json", *bare).json
    assert plain["rows"][0]["mean"] != simulated["rows"][0]["mean"]


def test_watts_are_of_linear_cells(memxc, out, ngspice):
    done = memxc("verify", out, "--power")
    assert done.code == 2
    assert "linear cells" in done.err


def test_a_linear_netlist_has_no_such_cell(memxc, model, tmp_path):
    assert memxc("compile", model, "-o", tmp_path / "out", "--quiet").code == 0
    files = list((tmp_path / "out" / "netlist").rglob("*.cir"))
    assert not any("memristor r=" in path.read_text() for path in files)
    design = read.load(tmp_path / "out").design
    bent = target.load("paper-128").with_set("device.iv=sinh", "device.sinh_v0_v=0.1").device
    found = compare(design, tmp_path / "out" / "netlist" / "net.cir", bent)
    assert {d.expected for d in found.differences if "devices" in d.where} == {"memristor"}
