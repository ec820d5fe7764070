"""Converters: levels worked out by hand, in the twin and in SPICE, and their places."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from memxc import lvs, passes, target, verify
from memxc.backends import netlist, twin
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context
from memxc.ir import expr
from memxc.ir.stages import Array, Digital, Lanes
from memxc.physics import converters
from memxc.physics.device import variation

BITS = ("converter.dac_bits=5", "converter.adc_bits=6")
EVERYWHERE = (*BITS, "converter.where=stages")


def compiled(model):
    chosen = target.load("paper-128").with_tile(24, 10)
    return compile_model(Options(model, chosen, partition="none")), chosen


@pytest.mark.parametrize(
    ("low", "high", "bits", "volts", "wanted"),
    [
        # 7 steps of 0.1 V from 0 on
        (0.0, 0.7, 3, [-0.3, 0.0, 0.04, 0.06, 0.34, 0.36, 0.7, 2.0],
         [0.0, 0.0, 0.0, 0.1, 0.3, 0.4, 0.7, 0.7]),
        # 7 steps of 0.2 V, 4 of them below 0
        (-0.7, 0.7, 3, [-2.0, -0.7, -0.31, -0.29, 0.0, 0.09, 0.11, 0.7],
         [-0.8, -0.6, -0.4, -0.2, 0.0, 0.0, 0.2, 0.6]),
        (-0.2, 0.4, 2, [-1.0, -0.11, -0.09, 0.11, 0.31, 1.0], [-0.2, -0.2, 0.0, 0.2, 0.4, 0.4]),
    ],
)  # fmt: skip
def test_levels(low, high, bits, volts, wanted):
    for scale in (1.0, 0.25):
        found = expr.evaluate(
            converters.function(low, high, bits, scale), [np.array(volts) / scale]
        )
        # -0.7 V is halfway between two levels, so either one is right.
        off = np.abs(found * scale - wanted)
        assert off[np.abs(np.array(volts)) != 0.7].max() < 1e-12
        assert (np.unique(np.round(found * scale, 9)).size) <= 2**bits


def kinds(design):
    names = {"line_dac": "D", "line_adc": "A"}
    found = []
    for stage in design.stages:
        if isinstance(stage, Array):
            found.append("r" if stage.cell == "resistor" else "x")
        elif isinstance(stage, Lanes):
            found.append(names.get(stage.circuit.name, "f"))
        elif isinstance(stage, Digital):
            found.append("d")
    return "".join(found)


def test_converters_stand_at_the_edges_or_around_every_array(model):
    """The stages are conv, relu, pool of resistors, dense, softmax."""
    made, chosen = compiled(model)
    assert kinds(made.design) == "xfrxd"
    edges = converters.converted(made.design, chosen.with_set(*BITS))
    edges.verify()
    assert kinds(edges) == "DxfrxAd"
    everywhere = converters.converted(edges, chosen.with_set(*EVERYWHERE))
    everywhere.verify()
    assert kinds(everywhere) == "DxAfDrADxAd"
    assert kinds(converters.converted(everywhere, chosen.with_set("converter.adc_bits=4"))) == (
        "xfrxAd"
    )
    back = converters.converted(everywhere, chosen)
    assert kinds(back) == "xfrxd"
    assert list(back.buses.items()) == list(made.design.buses.items())
    assert converters.converted(made.design, chosen) is made.design


def test_a_signal_that_is_never_negative_has_all_levels(model):
    made, chosen = compiled(model)
    design = converters.converted(made.design, chosen.with_set(*EVERYWHERE))
    buses = evaluate.run(design, made.samples)
    seen = {}
    for stage in design.stages:
        if isinstance(stage, Lanes) and stage.circuit.converters:
            bus = design.buses[stage.dst]
            codes = np.unique(np.round(buses[stage.dst] / bus.scale, 12))
            seen[stage.dst] = codes.min() >= 0
            assert len(codes) <= 2 ** (5 if stage.circuit.name == "line_dac" else 6)
    assert [positive for name, positive in seen.items() if name.endswith("~dac")] == [
        False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "least"), [("Relu", 0), ("Sigmoid", 0), ("Tanh", -16)])
def test_levels_below_0_are_for_signals_below_0(model, kind, least):
    network = onnx.load(model)
    network.graph.node[1].op_type = kind
    onnx.save(network, model)
    made, chosen = compiled(model)
    design = converters.converted(made.design, chosen.with_set(*EVERYWHERE))
    (dac,) = (stage for stage in design.stages if stage.dst == "r~dac")
    assert f"*max({least},min({least + 31}," in dac.expr


def test_a_renamed_input_has_levels_below_0_as_the_input_has(model):
    network = onnx.load(model)
    network.graph.node[0].input[0] = "turned"
    turn = onnx.helper.make_node("Transpose", ["x"], ["turned"], name="turn", perm=[0, 1, 3, 2])
    network.graph.node.insert(0, turn)
    onnx.save(network, model)
    made, chosen = compiled(model)
    design = converters.converted(made.design, chosen.with_set(*EVERYWHERE))
    (dac,) = (stage for stage in design.stages if stage.dst == "turned~dac")
    assert "*max(-16,min(15," in dac.expr


@pytest.mark.parametrize("settings", [BITS, EVERYWHERE])
def test_the_twin_has_the_same_levels(model, settings):
    made, chosen = compiled(model)
    design = variation.disturbed(made.design, chosen.with_set(*settings), 0, "definition")
    wanted = evaluate.outputs(design, made.samples)["y"]
    session = reference.session(twin.model(design))
    given = {name: values.astype(np.float32) for name, values in made.samples.items()}
    found = session.run(None, given)[0]
    # A value between two levels may fall to either side in single precision.
    off = np.abs(found - wanted).max(axis=1) / np.abs(wanted).max()
    assert (off < 1e-5).sum() >= len(off) - 1
    without = evaluate.outputs(made.design, made.samples)["y"]
    assert np.abs(wanted - without).max() > 1e-3


def test_many_bits_change_little(model):
    made, chosen = compiled(model)
    without = evaluate.outputs(made.design, made.samples)["y"]
    errors = []
    for bits in (4, 8, 12):
        settings = [f"converter.{kind}_bits={bits}" for kind in ("dac", "adc")]
        design = converters.converted(
            made.design, chosen.with_set(*settings, "converter.where=stages")
        )
        errors.append(np.abs(evaluate.outputs(design, made.samples)["y"] - without).max())
    assert errors[0] > 8 * errors[1] > 64 * errors[2] > 0


@pytest.mark.spice
def test_in_spice(model, tmp_path):
    made, chosen = compiled(model)
    chosen = chosen.with_set(*EVERYWHERE)
    context = Context(chosen, made.samples)
    design = passes.available()["convert"]().run(made.design, context).ir
    top = netlist.write(design, tmp_path, "net")[0]
    assert lvs.compare(design, top).differences == ()
    inputs = {name: values[:2] for name, values in made.samples.items()}
    found = verify.verify(design, chosen, tmp_path, inputs, None, verify.Plan())
    assert [stage.name for stage in found.stages if not stage.ok] == []
    assert sum("~" in stage.name for stage in found.stages) == 6


def test_a_target_with_converters_is_compiled_with_them(model):
    chosen = target.load("paper-128").with_tile(24, 10).with_set(*EVERYWHERE)
    made = compile_model(Options(model, chosen, partition="none"))
    assert kinds(made.design) == "DxAfDrADxAd"
    record = made.records[-1]
    assert (record.name, record.exact) == ("convert", False)
    assert record.loss.max_rel_error > 0
    # The settings of a run replace the compiled ones.
    other = variation.disturbed(
        made.design, chosen.with_set("converter.where=edges"), 0, "placement"
    )
    assert kinds(other) == "DxfrxAd"
    arrays = [stage.src for stage in made.design.arrays]
    known = {name for name, bus in made.design.buses.items() if bus.mean_square is not None}
    assert set(arrays) <= known, "no power is known of a bus behind a converter"


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("converter.adc_bits=25", "less than or equal"),
        ("converter.adc_bits=1", "nothing but a sign"),
        ("converter.dac_min_v=0.1", "at most 0"),
        ("converter.adc_max_v=0", "above 0"),
        ("converter.where=nowhere", "edges"),
        ("converter.bits=3", "no key"),
    ],
)
def test_keys_are_checked(setting, what):
    with pytest.raises(MemxcError) as caught:
        target.load("ideal").with_set(setting)
    assert what in str(caught.value)
