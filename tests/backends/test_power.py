"""Watts, compared with a plain walk over every placed device and with ngspice's sum."""

import re
import subprocess
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from memxc.backends.cost import power, resources
from memxc.evaluation import evaluate
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import identity_windows, ints

SAMPLES = 11


@pytest.fixture
def samples():
    return {"x": np.random.default_rng(3).uniform(-1, 1, (SAMPLES, 2, 3, 4)).astype(np.float32)}


def measure(design, samples, amplifier_w=1e-5):
    bills = resources.measure(design, 1e-6, lambda stage: (32, 16))
    squares = {name: np.square(v).mean(axis=0) for name, v in evaluate.run(design, samples).items()}
    found = power.measure(with_squares(design, squares), bills, amplifier_w)
    return {row.stage: row for row in found}


def with_squares(design, squares):
    """The design with the mean squares of volts on its buses."""
    buses = {n: replace(bus, mean_square=squares[n]) for n, bus in design.buses.items()}
    return replace(design, buses=buses)


def every_device(stage, volts):
    """(place, volts, siemens, lane) of every placed device, one at a time."""
    for crossbar in stage.crossbars:
        for g in range(crossbar.groups):
            nets = crossbar.taps.nets()[g]
            lanes = crossbar.sinks.nets()[g]
            for p in range(crossbar.places):
                for w, b in zip(*np.nonzero(crossbar.cell >= 0), strict=True):
                    line = crossbar.line[w]
                    net = None if line == BIAS else nets[p, line]
                    v = stage.v_bias if line == BIAS else (0.0 if net < 0 else volts[net])
                    lane = lanes[p, crossbar.column[b]]
                    yield p, v, crossbar.g[g, crossbar.cell[w, b]], int(lane)


@pytest.mark.parametrize("name", ["depthwise", "dense"])
def test_crossbar_watts_are_those_of_every_device(design, samples, name):
    buses = evaluate.run(design, samples)
    stage = next(stage for stage in design.arrays if stage.name == name)
    watts = np.mean(
        [sum(v * v * g for _, v, g, _ in every_device(stage, volts)) for volts in buses[stage.src]]
    )
    assert measure(design, samples)[name].crossbar_w == pytest.approx(watts, rel=1e-9)


def test_a_sequential_stage_draws_the_mean_over_its_places(design, samples):
    parallel = measure(design, samples)["depthwise"].crossbar_w
    turned = design.with_stages(
        replace(s, schedule="sequential") if s.name == "depthwise" else s for s in design.stages
    )
    assert measure(turned, samples)["depthwise"].crossbar_w == pytest.approx(parallel / 6)


def test_watts_do_not_depend_on_the_rounding_of_sums(design, samples):
    """Another processor's squares of volts differ by a few units in the last place."""
    bills = resources.measure(design, 1e-6, lambda stage: (32, 16))
    squares = {name: np.square(v).mean(axis=0) for name, v in evaluate.run(design, samples).items()}
    others = {name: values * (1 + 4e-16) for name, values in squares.items()}
    assert any((others[name] != squares[name]).any() for name in others)
    found = [power.measure(with_squares(design, some), bills, 1e-5) for some in (squares, others)]
    assert found[0] == found[1]


def limited(design, name, volts):
    return replace(design, buses={**design.buses, name: replace(design.buses[name], limit=volts)})


@pytest.mark.parametrize(("limit", "volts"), [(None, 0.2), (0.25, 0.25)])
def test_the_worst_neuron_has_all_its_row_parts(design, samples, limit, volts):
    """Word lines have the limit of their limiter, or the read voltage. Bias lines have v_bias."""
    stage = design.arrays[1]
    lanes = np.zeros(5)
    for _, v, g, lane in every_device(stage, np.full(12, volts)):
        lanes[lane] += g * v**2
    found = measure(limited(design, "b", limit), samples)["dense"].neuron_max_w
    assert found == pytest.approx(lanes.max(), rel=1e-9)


def test_a_limiter_is_found_behind_wires(design, samples):
    """The depthwise stage reads the input by wires; its own limiter is on its output."""
    stage = design.arrays[0]
    places = np.zeros((12, 6))
    for place, v, g, lane in every_device(stage, np.full(24, 0.3)):
        places[lane, place] += g * v**2
    found = measure(limited(design, "x", 0.3), samples)["depthwise"].neuron_max_w
    assert found == pytest.approx(places.max(), rel=1e-9)


def test_fixed_resistors_are_no_neuron(design, samples):
    turned = design.with_stages(
        replace(s, cell="resistor") if s.name == "dense" else s for s in design.stages
    )
    found = measure(turned, samples)["dense"]
    assert found.neuron_max_w == 0.0
    assert found.crossbar_w == measure(design, samples)["dense"].crossbar_w > 0.0


@pytest.mark.spice
def test_the_worst_neuron_is_what_ngspice_sums(design, samples, ngspice, tmp_path):
    """Every device of a lane in a deck written here, at the volts that can occur."""
    design = limited(design, "b", 0.25)
    sums = np.zeros(5)
    for lane in range(5):
        every = enumerate(every_device(design.arrays[1], np.full(12, 0.25)))
        own = [(i, v, g) for i, (_, v, g, of) in every if of == lane]
        cards = [f"V{i} w{i} 0 {v:.12e}\nR{i} w{i} 0 {1 / g:.12e}" for i, v, g in own]
        total = " + ".join(f"@r{i}[p]" for i, _, _ in own)
        saves = ".save " + " ".join(f"@r{i}[p]" for i, _, _ in own)
        control = [".control", "op", f"print {total}", ".endc", ".end"]
        deck = tmp_path / f"lane{lane}.cir"
        deck.write_text("\n".join(["* a lane", *cards, saves, *control]) + "\n")
        done = subprocess.run(
            [ngspice, "-b", deck], capture_output=True, text=True, timeout=60, check=False
        )
        sums[lane] = float(re.findall(r" = (\S+)$", done.stdout, re.M)[-1])
    found = measure(design, samples)["dense"].neuron_max_w
    assert found == pytest.approx(sums.max(), rel=1e-6)


def test_amplifiers_draw_what_the_target_says(design, samples):
    found = measure(design, samples, amplifier_w=3e-6)
    assert found["depthwise"].amplifier_w == pytest.approx(24 * 3e-6)
    assert found["relu"].amplifier_w == pytest.approx(12 * 3e-6)
    assert found["relu"].crossbar_w == 0.0


def test_watts_add_up_and_the_largest_neuron_stays(design, samples):
    rows = [*measure(design, samples).values()]
    total = power.total(rows)
    assert total.total_w == pytest.approx(sum(row.total_w for row in rows))
    assert total.neuron_max_w == max(row.neuron_max_w for row in rows)


@pytest.mark.spice
def test_crossbar_watts_are_what_ngspice_sums_itself(design, samples, ngspice, tmp_path):
    """A deck written here, device by device, and ngspice's own power of each resistor."""
    one = {"x": samples["x"][:1]}
    stage = design.arrays[1]
    volts = evaluate.run(design, one)[stage.src][0]
    cards, names = ["* dense stage at virtual ground"], []
    for i, (_, v, g, lane) in enumerate(every_device(stage, volts)):
        cards += [f"V{i} w{i} 0 {v:.12e}", f"R{i} w{i} c{lane} {1 / g:.12e}"]
        names.append(f"@r{i}[p]")
    cards += [f"Vg{lane} c{lane} 0 0" for lane in range(5)]
    saves = [".save " + " ".join(names[i : i + 20]) for i in range(0, len(names), 20)]
    sums = [f"let p = p + {name}" for name in names]
    control = [".control", "op", "let p = 0", *sums, "print p", ".endc", ".end"]
    deck = tmp_path / "power.cir"
    deck.write_text("\n".join([*cards, *saves, *control]) + "\n")
    done = subprocess.run(
        [ngspice, "-b", deck], capture_output=True, text=True, timeout=60, check=False
    )
    watts = float(re.search(r"^p = (\S+)", done.stdout, re.M).group(1))
    assert measure(design, one)["dense"].crossbar_w == pytest.approx(watts, rel=1e-6)


def test_memory_grows_linearly_with_a_row_of_resistors(array_of_resistors):
    """Its watts are those of the row: each of 40,000 devices of 1e-6 S at a mean square of 4 V."""
    lines = 40_000
    stage = array_of_resistors(lines)
    tracemalloc.start()
    watts = power.crossbar_w(stage, np.full(lines, 4.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert watts == pytest.approx(lines * 1e-6 * 4.0)


@pytest.fixture
def array_of_resistors():
    """A programmed stage of one place: one bit line that adds all word lines."""

    def make(lines: int) -> Array:
        word = ints(np.arange(lines))
        crossbar = Crossbar(
            np.full((1, lines), 1e-6), word[:, None], word, ints(np.ones(lines)), ints([0]),
            ints([1]), ints([0]), identity_windows(lines), identity_windows(1), (1,),
        )  # fmt: skip
        ohm = np.array([1e3])
        return Array("mean", "x", "y", (crossbar,), ohm, ohm, 0.0, 1e6, cell="resistor")

    return make
