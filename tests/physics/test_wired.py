"""Effective weights with wires against a direct sparse solve of every unit of every stage."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import evaluate, target
from memxc.ir.stages import Array
from memxc.physics.effective import effective
from memxc.physics.nodal import Wires
from memxc.pipeline import Options, compile_model
from memxc.verify.library import Library
from memxc.verify.simulate import Task, wired_reference

WIRES = Wires(source=7.0, word_line=3.0, bit_line=2.0, neuron=11.0)
SETTINGS = (
    "wire.r_source=7",
    "wire.r_word_line=3",
    "wire.r_bit_line=2",
    "wire.r_neuron=11",
)


def worst(design, chosen, inputs):
    """Largest relative difference of a stage's answers to the same volts."""
    buses = evaluate.run(design, inputs)
    made = effective(design, WIRES)
    made.verify()
    library, found = Library({}), []
    for before, after in zip(design.stages, made.stages, strict=True):
        if not isinstance(before, Array):
            continue
        sources = [buses[src] for src in before.srcs]
        wanted = wired_reference(Task(design, before, sources, library, chosen, wire=True))
        answers = evaluate.step(after, made.buses, sources)
        found.append(np.abs(answers - wanted).max() / np.abs(wanted).max())
    return max(found)


@pytest.mark.parametrize("gain", ["inf", "1000"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("tile", [(128, 128), (12, 6)])
@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
def test_against_a_direct_solve(model, gain, signed, tile, schedule):
    chosen = target.load("hfox-128").with_tile(*tile).with_set(f"amplifier.gain={gain}", *SETTINGS)
    options = Options(model, chosen, partition="none", signed=signed, schedule=schedule)
    compiled = compile_model(options)
    inputs = {name: values[:3] for name, values in compiled.samples.items()}
    assert worst(compiled.design, chosen, inputs) < 1e-9


def test_wires_cost_something(model):
    chosen = target.load("hfox-128")
    compiled = compile_model(Options(model, chosen))
    ideal = evaluate.outputs(effective(compiled.design), compiled.samples)
    lossy = evaluate.outputs(effective(compiled.design, WIRES), compiled.samples)
    assert np.abs(ideal["y"] - lossy["y"]).max() > 1e-4


def test_no_resistance_is_no_wire(model):
    compiled = compile_model(Options(model, target.load("hfox-128")))
    ideal = evaluate.run(effective(compiled.design), compiled.samples)
    none = evaluate.run(effective(compiled.design, Wires(0, 0, 0, 0)), compiled.samples)
    nearly = evaluate.run(effective(compiled.design, Wires(0, 0, 0, 1e-9)), compiled.samples)
    for name, values in ideal.items():
        assert (none[name] == values).all()
        assert nearly[name] == pytest.approx(values, rel=1e-9, abs=1e-12)
