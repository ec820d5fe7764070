"""Op-amp offsets against SPICE and Kirchhoff's law; read noise against a Monte Carlo run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc import lvs, target, verify
from memxc.backends import netlist, twin
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.evaluation import evaluate, reference
from memxc.ir.stages import Array
from memxc.ir.windows import ints
from memxc.physics.device import variation
from memxc.physics.network import amplifier, offsets
from memxc.physics.network.drive import one_block_a_place
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import WireResistance

WIRES = ("wire.r_source=7", "wire.r_word_line=3", "wire.r_bit_line=2", "wire.r_neuron=11")
OFFSET = "amplifier.offset_sigma=0.002"


def compiled(model, gain="inf", signed="differential", schedule="parallel", tile=(24, 10)):
    chosen = target.load("paper-128").with_tile(*tile).with_set(f"amplifier.gain={gain}")
    options = Options(model, chosen, partition="none", signed=signed, schedule=schedule)
    return compile_model(options), chosen


@pytest.mark.parametrize("gain", [np.inf, 50.0])
def test_amplifiers_by_kirchhoffs_law(gain):
    """Six unknowns: the nodes and outputs of two op-amps, A (o - node) = output."""
    y_plus, y_minus, r_f, r_join, i_plus, i_minus = 3e-4, 5e-4, 2e3, 7e3, 2e-5, 3e-5
    o1, o2, loss = 4e-3, -3e-3, 1 / gain
    g_f, g_join = 1 / r_f, 1 / r_join
    # unknowns: node 1, node 2, output 1, output 2
    equations = np.array([
        [y_plus + g_join, 0, -g_join, 0],
        [0, y_minus + g_join + g_f, -g_join, -g_f],
        [1, 0, loss, 0],
        [0, 1, 0, loss],
    ])  # fmt: skip
    wanted = np.linalg.solve(equations, [i_plus, i_minus, o1, o2])[3]
    lanes = [np.array([value]) for value in (y_plus, y_minus, r_f, r_join)]
    offset = np.array([[o1], [o2]])
    found = amplifier.pair(np.array([[i_plus]]), np.array([[i_minus]]), *lanes, gain, offset)
    assert found[0, 0] == pytest.approx(wanted, rel=1e-12)
    single = np.linalg.solve([[y_minus + g_f, -g_f], [1, loss]], [i_minus, o2])[1]
    found = amplifier.single(np.array([[i_minus]]), lanes[1], lanes[2], gain, offset)
    assert found[0, 0] == pytest.approx(single, rel=1e-12)


CIRCUITS = [
    ("inf", "differential", "parallel"),
    ("300", "differential", "sequential"),
    ("inf", "inverted-inputs", "sequential"),
    ("300", "inverted-inputs", "parallel"),
]


@pytest.mark.spice
@pytest.mark.parametrize(("gain", "signed", "schedule"), CIRCUITS)
@pytest.mark.parametrize("wire", [False, True])
def test_offsets_in_spice(model, tmp_path, gain, signed, schedule, wire):
    made, chosen = compiled(model, gain, signed, schedule)
    chosen = chosen.with_set(*WIRES)
    design = variation.disturbed(made.design, chosen.with_set(OFFSET), 5, "definition")
    top = netlist.write(design, tmp_path, "net")[0]
    assert lvs.compare(design, top).differences == ()
    inputs = {name: values[:2] for name, values in made.samples.items()}
    plan = verify.Plan(wire=wire)
    found = verify.verify(design, chosen, tmp_path, inputs, None, plan)
    assert [(stage.name, stage.max_rel_error) for stage in found.stages if not stage.ok] == []
    without = evaluate.outputs(made.design, inputs)["y"]
    assert np.abs(evaluate.outputs(design, inputs)["y"] - without).max() > 1e-3


def test_lvs_reads_offsets(model, tmp_path):
    made, chosen = compiled(model)
    design = variation.disturbed(made.design, chosen.with_set(OFFSET), 5, "definition")
    top = netlist.write(design, tmp_path, "net")[0]
    other = variation.disturbed(made.design, chosen.with_set(OFFSET), 6, "definition")
    wrong = lvs.compare(other, top).differences
    lanes = sum(len(stage.r_f) for stage in design.arrays)
    assert len(wrong) == lanes
    assert all("parameters" in difference.where for difference in wrong)
    assert lvs.compare(made.design, top).differences != ()


@pytest.mark.parametrize(("gain", "signed", "schedule"), CIRCUITS)
def test_offsets_of_effective_matrices(model, gain, signed, schedule):
    made, chosen = compiled(model, gain, signed, schedule)
    design = variation.disturbed(made.design, chosen.with_set(OFFSET), 5, "definition")
    wanted = evaluate.outputs(design, made.samples)["y"]
    found = evaluate.outputs(effective(design), made.samples)["y"]
    assert np.abs(found - wanted).max() < 1e-12
    # One micro-ohm changes nothing, but uses the code for wires.
    found = evaluate.outputs(effective(design, WireResistance(1e-6, 0, 1e-6, 0)), made.samples)["y"]
    assert np.abs(found - wanted).max() < 1e-7


def test_each_amplifier_has_an_offset_which_its_places_share(model):
    """Another seed gives other offsets; places that take turns at an amplifier share its offset."""
    made, _ = compiled(model, schedule="sequential")
    first, second = (offsets.with_offsets(made.design, 0.002, seed) for seed in (1, 2))
    conv = first.arrays[0]
    assert conv.offset.shape == (2, 3 * 4 * 4)
    lanes = conv.crossbars[0].sinks.nets()
    assert np.ptp(conv.offset[:, lanes], axis=2).max() == 0
    assert np.ptp(conv.offset[1, lanes[0, 0]]) > 0
    assert (conv.offset != second.arrays[0].offset).all()
    made, _ = compiled(model)
    many = np.concatenate(
        [
            offsets.with_offsets(made.design, 0.002, s).arrays[0].offset.reshape(-1)
            for s in range(60)
        ]
    )
    assert np.std(many) == pytest.approx(0.002, rel=0.05)
    assert abs(many.mean()) < 1e-4


def noisy(design, sigma=0.1):
    return design.with_stages(
        replace(stage, read_noise=sigma)
        if isinstance(stage, Array) and stage.cell != "resistor"
        else stage
        for stage in design.stages
    )


def one_read(design, number):
    """Return the design of read `number`: each cell times 1 + read_noise n, without noise."""
    rng = np.random.default_rng([3, number])
    return design.with_stages(
        replace(
            stage,
            crossbars=tuple(read(crossbar, stage.read_noise, rng) for crossbar in stage.crossbars),
            read_noise=0.0,
        )
        if isinstance(stage, Array)
        else stage
        for stage in design.stages
    )


def read(crossbar, sigma, rng):
    """Return the design with every place as a group, also for a sequential crossbar."""
    at = np.nonzero(crossbar.cell >= 0)
    wanted = np.repeat(crossbar.g[:, crossbar.cell[at]], crossbar.places, axis=0)
    cell = np.full(crossbar.cell.shape, -1)
    cell[at] = np.arange(len(at[0]))
    return replace(
        crossbar,
        g=np.maximum(wanted * (1 + sigma * rng.standard_normal(wanted.shape)), 0.0),
        cell=ints(cell),
        definition=ints(np.arange(len(wanted))),
        taps=one_block_a_place(crossbar.taps),
        sinks=one_block_a_place(crossbar.sinks),
        grid=(1,),
    )


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
def test_variances_of_a_read(model, signed, schedule):
    """Single reads of the first stage spread by its stated variances."""
    made, _ = compiled(model, "300", signed, schedule)
    design = noisy(made.design)
    stage = effective(design).stages[0]
    x = {name: values[:2] for name, values in made.samples.items()}
    volts = evaluate.drive(design.buses["x"], x["x"])
    squared = replace(stage, kernels=stage.noise, noise=())
    units = (volts / design.buses["x"].scale) ** 2
    # In units of activation, as the variances are.
    buses = {name: replace(bus, scale=None, limit=None) for name, bus in design.buses.items()}
    sigma = np.sqrt(evaluate.step(squared, buses, [units])) * design.buses[stage.dst].scale
    unlimited = {name: replace(bus, limit=None) for name, bus in design.buses.items()}
    count = 1000
    reads = np.array([
        evaluate.step(one_read(design, number).stages[0], unlimited, [volts])
        for number in range(count)
    ])  # fmt: skip
    ratio = reads.std(axis=0, ddof=1) / sigma
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(2 * count)
    mean = evaluate.step(design.stages[0], unlimited, [volts])
    assert (np.abs(reads.mean(axis=0) - mean) / sigma).max() < 5 / np.sqrt(count)
    # The noise of two lanes is independent.
    both = np.corrcoef(reads[:, 0, :3].T)
    assert np.abs(both[np.triu_indices(3, 1)]).max() < 0.25


def test_the_twin_draws_that_noise(model):
    """The outputs of twin and Monte Carlo have the same mean and spread, through all stages."""
    made, _ = compiled(model)
    # The network ends in a softmax, which would hide most of the noise.
    dense = [stage.dst for stage in made.design.arrays][-1]
    design = replace(noisy(made.design, 0.05), outputs=(dense,))
    x = {name: values[:1].astype(np.float32) for name, values in made.samples.items()}
    reads = np.array([evaluate.outputs(one_read(design, k), x)[dense][0] for k in range(400)])

    def drawn(seed):
        session = reference.session(twin.model(design, seed))
        return session.run(None, {"x": np.repeat(x["x"], 4000, axis=0)})[0]

    found = drawn(1)
    assert (found == drawn(1)).all()
    assert (found != drawn(2)).mean() > 0.99
    spread = reads.std(axis=0, ddof=1)
    assert found.std(axis=0) == pytest.approx(spread, rel=0.12)
    assert np.abs(found.mean(axis=0) - reads.mean(axis=0)).max() < 5 * spread.max() / np.sqrt(400)
    assert (np.abs(np.corrcoef(found[:-1, 0], found[1:, 0])[0, 1])) < 0.08
