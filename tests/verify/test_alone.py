"""Each cell simulated alone over its range, so that a cell that is wrong only there shows."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from memxc import target, verify
from memxc.backends import netlist
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower
from memxc.passes import parse
from memxc.verify import loads

X = np.random.default_rng(1).uniform(0.1, 1, (2, 3))
PLAN = verify.Plan(engine="neospice")


def _graph() -> Graph:
    """Return dense 3 -> 4, clip, dense 4 -> 2, leaky rectifier; the samples are positive."""
    rng = np.random.default_rng(2)
    weights = {"w": rng.uniform(0.1, 1, (3, 4)), "v": rng.normal(size=(4, 2)), "s": np.array(0.1)}
    shapes = {"x": (1, 3), "h": (1, 4), "r": (1, 4), "y": (1, 2), "z": (1, 2), "w": (3, 4),
              "v": (4, 2), "s": ()}  # fmt: skip
    nodes = (
        Node("first", "Gemm", ("x", "w"), ("h",)),
        Node("relu", "Relu", ("h",), ("r",)),
        Node("second", "Gemm", ("r", "v"), ("y",)),
        Node("leaky", "PRelu", ("y", "s"), ("z",)),
    )
    return Graph("net", ("x",), ("z",), nodes, shapes, weights, 17)


def _compiled(folder, name="paper-128", signed="differential", **device):
    design = lower(_graph())
    wanted = evaluate.outputs(design, {"x": X})
    chosen = target.load(name)
    if device:
        chosen = chosen.with_set(*(f"device.{key}={value}" for key, value in device.items()))
    ctx = Context(chosen, {"x": X}, signed=signed)
    for change in parse("calibrate,schedule,partition,tile,program,share"):
        design = change.run(design, ctx).ir
    netlist.write(design, folder, "net", device=chosen.device)
    return design, chosen, wanted


def _verified(folder, design, chosen, wanted, plan=PLAN):
    return verify.verify(design, chosen, folder, {"x": X}, wanted, plan)


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("name", ["ideal", "ideal-finite-gain", "paper-128"])
def test_what_is_written_is_right_over_its_whole_range(tmp_path, name, signed, engine, ngspice):
    design, chosen, wanted = _compiled(tmp_path, name, signed)
    found = _verified(tmp_path, design, chosen, wanted, verify.Plan(engine=engine))
    assert found.ok, found
    single = ["tia"] if signed == "differential" else ["tia_single", "inverter"]
    names = [re.sub(r"\d+$", "", cell.name) for cell in found.cells]
    assert sorted(names) == sorted([*single, "relu", "leaky_relu"])
    assert len(found.limiters) == (name == "paper-128")
    # A signal without a limiter goes up to the swing of the op-amps.
    assert {cell.range_v for cell in found.cells if cell.name.startswith("leaky")} == {1.0}


def test_offsets_of_the_amplifiers(tmp_path):
    design, chosen, wanted = _compiled(tmp_path)
    stages = [
        replace(stage, offset=np.array([[2e-3, -1e-3, 5e-4, 1e-3], [1e-3, 3e-3, -2e-3, 7e-4]])
                [:, : len(stage.r_f)])
        if stage in design.arrays else stage
        for stage in design.stages
    ]  # fmt: skip
    design = design.with_stages(stages)
    netlist.write(design, tmp_path, "net")
    found = _verified(tmp_path, design, chosen, wanted)
    assert found.ok, found
    assert "tia_offset" in [cell.name for cell in found.cells]


@pytest.mark.parametrize(
    ("name", "old", "new", "failed"),
    [
        # The first stage's limit is 0.25 V, but the last stage has none.
        ("ideal", "h2 out q vm {0-r_f}", "h2 o q vm {0-r_f}\nb9 out 0 v=min(v(o),0.26)", "tia"),
        ("ideal", "h2 out q vm {0-r_f}", "h2 o q vm {0-r_f}\nb9 out 0 v=max(v(o),-0.26)", "tia"),
        ("ideal", "v=max(v(x0),0.000000000000e+00)", "v=max(v(x0),0)+min(v(x0)+0.2,0)", "relu"),
        ("ideal", "v=max(v(x0),0.000000000000e+00)", "v=max(v(x0),0)-max(v(x0)-0.9,0)", "relu"),
        ("paper-128", "v=max(v(x0),0.000000000000e+00)", "v=max(v(x0),0)+min(v(x0)+0.2,0)", "relu"),
        # The cell is right without a load and wrong when it drives word lines.
        ("ideal", "b1 out 0 v=max(", "r9 o out 1\nb1 o 0 v=max(", "relu"),
        ("paper-128", "b1 out 0 v=min(", "r9 o out 1\nb1 o 0 v=min(", "limiter"),
        ("paper-128", "{clip})\n", "{clip})-max(v(in)-2.1*{clip},0)\n", "limiter"),
        ("paper-128", "{clip})\n", "{clip})+0.01*max(abs(v(in))-3.9*{clip},0)\n", "limiter"),
    ],
)
def test_a_wrong_cell_is_found_though_no_sample_shows_it(tmp_path, name, old, new, failed):
    design, chosen, wanted = _compiled(tmp_path, name)
    path = tmp_path / "cells" / "periphery.cir"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    found = _verified(tmp_path, design, chosen, wanted)
    assert not found.ok
    assert all(stage.ok for stage in found.stages)
    wrong = [cell.name for cell in found.cells if not cell.ok]
    wrong += ["limiter" for limiter in found.limiters if not limiter.ok]
    assert [re.sub(r"\d+$", "", name) for name in wrong] == [failed]


def test_what_no_signal_reaches_is_no_error(tmp_path):
    """The amplifier drives no word line here: the input of a lane function takes no current."""
    design, chosen, wanted = _compiled(tmp_path, "ideal")
    path = tmp_path / "cells" / "periphery.cir"
    text = path.read_text()
    assert text.count("h2 out q vm {0-r_f}\n") == 1
    text = text.replace("h2 out q vm {0-r_f}\n", "h2 o q vm {0-r_f}\nr9 o out 100\n")
    path.write_text(text)
    assert _verified(tmp_path, design, chosen, wanted).ok
    # Beyond the swing of an op-amp, which is 1 V.
    swing = "h2 o q vm {0-r_f}\nb9 out 0 v=min(max(v(o),0-1.01),1.01)\n"
    path.write_text(text.replace("h2 o q vm {0-r_f}\nr9 o out 100\n", swing))
    assert _verified(tmp_path, design, chosen, wanted).ok


def test_the_load_of_a_signal(design):
    """Loads with renaming and several places of a word line, against sums over a netlist's nets."""
    found = loads.heaviest(design)
    lanes = {name: np.zeros(bus.width) for name, bus in design.buses.items()}
    for stage in design.arrays:
        for crossbar in stage.crossbars:
            nets = crossbar.taps.nets()
            for group in range(crossbar.groups):
                g = crossbar.conductance(slice(group, group + 1))[0].sum(axis=1)
                for place in range(crossbar.places):
                    for row, line in enumerate(crossbar.line.tolist()):
                        if line >= 0 and nets[group, place, line] >= 0:
                            lanes[stage.src][nets[group, place, line]] += g[row]
    turn = design.stages[0]
    for lane, source in enumerate(turn.index.tolist()):
        if source >= 0:
            lanes["x"][source] += lanes["t"][lane]
    assert found == {name: pytest.approx(each.max()) for name, each in lanes.items()}
    assert found["x"] == found["t"] > 0
    in_turn = design.with_stages(
        replace(stage, schedule="sequential") if stage.name == "depthwise" else stage
        for stage in design.stages
    )
    word_lines = design.arrays[0].crossbars[0].drains()[:, :4]
    assert loads.heaviest(in_turn)["t"] == pytest.approx(word_lines.max())


def test_one_stage_has_the_cells_of_that_stage(tmp_path):
    design, chosen, wanted = _compiled(tmp_path)
    found = _verified(tmp_path, design, chosen, wanted, replace(PLAN, stage="relu"))
    assert [cell.name for cell in found.cells] == ["relu0"]
    assert len(found.limiters) == 1


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
def test_the_law_of_a_memristor(tmp_path, engine, ngspice):
    design, chosen, wanted = _compiled(tmp_path, iv="sinh", sinh_v0_v=0.4)
    plan = verify.Plan(engine=engine)
    found = _verified(tmp_path, design, chosen, wanted, plan)
    assert found.ok, found
    assert "memristor" in [cell.name for cell in found.cells]
    path = tmp_path / "cells" / "periphery.cir"
    text = path.read_text()
    path.write_text(re.sub(r"(?m)^(b1 a b i=.*)$", r"\1+max(0-v(a,b)-0.21,0)*1e-6", text))
    found = _verified(tmp_path, design, chosen, wanted, plan)
    assert [cell.name for cell in found.cells if not cell.ok] == ["memristor"]


def test_outputs_of_zero_are_no_error(tmp_path):
    """Weights of zero leave only an engine's rounding, which is neither right nor wrong."""
    graph = _graph()
    graph = replace(graph, weights={**graph.weights, "v": np.zeros((4, 2))})
    design = lower(graph)
    chosen = target.load("ideal")
    wanted = evaluate.outputs(design, {"x": X})
    ctx = Context(chosen, {"x": X})
    for change in parse("calibrate,schedule,partition,tile,program,share"):
        design = change.run(design, ctx).ir
    netlist.write(design, tmp_path, "net")
    found = _verified(tmp_path, design, chosen, wanted)
    assert found.ok, found
    assert found.outputs.argmax_agree == found.outputs.evaluate_argmax_agree == 2
    assert found.outputs.max_rel_error < 1e-6
    assert found.outputs.evaluate_max_rel_error < 1e-6
    # A wrong device in it is still found.
    path = next(tmp_path.glob("cells/s02_*"))
    text = path.read_text()
    ohms = re.search(r"(?m)^R0_0 \S+ \S+ (\S+)$", text)[1]
    path.write_text(text.replace(ohms, f"{float(ohms) * (1 + 1e-6):.9e}", 1))
    found = _verified(tmp_path, design, chosen, wanted)
    assert [stage.name for stage in found.stages if not stage.ok] == ["second"]
