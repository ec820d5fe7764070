"""Stages that take turns: a convolution over 5 x 7, relu, x * sigmoid(x) + x, a pool of 2 x 2.

The counts are worked out by hand, the circuit is simulated by ngspice and read back by lvs.
"""

from __future__ import annotations

import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from memxc import target
from memxc.backends.cost import erc, turns
from memxc.cli._main import _run
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.ir.stages import Lanes


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng, node = np.random.default_rng(1), helper.make_node
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], name="conv"),
        node("Relu", ["a"], ["r"], name="relu"),
        node("Sigmoid", ["r"], ["s"], name="sigmoid"),
        node("Mul", ["r", "s"], ["m"], name="mul"),
        node("Add", ["m", "r"], ["d"], name="add"),
        node("MaxPool", ["d"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["p"], ["g"], name="mean"),
        node("Flatten", ["g"], ["f"], name="flat"),
        node("Gemm", ["f", "v"], ["y"], name="dense"),
    ]
    sizes = {"w": (3, 2, 2, 2), "b": (3,), "v": (3, 4)}
    constants = [
        numpy_helper.from_array(rng.normal(size=size).astype(np.float32), name)
        for name, size in sizes.items()
    ]
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 2, 5, 7))],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, 4))], constants,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("turns")
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "net.onnx")
    np.savez(folder / "net.samples.npz", x=rng.uniform(-1, 1, (3, 2, 5, 7)))
    return folder / "net.onnx"


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "net"
    assert _run(["compile", str(model), "-o", str(out), "--schedule", "sequential", "--quiet"]) == 0
    return out


def rows(folder):
    report = json.loads((folder / "report.json").read_text())
    return {row["stage"]: row for row in report["resources"]["stages"]}, report


def test_lanes_take_turns_with_the_crossbar_before_them(folder):
    found, _ = rows(folder)
    # 3 channels of 4 x 6 places; an op-amp for each relu, and a row driver at its input.
    assert found["relu"]["opamps"] == 3 + 3
    assert found["relu"]["periods"] == 24
    assert found["relu"]["diodes"] == 3 * 2
    # A pair, a multiplier of 5 op-amps and an adder: 9 op-amps a channel, one input.
    assert found["add"]["opamps"] == 3 * 9 + 3
    # 3 selectors of 4 inputs, 6 places, each of the 18 nets read by the mean's resistors.
    assert found["pool"]["drivers"] == 3 * 4 + 18
    assert found["pool"]["opamps"] == 3 * 4 + 3 * 4 + 18
    assert found["pool"]["periods"] == 6
    held = {name: row["holds"] for name, row in found.items()}
    assert held == {"conv": 72, "relu": 72, "add": 72, "pool": 18, "mean": 0, "dense": 0}
    # Each of the 8 word lines of the convolution selects among the nets of 24 places.
    assert found["conv"]["switches"] == 8 * 24
    assert found["pool"]["switches"] == 12 * 6


def test_report_only_counts_the_same(model, folder, tmp_path):
    args = ["--schedule", "sequential", "--report-only", "--quiet"]
    assert _run(["compile", str(model), "-o", str(tmp_path / "r"), *args]) == 0
    assert rows(tmp_path / "r")[0] == rows(folder)[0]


def test_the_circuit_is_what_it_should_be(folder, ngspice, capsys):
    assert _run(["lvs", str(folder)]) == 0
    assert _run(["verify", str(folder)]) == 0
    capsys.readouterr()
    assert _run(["bench", str(folder)]) == 0
    deck = folder / "bench.cir"
    deck.write_text(capsys.readouterr().out)
    done = subprocess.run(
        [ngspice, "-n", "-b", deck.name],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    deck.unlink()
    lines = done.stdout.splitlines()
    found = [float(line.split("=")[1]) for line in lines if line.startswith("v(n")]
    wanted = [float(line.split(":")[1]) for line in lines if line.startswith("expected:")]
    assert len(found) == len(wanted) == 4
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("schedule.csv", "relu,0,q1_2_0,n1_48,24,1", "relu,0,q1_2_0,n1_47,24,1"),
        ("schedule.csv", "relu,0,n2_48,n2_48,24,1", "relu,0,n2_48,n2_48,23,1"),
        ("netlist/net.cir", "xf2_48 q1_2_0 ", "xf2_48 q1_1_0 "),
    ],
)
def test_lvs_finds_a_wrong_turn(folder, file, old, new, capsys):
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        assert _run(["lvs", str(folder)]) == 1
    finally:
        path.write_text(text)
        capsys.readouterr()


def test_a_lane_function_can_keep_a_cell_for_each_net(model):
    options = Options(
        model, target.load("hfox-128"), schedule="sequential",
        stage_set=("relu.schedule=parallel",),
    )  # fmt: skip
    stages = compile_model(options, check=False).design.stages
    assert {s.name: s.turns for s in stages if isinstance(s, Lanes)} == {
        "relu": 1, "add": 1, "pool": 1,
    }  # fmt: skip


def test_volts_that_are_held_too_long_break_a_rule(model):
    goal = target.load("hfox-128")
    compiled = compile_model(Options(model, goal, schedule="sequential"), check=False)
    seconds = {"conv": 24e-6, "relu": 12e-6, "add": 12e-6, "pool": 6e-6, "mean": 1e-6}
    held = turns.held_s(compiled.design, seconds)
    # From the first place of conv until relu has read the last one; the pool until the mean.
    assert held == pytest.approx({"conv": 36e-6, "relu": 24e-6, "add": 18e-6, "pool": 7e-6})

    class Point:
        arrays = ()

    def broken(**hold):
        leaky = goal.with_set(*(f"hold.{key}={value}" for key, value in hold.items()))
        return {row.stage for row in erc.measure(Point(), [], held, leaky).violations}

    assert broken() == set()
    # 2 mV are allowed; the step takes 1 mV and 3 sigma of kT/C on 0.5 pF 0.27 mV.
    assert broken(droop_v_per_s=0.73e-3 / 30e-6) == {"conv"}
    assert broken(droop_v_per_s=0.73e-3 / 20e-6) == {"conv", "relu"}
    assert broken(capacitance_f=1e-15) == {"conv", "relu", "add", "pool"}
