"""The ledger and the electrical rules, compared with plain loops and with currents in ngspice."""

import shutil
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import target as targets
from memxc.backends.cost import erc, ledger, recorder, resources, strength
from memxc.backends.netlist.bench import bench
from memxc.build_folder import write
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.engines import read_raw
from memxc.evaluation import evaluate
from memxc.ir.kernel import BIAS

RNG = np.random.default_rng(11)
node = helper.make_node


def network(folder):
    """A convolution, a ReLU, an average pool and a dense layer; its signals have both signs."""
    weights = {
        "w": RNG.normal(size=(3, 2, 3, 3)),
        "b": RNG.normal(size=3),
        "v": RNG.normal(size=(12, 5)),
    }
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"], name="relu"),
        node("AveragePool", ["r"], ["p"], name="pool", kernel_shape=[2, 3], strides=[2, 3]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "v"], ["y"], name="dense"),
    ]
    tensors = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in weights.items()]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", (1, 2, 4, 6)), ("y", (1, 5)))
    ]
    graph = helper.make_graph(nodes, "net", *ends, tensors)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "net.onnx")
    return folder / "net.onnx"


@pytest.fixture(scope="module", params=["differential", "inverted-inputs", "sequential"])
def circuit(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger")
    samples = folder / "samples.npz"
    np.savez(samples, x=RNG.normal(size=(3, 2, 4, 6)).astype(np.float32))
    options = {"schedule": "sequential"} if request.param == "sequential" else {}
    if request.param == "inverted-inputs":
        options["signed"] = request.param
    target = targets.load("hfox-128").with_set("crossbar.rows=16", "crossbar.columns=12")
    return compile_model(Options(network(folder), target, samples=samples, **options))


@pytest.fixture(scope="module")
def point(circuit):
    return recorder.measure(circuit.design, circuit.samples, circuit.target)


def test_watts_from_supplies_equal_watts_that_become_heat(circuit, point):
    sides = ledger.measure(circuit.design, point, circuit.target.amplifier, 100)
    assert sides.supply.total_w == pytest.approx(sides.dissipation.total_w, rel=1e-5)
    assert sides.supply.amplifiers_static_w == pytest.approx(100 * circuit.target.amplifier.power_w)


def test_class_a_draws_the_signed_current(circuit, point):
    amplifier = circuit.target.amplifier.model_copy(update={"output_class": "A"})
    target = circuit.target.model_copy(update={"amplifier": amplifier})
    own = recorder.measure(circuit.design, circuit.samples, target)
    sides = ledger.measure(circuit.design, own, amplifier, 100)
    other = ledger.measure(circuit.design, point, circuit.target.amplifier, 100)
    assert sides.supply.total_w == pytest.approx(sides.dissipation.total_w, rel=1e-5)
    assert sides.supply.amplifiers_load_w < 0.9 * other.supply.amplifiers_load_w


def test_without_rails_the_load_is_missing(circuit, point):
    amplifier = circuit.target.amplifier.model_copy(update={"supply_v": None})
    sides = ledger.measure(circuit.design, point, amplifier, 100)
    assert sides.supply.amplifiers_load_w is sides.supply.total_w is None
    assert sides.dissipation.amplifiers_w is sides.dissipation.total_w is None
    assert sides.dissipation.joining_w > 0 or circuit.options.signed == "inverted-inputs"


def test_currents_and_loads_are_those_of_a_plain_loop(circuit, point):
    """Every device by itself, at the volts that numpy gives each net."""
    design, samples = circuit.design, circuit.samples
    buses = evaluate.run(design, samples)
    loads = {name: np.zeros(bus.width) for name, bus in design.buses.items()}
    inverse = {name: np.zeros(bus.width) for name, bus in design.buses.items()}
    for array in point.arrays:
        stage = array.stage
        plus, watts = np.zeros((3, design.buses[stage.dst].width)), 0.0
        for crossbar in stage.crossbars:
            turns = crossbar.places if stage.sequential else 1
            taps, sinks = crossbar.taps.nets(), crossbar.sinks.nets()
            for group, place, word, bit in np.ndindex(
                crossbar.groups, crossbar.places, crossbar.word_lines, crossbar.bit_lines
            ):
                if crossbar.cell[word, bit] < 0:
                    continue
                siemens = crossbar.g[group, crossbar.cell[word, bit]]
                line, sign = crossbar.line[word], crossbar.sign[word]
                net = -1 if line == BIAS else taps[group, place, line]
                if line == BIAS:
                    volts = np.full(3, stage.v_bias)
                else:
                    volts = np.zeros(3) if net < 0 else buses[stage.src][:, net]
                gain = 1 if sign > 0 or line == BIAS else 1 / (1 + 2 / stage.gain)
                watts += np.mean((volts * gain) ** 2) * siemens / turns
                lane = sinks[group, place, crossbar.column[bit]]
                if crossbar.polarity[bit] > 0:
                    plus[:, lane] += volts * siemens * sign * gain
                if net >= 0:
                    (loads if sign > 0 else inverse)[stage.src][net] += siemens / turns
        assert array.devices_w == pytest.approx(watts, rel=1e-9)
        if not stage.single_ended:
            np.testing.assert_allclose(array.plus.mean, np.abs(plus).mean(0), rtol=1e-5, atol=1e-13)
            np.testing.assert_allclose(array.plus.largest, np.abs(plus).max(0), rtol=1e-5)
    wired = {"f": "p"}  # Flatten is a renaming
    for name, load in loads.items():
        if load.any():
            net = point.nets[wired.get(name, name)]
            np.testing.assert_allclose(net.load, load, rtol=1e-5)
            np.testing.assert_allclose(net.inverse, inverse[name], rtol=1e-5)


@pytest.mark.spice
@pytest.mark.skipif(not shutil.which("ngspice"), reason="ngspice is not installed")
def test_ngspice_sums_the_same_currents(circuit, point, tmp_path):
    """Every output of an op-amp is a source of the netlist, whose current ngspice computes."""
    if any(array.stage.sequential for array in point.arrays):
        pytest.skip("one operating point has the current of one period only")
    write.write(circuit, tmp_path / "out", False, ("ngspice",))
    (top,) = (tmp_path / "out" / "netlist").glob("*.cir")
    amperes = []
    for sample in circuit.samples["x"]:
        lines = [*bench(circuit.design, [sample], str(top))]
        deck = "\n".join([*lines[: lines.index(".control")], ".op", ".end", ""])
        (tmp_path / "deck.cir").write_text(deck)
        words = ["ngspice", "-n", "-b", "-r", "out.raw", "deck.cir"]
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
        found = read_raw((tmp_path / "out.raw").read_bytes())
        branches = {k: float(v[0]) for k, v in found.items() if k.startswith(("i(e.", "i(b."))}
        assert len(branches) > 40
        amperes.append(sum(map(abs, branches.values())))
    supply = ledger.measure(circuit.design, point, circuit.target.amplifier, 0).supply
    assert supply.amplifiers_load_w == pytest.approx(0.9 * np.mean(amperes), rel=1e-3)


def test_an_output_gets_the_least_strength_that_drives_it(circuit, point):
    amplifier = circuit.target.amplifier
    least = amplifier.model_copy(update={"source_a": 2e-6, "strength_max": 4})
    found = strength.outputs(circuit.design, point, least)
    assert {one.kind for one in found} >= {"op-amp 2", "lane function"}
    seen = set()
    for one in found:
        fits = one.worst <= 2e-6 * one.strength * (1 + 1e-5)
        assert (fits | (one.strength == 4)).all()
        if not point.arrays[0].stage.sequential:
            halved = (one.strength == 1) | (one.worst > 1e-6 * one.strength * (1 - 1e-5))
            assert halved.all()
        seen |= set(one.strength.tolist())
    assert {1, 2, 4} >= seen > {1}
    rules = erc.measure(point, found, {}, circuit.target.model_copy(update={"amplifier": least}))
    beyond = sum(int((one.worst > 8e-6 * (1 + 1e-5)).any()) for one in found)
    broken = [row for row in rules.violations if row.rule.startswith("output current")]
    assert len(broken) == beyond
    assert {row.limit for row in broken} <= {8e-6}
    opamps = resources.total(resources.measure(circuit.design, 1e-7, circuit.context.tile)).opamps
    assert sum(rules.strengths.values()) <= opamps


def test_rules_name_the_stage_the_value_and_the_limit(circuit, point):
    hard = {"noise_gain_max": 1.01, "r_f_min_ohm": 1e9, "supply_v": 1e-3}
    target = circuit.target.with_set(*(f"amplifier.{key}={value}" for key, value in hard.items()))
    rules = erc.measure(point, [], {}, target)
    told = {(row.stage, row.rule) for row in rules.violations}
    assert {("conv", "noise gain of op-amp 2"), ("dense", "feedback resistor")} <= told
    for row in rules.violations:
        assert row.remedy
        assert row.value < row.limit if row.rule == "feedback resistor" else row.value > row.limit
    bare = circuit.target.amplifier.model_copy(update={"source_a": None, "noise_gain_max": None})
    unknown = erc.measure(point, [], {}, circuit.target.model_copy(update={"amplifier": bare}))
    assert any("amplifier.source_a" in text for text in unknown.missing)
    assert not any("noise gain" in row.rule for row in unknown.violations)
