"""Nonlinear cells: stage-by-stage evaluation, against matrices, sums by hand and curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc import simulate, target
from memxc.backends import twin
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.evaluation.reference import predict
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import identity_windows, ints
from memxc.physics.device import iv_laws, nonlinear_lanes, variation
from memxc.physics.network import effective
from memxc.physics.network.nodal import WireResistance
from memxc.simulate import walk
from memxc.simulate.circuit import answers

WIRED = ("wire.r_source=3", "wire.r_word_line=5", "wire.r_bit_line=7", "wire.r_neuron=2")
BARE = tuple(f"{text.split('=')[0]}=0" for text in WIRED)


def made(*settings):
    return target.load("paper-128").with_set(*settings)


def measured(tmp_path, odd=False):
    """Return a target with measured curves of three states, steeper on one side of 0 V."""
    rows = ["state_ohm,volts,amperes"]
    for ohms in (1e4, 1e5, 1e6):
        for v in (-0.4, -0.25, -0.1, 0.0, 0.1, 0.2, 0.4):
            bend = v + (0.3 if v > 0 else 0.9) * abs(v) * v
            rows.append(f"{ohms},{v},{bend / 1.06 / ohms}")
    path = tmp_path / "curves.csv"
    path.write_text("\n".join(rows) + "\n")
    return made(f"device.iv_csv={path}", *BARE)


def driven(design, signed="differential", gain=np.inf, drive="left"):
    """Return the design with its arrays driven otherwise; inverted inputs are added."""
    stages = []
    for stage in design.stages:
        if isinstance(stage, Array):
            crossbars = stage.crossbars
            if signed == "inverted-inputs":
                crossbars = tuple(map(_inverted, crossbars))
            made = replace(stage, crossbars=crossbars, gain=gain, signed=signed, drive=drive)
            stages.append(made)
        else:
            stages.append(stage)
    changed = design.with_stages(stages)
    changed.verify()
    return changed


def _inverted(crossbar: Crossbar) -> Crossbar:
    """Return a design with one bit line a column; every second word line is behind an inverter."""
    minus = np.flatnonzero(crossbar.polarity < 0)
    sign = np.where(np.arange(crossbar.word_lines) % 2, -1, 1)
    return replace(
        crossbar, cell=ints(crossbar.cell[:, minus]), column=ints(crossbar.column[minus]),
        polarity=ints(-np.ones(len(minus))), sign=ints(sign),
    )  # fmt: skip


def pictures(count=5):
    return {"x": np.random.default_rng(2).uniform(-1, 1, (count, 2, 3, 4))}


def through(design, chosen, inputs):
    """Return every bus as memxc.simulate.walk computes it."""
    buses = {name: evaluate.drive(design.buses[name], inputs[name]) for name in design.inputs}
    for stage in design.stages:
        sources = [buses[src] for src in stage.srcs]
        buses[stage.dst] = walk.step(design, stage, chosen, sources)
    return buses


@pytest.mark.parametrize("drive", ["left", "both"])
@pytest.mark.parametrize("gain", [np.inf, 300.0])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_linear_cells_with_wires_are_their_matrices(design, signed, gain, drive):
    design = driven(design, signed, gain, drive)
    chosen = made(*WIRED)
    matrices = effective.effective(design, WireResistance.of(chosen.wire))
    wanted, found = evaluate.run(matrices, pictures()), through(design, chosen, pictures())
    # The error of the op-amps' volts after two iterations: the square of load / gain.
    bound = 1e-9 if np.isinf(gain) else 1e-4
    for name in "abcd":
        apart = np.abs(found[name] - wanted[name]).max()
        assert apart <= bound * np.abs(wanted[name]).max(), name


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_sinh_cells_without_wires_are_linear_ones_at_bent_volts(design, signed):
    design, chosen = driven(design, signed), made("device.iv=sinh", "device.sinh_v0_v=0.11", *BARE)
    straight = nonlinear_lanes.straight(design, iv_laws.law(chosen.device))
    assert not any(part.name.endswith("~") for part in straight.stages)
    wanted, found = through(design, chosen, pictures()), evaluate.run(straight, pictures())
    linear = evaluate.run(design, pictures())
    for name in "acd":
        assert found[name] == pytest.approx(wanted[name], rel=1e-11, abs=1e-13)
        assert np.abs(linear[name] - wanted[name]).max() > 1e-3 * np.abs(wanted[name]).max()


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_measured_cells_without_wires_are_linear_ones_at_bent_volts(design, signed, tmp_path):
    design, chosen = driven(design, signed), measured(tmp_path)
    for bus in ("t", "b"):
        design = replace(
            design, buses={**design.buses, bus: replace(design.buses[bus], limit=0.25)}
        )
    straight = nonlinear_lanes.straight(design, iv_laws.law(chosen.device))
    straight.verify()
    wanted, found = through(design, chosen, pictures()), evaluate.run(straight, pictures())
    linear = evaluate.run(design, pictures())
    for name in "acd":
        assert found[name] == pytest.approx(wanted[name], rel=1e-11, abs=1e-13)
        assert np.abs(linear[name] - wanted[name]).max() > 1e-3 * np.abs(wanted[name]).max()


def test_the_error_of_nonlinear_loads_falls_with_the_gain(design):
    chosen = made("device.iv=sinh", "device.sinh_v0_v=0.11", *BARE)
    apart = []
    for gain in (1e4, 1e5, 1e6):
        real = driven(design, gain=gain)
        wanted = through(real, chosen, pictures())["a"]
        found = evaluate.run(
            nonlinear_lanes.straight(real, iv_laws.law(chosen.device)), pictures()
        )["a"]
        apart.append(np.abs(found - wanted).max() / np.abs(wanted).max())
    assert apart == pytest.approx([10 * apart[1], apart[1], apart[1] / 10], rel=0.02)
    assert 0 < apart[1] < 1e-4


def test_currents_by_hand():
    """One crossbar of 2 x 1 pairs with a bias line: sums of sinh."""
    g = np.array([[1e-4, 2e-5], [3e-5, 5e-5], [8e-5, 1e-6]])
    crossbar = Crossbar(
        g=g.reshape(1, -1), cell=ints(np.arange(6).reshape(3, 2)), line=ints([0, 1, -1]),
        sign=ints([1, 1, 1]), column=ints([0, 0]), polarity=ints([1, -1]), definition=ints([0]),
        taps=identity_windows(2), sinks=identity_windows(1), grid=(1,),
    )  # fmt: skip
    stage = Array("s", "x", "y", (crossbar,), np.array([2e4]), np.array([7e3]), 0.2, np.inf)
    buses = {"x": Bus("x", (1, 2), 0.1), "y": Bus("y", (1, 1), 0.5)}
    design = Design("d", ("x",), ("y",), buses, (stage,))
    chosen = made("device.iv=sinh", "device.sinh_v0_v=0.07", *BARE)
    volts = np.array([0.15, -0.08, 0.2])
    amperes = 0.07 * np.sinh(volts / 0.07) @ g
    found = walk.outputs(design, chosen, {"x": np.array([[1.5, -0.8]])})["y"]
    assert found == pytest.approx(np.array([[2e4 * (amperes[0] - amperes[1]) / 0.5]]), rel=1e-12)


def test_the_twin_of_nonlinear_cells(design):
    chosen = made("device.iv=sinh", "device.sinh_v0_v=0.11", *BARE)
    model = twin.model(simulate.circuit(design, chosen))
    inputs = {name: values.astype(np.float32) for name, values in pictures(9).items()}
    found = predict(model, inputs)["d"]
    wanted = walk.outputs(design, chosen, inputs)["d"]
    assert np.abs(found.reshape(wanted.shape) - wanted).max() <= 1e-5


def test_nonlinear_cells_with_wires_have_no_matrix(design):
    chosen = made("device.iv=sinh", "device.sinh_v0_v=0.11", *WIRED)
    with pytest.raises(MemxcError, match="no effective matrix"):
        simulate.circuit(design, chosen)


def test_volts_beyond_what_was_measured(design, tmp_path):
    with pytest.raises(MemxcError, match="limit the volts"):
        nonlinear_lanes.straight(design, iv_laws.law(measured(tmp_path).device))


def test_progress_of_the_walk(design):
    shares = []
    walk.outputs(design, made(*WIRED), pictures(), shares.append)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1


def test_fixed_resistors_stay_linear(design):
    """Average pooling in a network with sinh cells."""
    fixed = [
        replace(stage, cell="resistor") if stage.name == "depthwise" else stage
        for stage in design.stages
    ]
    design, chosen = design.with_stages(fixed), made("device.iv=sinh", "device.sinh_v0_v=0.11")
    chosen = chosen.with_set(*BARE)
    found, linear = through(design, chosen, pictures()), evaluate.run(design, pictures())
    assert found["a"] == pytest.approx(linear["a"], rel=1e-11, abs=1e-13)
    assert np.abs(found["c"] - linear["c"]).max() > 1e-3 * np.abs(linear["c"]).max()


def test_measured_cells_with_wires_have_no_matrix(design, tmp_path):
    chosen = measured(tmp_path).with_set(*WIRED)
    with pytest.raises(MemxcError, match="no effective matrix"):
        simulate.circuit(design, chosen)


def test_pictures_keep_their_order(design, monkeypatch):
    chosen = made("device.iv=sinh", "device.sinh_v0_v=0.11", *BARE)
    at_once = walk.outputs(design, chosen, pictures(5))["d"]
    # Two pictures of 24 lanes at a time.
    monkeypatch.setattr(evaluate, "_CHUNK", 50)
    assert len(list(evaluate.batches(design, pictures(5)))) == 3
    assert walk.outputs(design, chosen, pictures(5))["d"] == pytest.approx(at_once, rel=1e-12)


@pytest.mark.parametrize("wires", [WIRED, BARE], ids=["wired", "bare"])
def test_offsets_of_op_amps(design, wires):
    """In a linear circuit the offsets act as in evaluate and the effective matrices."""
    chosen = made(*wires, "amplifier.offset_sigma_v=0.003")
    real = variation.disturbed(driven(design, gain=1e4), chosen, 5, "definition")
    matrices = effective.effective(real, WireResistance.of(chosen.wire))
    wanted, found = evaluate.run(matrices, pictures()), through(real, chosen, pictures())
    plain = through(driven(design, gain=1e4), chosen, pictures())
    for name in "abc":
        size = np.abs(wanted[name]).max()
        assert np.abs(found[name] - wanted[name]).max() <= 1e-6 * size
        assert np.abs(plain[name] - wanted[name]).max() > 1e-3 * size


def test_read_noise_of_nonlinear_cells_with_wires_is_refused(design):
    chosen = made("device.iv=sinh", "device.sinh_v0_v=0.1", "device.read_noise=0.01", *WIRED)
    with pytest.raises(MemxcError, match="read_noise"):
        answers(design, chosen, 0, "definition", pictures(), lambda share: None)
