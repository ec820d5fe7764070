"""Effective weights with wires, against a sparse solve of every unit of every stage."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import target
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.evaluation import evaluate
from memxc.ir.stages import Array
from memxc.physics.network import nodal
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import WireResistance
from memxc.verify.library import Library
from memxc.verify.task import Task

WIRES = WireResistance(source=7.0, word_line=3.0, bit_line=2.0, neuron=11.0)
SETTINGS = (
    "wire.r_source=7",
    "wire.r_word_line=3",
    "wire.r_bit_line=2",
    "wire.r_neuron=11",
)


def direct(task):
    """Return a stage's outputs with its wires, from a direct sparse solve of every unit."""
    out = np.zeros((task.pictures, task.width))
    for unit in task.units:
        task.put(out, unit, _solved(task, unit))
    return out if task.limit is None else np.clip(out, -task.limit, task.limit)


def _solved(task, unit):
    lanes, stage = unit.lanes.shape[1], unit.stage
    inputs, grids, first = task.inputs(unit), [], 0
    for placed in unit.placed:
        crossbar = unit.crossbar(placed)
        assert (placed.bits >= 0).all(), "a bit line is discarded at its first place"
        taps = inputs[:, first : first + crossbar.taps.lines]
        volts = evaluate.word_line_volts(crossbar, taps, stage.v_bias, stage.gain)
        node = np.where(crossbar.polarity > 0, placed.bits, placed.bits + lanes)
        g = crossbar.conductance(slice(placed.group, placed.group + 1))[0]
        grids.append(nodal.Grid(g, node.astype(np.intp), volts, stage.drive))
        first += crossbar.taps.lines
    pair = stage.signed == "differential"
    plus = np.arange(lanes) if pair else np.full(lanes, -1)
    amplifiers = nodal.Amplifiers(plus, np.arange(lanes) + lanes, unit.r_f, unit.r_join, stage.gain)
    return nodal.solve(grids, amplifiers, 2 * lanes, WIRES)


def worst(design, chosen, inputs):
    """Return the largest relative difference between a stage's answers to the same volts."""
    buses = evaluate.run(design, inputs)
    made = effective(design, WIRES)
    made.verify()
    library, found = Library({}), []
    for before, after in zip(design.stages, made.stages, strict=True):
        if not isinstance(before, Array):
            continue
        sources = [buses[src] for src in before.srcs]
        wanted = direct(Task(design, before, sources, library, chosen, wire=True))
        answers = evaluate.step(after, made.buses, sources)
        found.append(np.abs(answers - wanted).max() / np.abs(wanted).max())
    return max(found)


@pytest.mark.parametrize("gain", ["inf", "1000"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("tile", [(128, 128), (12, 6)])
@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
def test_against_a_direct_solve(model, gain, signed, tile, schedule):
    chosen = target.load("paper-128").with_tile(*tile).with_set(f"amplifier.gain={gain}", *SETTINGS)
    options = Options(model, chosen, partition="none", signed=signed, schedule=schedule)
    compiled = compile_model(options)
    inputs = {name: values[:3] for name, values in compiled.samples.items()}
    assert worst(compiled.design, chosen, inputs) < 1e-9


def test_wires_change_the_answers(model):
    chosen = target.load("paper-128")
    compiled = compile_model(Options(model, chosen))
    ideal = evaluate.outputs(effective(compiled.design), compiled.samples)
    lossy = evaluate.outputs(effective(compiled.design, WIRES), compiled.samples)
    assert np.abs(ideal["y"] - lossy["y"]).max() > 1e-4


def test_no_resistance_is_no_wire(model):
    compiled = compile_model(Options(model, target.load("paper-128")))
    ideal = evaluate.run(effective(compiled.design), compiled.samples)
    none = evaluate.run(effective(compiled.design, WireResistance(0, 0, 0, 0)), compiled.samples)
    nearly = evaluate.run(
        effective(compiled.design, WireResistance(0, 0, 0, 1e-9)), compiled.samples
    )
    for name, values in ideal.items():
        assert (none[name] == values).all()
        assert nearly[name] == pytest.approx(values, rel=1e-9, abs=1e-12)


def test_amplifiers_that_differ_from_place_to_place(design):
    """r_f and r_join are the hand-written design's; a nanoohm keeps the code for wires in use."""
    inputs = {"x": np.random.default_rng(8).uniform(-1, 1, (4, 2, 3, 4))}
    nearly = effective(design, WireResistance(0, 0, 0, 1e-9))
    wanted, found = evaluate.run(design, inputs), evaluate.run(nearly, inputs)
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, rel=1e-9, abs=1e-12)
