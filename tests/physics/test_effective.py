"""A programmed design and its effective weights give the same values on every bus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc import target
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.evaluation import evaluate
from memxc.ir.stages import Array, Linear
from memxc.ir.windows import DISCARD, ints
from memxc.physics.network import effective as effective_module
from memxc.physics.network.effective import effective

GAINS = [float("inf"), 300.0]


def apart(design, inputs):
    """Return the largest relative difference of any bus."""
    wanted = evaluate.run(design, inputs)
    made = effective(design)
    made.verify()
    assert not made.arrays
    found = evaluate.run(made, inputs)
    return max(
        np.abs(found[name] - wanted[name]).max() / np.abs(wanted[name]).max() for name in wanted
    )


def pictures(*shape, seed=3):
    return {"x": np.random.default_rng(seed).uniform(-1, 1, shape)}


def with_gain(design, gain, **changes):
    return design.with_stages(
        replace(stage, gain=gain, **changes) if isinstance(stage, Array) else stage
        for stage in design.stages
    )


@pytest.mark.parametrize("gain", GAINS)
def test_every_lane_has_an_amplifier_of_its_own(design, gain):
    """The hand-written design's r_f and r_join differ from place to place."""
    assert apart(with_gain(design, gain), pictures(5, 2, 3, 4)) < 1e-9


@pytest.mark.parametrize("part", [1e-3, 1e-6])
@pytest.mark.parametrize("gain", GAINS)
def test_amplifiers_that_differ_by_a_little(design, gain, part):
    """A difference of a thousandth or a millionth between places still counts."""
    ohms = np.linspace(1e4, 1e4 * (1 + part), 12)
    stages = [
        replace(stage, r_f=ohms, r_join=ohms[::-1].copy()) if stage.name == "depthwise" else stage
        for stage in design.stages
    ]
    assert apart(with_gain(design.with_stages(stages), gain), pictures(5, 2, 3, 4)) < 1e-9


def test_blocks_of_a_stack_one_by_one(design, monkeypatch):
    monkeypatch.setattr(effective_module, "_HELD", 1)
    assert apart(design, pictures(5, 2, 3, 4)) < 1e-9


def test_weights_are_stored_once_where_places_are_alike(design):
    stages = [
        replace(stage, r_f=np.full(12, 1e4), r_join=np.full(12, 2e4))
        if stage.name == "depthwise"
        else stage
        for stage in design.stages
    ]
    same = with_gain(design.with_stages(stages), 300.0)
    assert apart(same, pictures(5, 2, 3, 4)) < 1e-9
    kernel = effective(same).stages[1].kernels[0]
    assert (kernel.groups, kernel.places) == (2, 6)


def test_a_discarded_lane_is_dropped(design):
    depthwise = design.stages[1]
    crossbar = depthwise.crossbars[0]
    frame = np.array(crossbar.sinks.frame)
    frame[1, 1, 2] = DISCARD
    cut = replace(crossbar, sinks=replace(crossbar.sinks, frame=ints(frame)))
    stages = list(design.stages)
    stages[1] = replace(depthwise, crossbars=(cut,))
    assert apart(with_gain(design.with_stages(stages), 300.0), pictures(5, 2, 3, 4)) < 1e-9


@pytest.mark.parametrize("name", ["ideal", "ideal-finite-gain", "paper-128"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("partition", ["none", "packed", "paper"])
def test_compiled(model, name, signed, partition):
    chosen = target.load(name).with_tile(24, 10)
    options = Options(model, chosen, signed=signed, partition=partition)
    compiled = compile_model(options)
    assert apart(compiled.design, compiled.samples) < 1e-9


def test_a_stage_keeps_its_name_cell_and_schedule(model):
    design = compile_model(Options(model, target.load("ideal"), schedule="sequential")).design
    for before, after in zip(design.stages, effective(design).stages, strict=True):
        if isinstance(before, Array):
            assert isinstance(after, Linear)
            assert (after.name, after.cell, after.schedule) == (
                before.name, before.cell, before.schedule,
            )  # fmt: skip
            assert len(after.kernels) == len(before.crossbars)
