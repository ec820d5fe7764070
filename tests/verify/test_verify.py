"""verify: small networks in SPICE in every layout, and the effects of an edited netlist."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from memxc import engines, jobs, target, verify
from memxc.backends import netlist
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower
from memxc.passes import parse

X = np.random.default_rng(1).uniform(-1, 1, (3, 2, 6, 9))


def _graph() -> Graph:
    """Return conv -> add of its relu -> average pool -> concat of both reversed halves -> gemm."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(size=(3, 2, 3, 2)),
        "b1": 3 * rng.normal(size=3),
        "w3": rng.normal(size=(36, 5)),
        "b3": rng.normal(size=5),
    }
    shapes = {name: value.shape for name, value in weights.items()} | {
        "x": (1, 2, 6, 9),
        "c": (1, 3, 4, 8),
        "r": (1, 3, 4, 8),
        "s": (1, 3, 4, 8),
        "a": (1, 3, 2, 4),
        "m": (1, 3, 1, 4),
        "k": (1, 3, 3, 4),
        "f": (1, 36),
        "y": (1, 5),
    }
    nodes = (
        Node("conv", "Conv", ("x", "w1", "b1"), ("c",)),
        Node("relu", "Relu", ("c",), ("r",)),
        Node("sum", "Add", ("r", "c"), ("s",)),
        Node("mean", "AveragePool", ("s",), ("a",), {"kernel_shape": (2, 2), "strides": (2, 2)}),
        Node("high", "MaxPool", ("a",), ("m",), {"kernel_shape": (2, 1)}),
        Node("both", "Concat", ("m", "a"), ("k",), {"axis": 2}),
        Node("flat", "Flatten", ("k",), ("f",)),
        Node("dense", "Gemm", ("f", "w3", "b3"), ("y",)),
    )
    return Graph("net", ("x",), ("y",), nodes, shapes, weights, 17)


def _compiled(
    folder,
    policy="packed",
    signed="differential",
    mode="parallel",
    tile=(40, 24),
    name="paper-128",
    graph=None,
):
    design = lower(graph or _graph())
    wanted = evaluate.outputs(design, {"x": X})
    chosen = target.load(name).with_tile(*tile)
    ctx = Context(chosen, {"x": X}, signed=signed)
    text = f"calibrate,schedule{{mode={mode}}},partition{{policy={policy}}},tile,program,share"
    for change in parse(text):
        design = change.run(design, ctx).ir
    netlist.write(design, folder, "net")
    return design, chosen, wanted


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize(
    ("policy", "signed", "mode", "tile", "name"),
    [
        ("packed", "differential", "parallel", (40, 24), "ideal"),
        ("paper", "inverted-inputs", "parallel", (24, 10), "ideal"),
        ("none", "differential", "sequential", (128, 256), "ideal-finite-gain"),
        ("packed", "inverted-inputs", "sequential", (24, 10), "ideal-finite-gain"),
        ("paper", "differential", "parallel", (64, 48), "paper-128"),
    ],
)
def test_every_layout_in_spice(tmp_path, engine, policy, signed, mode, tile, name, ngspice):
    design, chosen, wanted = _compiled(tmp_path, policy, signed, mode, tile, name)
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan(engine=engine))
    assert found.ok, found.stages
    assert [stage.name for stage in found.stages] == [
        "conv",
        "relu",
        "sum",
        "mean",
        "high",
        "dense",
    ]
    assert found.outputs is not None
    assert found.outputs.argmax_agree == found.outputs.count == 3
    bound = {"ideal": 1e-8, "ideal-finite-gain": 1e-3, "paper-128": 2e-2}[name]
    assert found.outputs.max_rel_error < bound


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_wires_in_spice(tmp_path, signed):
    design, chosen, wanted = _compiled(tmp_path, signed=signed)
    plan = verify.Plan(engine="neospice", wire=True)
    inputs = {"x": X[:1]}
    wired = verify.verify(design, chosen, tmp_path, inputs, {"y": wanted["y"][:1]}, plan)
    assert wired.ok, wired.stages
    plain = verify.verify(design, chosen, tmp_path, inputs, {"y": wanted["y"][:1]}, verify.Plan())
    # One ohm a segment has a visible effect on devices of ten kilo-ohms.
    assert wired.outputs.max_rel_error > 2 * plain.outputs.max_rel_error


def test_a_halved_device_fails_its_stage_only(tmp_path):
    design, chosen, wanted = _compiled(tmp_path)
    path = next(tmp_path.glob("cells/s00_*"))
    text = path.read_text()
    lowest = min(re.findall(r"^R\S+ \S+ \S+ (\S+)$", text, re.M), key=float)
    path.write_text(text.replace(lowest, f"{2 * float(lowest):.9e}", 1))
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan())
    assert [stage.name for stage in found.stages if not stage.ok] == ["conv"]
    assert not found.ok


def test_one_stage_alone(tmp_path):
    design, chosen, wanted = _compiled(tmp_path)
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan(stage="dense"))
    assert [stage.name for stage in found.stages] == ["dense"]
    assert found.ok
    assert found.outputs is None


def test_processes_give_the_same(tmp_path):
    design, chosen, wanted = _compiled(tmp_path)
    one, two = (
        verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan(jobs=count))
        for count in (0, 2)
    )
    assert [s.max_abs_error_v for s in one.stages] == [s.max_abs_error_v for s in two.stages]
    assert one.outputs == two.outputs


def test_an_engine_whose_process_ends_is_a_fault(tmp_path, monkeypatch):
    design, chosen, wanted = _compiled(tmp_path)

    def broken(*args):
        raise jobs.Died

    monkeypatch.setattr(jobs.Pool, "ordered", broken)
    with pytest.raises(MemxcError, match="ended without an answer") as caught:
        verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan())
    assert caught.value.faults[0].code == "engine-failed"


@pytest.mark.parametrize(
    ("plan", "code"),
    [(verify.Plan(stage="nothing"), "usage"), (verify.Plan(engine="hspice"), "usage")],
)
def test_what_does_not_exist_is_a_usage_fault(tmp_path, plan, code):
    design, chosen, wanted = _compiled(tmp_path)
    with pytest.raises(MemxcError) as caught:
        verify.verify(design, chosen, tmp_path, {"x": X}, wanted, plan)
    assert caught.value.faults[0].code == code


def test_a_missing_definition_is_named(tmp_path):
    design, chosen, wanted = _compiled(tmp_path)
    path = next(tmp_path.glob("cells/s00_*"))
    text = path.read_text().replace(".subckt xb0 ", ".subckt xb900 ", 1)
    path.write_text(text.replace(".ends xb0\n", ".ends xb900\n", 1))
    with pytest.raises(MemxcError, match="no definition of xb0"):
        verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan())


def test_the_engines_check_themselves(ngspice):
    found = [engine for engine in map(engines.get, engines.names()) if engine.version()]
    assert len(found) >= 2
    assert not any(map(engines.check, found))


@pytest.mark.parametrize("mode", ["parallel", "sequential"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_the_watts_of_the_report_are_those_of_the_engine(tmp_path, mode, signed, ngspice):
    design, chosen, _ = _compiled(tmp_path, mode=mode, signed=signed)
    plan = verify.Plan(power=True)
    found = verify.verify(design, chosen, tmp_path, {"x": X}, None, plan)
    pairs = [stage.crossbar_w for stage in found.stages if stage.crossbar_w is not None]
    assert len(pairs) == 3
    for watts in pairs:
        assert watts.engine == pytest.approx(watts.report, rel=1e-4)
        assert watts.engine > 0


def test_a_network_of_wires_has_nothing_to_simulate(tmp_path):
    graph = Graph(
        "wires",
        ("x",),
        ("y",),
        (Node("turn", "Transpose", ("x",), ("y",)),),
        {"x": (1, 2, 3), "y": (3, 2, 1)},
        {},
        17,
    )
    design = lower(graph)
    netlist.write(design, tmp_path, "wires")
    inputs = {"x": np.arange(12.0).reshape(2, 2, 3)}
    wanted = evaluate.outputs(design, inputs)
    found = verify.verify(design, target.load("ideal"), tmp_path, inputs, wanted, verify.Plan())
    assert (found.ok, found.stages, found.outputs.max_abs_error) == (True, (), 0.0)


def _two_outputs() -> Graph:
    """Return a network with outputs y, the dense layer, and z, the same numbers reversed."""
    graph = _graph()
    back = Node("back", "Gather", ("y", "i"), ("z",), {"axis": 1})
    return replace(
        graph,
        outputs=("y", "z"),
        nodes=(*graph.nodes, back),
        shapes={**graph.shapes, "z": (1, 5), "i": (5,)},
        weights={**graph.weights, "i": np.arange(5)[::-1]},
    )


@pytest.mark.parametrize("name", ["y", "z"])
def test_argmax_agrees_where_it_does_on_every_output(tmp_path, name):
    design, chosen, wanted = _compiled(tmp_path, graph=_two_outputs())
    plan = verify.Plan(engine="neospice")
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, plan)
    assert found.outputs.argmax_agree == found.outputs.count == 3
    wanted[name][1] *= -1
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, plan)
    assert found.outputs.argmax_agree == 2
    assert found.ok


@pytest.mark.parametrize("name", ["y", "z"])
def test_a_distance_that_is_no_number_is_not_ok(tmp_path, name):
    design, chosen, wanted = _compiled(tmp_path, graph=_two_outputs())
    wanted[name][2, 0] = np.nan
    plan = verify.Plan(engine="neospice")
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, plan)
    assert np.isnan(found.outputs.max_abs_error)
    assert np.isnan(found.outputs.max_rel_error)
    assert not found.ok


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize(
    ("body", "error_v"),
    [
        # At the swing of the op-amps, four clips.
        ("v(in)", 3.0),
        ("min(v(in),{clip})", 3.0),
        ("max(v(in),0-{clip})", 3.0),
        ("min(max(v(in),0-0.9*{clip}),0.9*{clip})", 0.1),
        ("0.99*min(max(v(in),0-{clip}),{clip})", 0.01),
    ],
)
def test_a_limiter_that_does_not_limit(tmp_path, engine, body, error_v, ngspice):
    """No sample reaches the limiter, so only the cell alone can show it. error_v: in clips."""
    design, chosen, wanted = _compiled(tmp_path)
    clip = design.buses["a"].limit
    assert chosen.amplifier.swing_v == 4 * clip
    path = tmp_path / "cells" / "periphery.cir"
    text = path.read_text()
    assert text.count("v=min(max(v(in),0-{clip}),{clip})") == 1
    path.write_text(text.replace("v=min(max(v(in),0-{clip}),{clip})", f"v={body}"))
    plan = verify.Plan(engine=engine)
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, plan)
    assert not found.ok
    (limiter,) = found.limiters
    assert (limiter.clip_v, limiter.ok) == (clip, False)
    assert limiter.max_abs_error_v == pytest.approx(error_v * clip, rel=1e-6)


def test_each_clip_has_its_limiter_simulated_once(tmp_path):
    design, chosen, wanted = _compiled(tmp_path)
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan())
    assert len({bus.limit for bus in design.buses.values()} - {None}) == 1
    assert (design.buses["a"].limit, design.buses["m"].limit) == (0.25, 0.25)
    assert [limiter.ok for limiter in found.limiters] == [True]
    other = replace(design.buses["m"], limit=0.5)
    design = replace(design, buses={**design.buses, "m": other})
    both = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan())
    assert [limiter.clip_v for limiter in both.limiters] == [0.25, 0.5]
    one = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan(stage="high"))
    assert [limiter.clip_v for limiter in one.limiters] == [0.5]
    last = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan(stage="dense"))
    assert (last.limiters, last.ok) == ((), True)


@pytest.mark.parametrize(("swing", "reach"), [("1.0", 1.0), ("0.4", 0.5)])
def test_a_limiter_is_swept_to_the_swing_and_to_two_clips(tmp_path, swing, reach):
    design, chosen, wanted = _compiled(tmp_path)
    chosen, plan = chosen.with_set(f"amplifier.swing_v={swing}"), verify.Plan(stage="mean")
    (limiter,) = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, plan).limiters
    assert (limiter.clip_v, limiter.range_v) == (0.25, reach)


def test_ideal_has_no_limiter_to_simulate(tmp_path):
    design, chosen, wanted = _compiled(tmp_path, name="ideal")
    found = verify.verify(design, chosen, tmp_path, {"x": X}, wanted, verify.Plan())
    assert (found.limiters, found.ok) == ((), True)
