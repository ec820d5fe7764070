"""Counts against numbers worked out by hand for the design of conftest.py."""

from dataclasses import replace

import numpy as np
import pytest

from memxc.backends.cost import area, kernels, latency, resources
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import Windows, ints
from memxc.target import load


def measure(design, g_min=1e-6, tile=(32, 16)):
    return {row.stage: row.resources for row in resources.measure(design, g_min, lambda s: tile)}


def with_stage(design, name, **change):
    return design.with_stages(
        replace(stage, **change) if stage.name == name else stage for stage in design.stages
    )


def inverted(design, name):
    """The stage with each input and its inverse on neighbouring lines, minus bit lines only."""
    stage = next(stage for stage in design.stages if stage.name == name)
    crossbars = []
    for c in stage.crossbars:
        outputs = c.bit_lines // 2
        words = 2 * c.word_lines
        crossbars.append(
            replace(
                c, cell=ints(np.arange(words * outputs).reshape(words, outputs)),
                line=ints(np.repeat(c.line, 2)), sign=ints(np.tile([1, -1], c.word_lines)),
                column=ints(range(outputs)), polarity=ints([-1] * outputs),
            )
        )  # fmt: skip
    return with_stage(design, name, crossbars=tuple(crossbars), signed="inverted-inputs")


def test_depthwise_stage_in_parallel(design):
    found = measure(design)["depthwise"]
    # Two kernels of 4 inputs and a bias, two bit lines, at 6 places.
    assert found == resources.Resources.of(
        crossbars=12, memristors=120, memristors_defined=20, memristors_off=0, word_lines=60,
        driven_ends=60, bit_lines=24, opamps=24, inverters=12, limiters=12, periods=1,
        places_available=12 * 512, places_used=120,
    )  # fmt: skip
    assert found.bill().utilisation == 120 / (12 * 32 * 16)


def test_depthwise_stage_sequential(design):
    found = measure(with_stage(design, "depthwise", schedule="sequential"))["depthwise"]
    assert found == resources.Resources.of(
        crossbars=2, memristors=20, memristors_defined=20, word_lines=10, driven_ends=10,
        bit_lines=4, opamps=4 + 8 + 12, inverters=2, limiters=2, periods=6, places_available=1024,
        places_used=20, drivers=8 + 12, holds=12, switches=8 * 6,
    )  # fmt: skip


def test_both_ends_of_the_word_lines(design):
    found = measure(with_stage(design, "depthwise", drive="both"))["depthwise"]
    assert (found.word_lines, found.driven_ends) == (60, 120)


def test_row_parts_share_their_amplifiers(design):
    found = measure(design)["dense"]
    assert found == resources.Resources.of(
        crossbars=2, memristors=130, memristors_defined=130, word_lines=13, driven_ends=13,
        bit_lines=20, opamps=10, inverters=5, periods=1, places_available=1024, places_used=130,
    )  # fmt: skip


def test_lanes_count_their_circuit(design):
    wanted = resources.Resources.of(opamps=12, diodes=24, periods=1)
    assert measure(design)["relu"] == wanted
    limited = replace(design.buses["b"], limit=0.25)
    found = measure(replace(design, buses={**design.buses, "b": limited}))["relu"]
    assert found == wanted + resources.Resources.of(limiters=12)


def test_inverted_inputs_share_inverters_and_leave_ground_alone(design):
    found = measure(inverted(design, "depthwise"))["depthwise"]
    # 24 lanes, all of them in some window, one wired to ground.
    assert (found.word_lines, found.bit_lines, found.memristors) == (120, 12, 120)
    assert (found.inverters, found.opamps) == (23, 23 + 12)


def test_a_sequential_stage_with_inverted_inputs_has_an_inverter_for_each_port(design):
    turned = with_stage(inverted(design, "depthwise"), "depthwise", schedule="sequential")
    found = measure(turned)["depthwise"]
    assert (found.inverters, found.opamps) == (8, 8 + 2 + 8 + 12)


def test_a_definition_is_counted_where_it_comes_first(design):
    stage = design.arrays[0]
    same = replace(stage.crossbars[0], definition=ints([0, 0]))
    found = measure(with_stage(design, "depthwise", crossbars=(same,)))
    assert found["depthwise"].memristors_defined == 10
    assert found["depthwise"].memristors == 120


def test_devices_at_g_min_are_off(design):
    crossbar = design.arrays[0].crossbars[0]
    g = crossbar.g.copy()
    g[0, :3] = 1e-6
    off = with_stage(design, "depthwise", crossbars=(replace(crossbar, g=g),))
    assert measure(off)["depthwise"].memristors_off == 3 * 6


def test_fixed_resistors_are_no_memristors(design):
    found = measure(with_stage(design, "depthwise", cell="resistor"))["depthwise"]
    # Average pooling has neither word lines nor bit lines, and stands on no unit crossbar.
    assert found == resources.Resources.of(
        resistors=120, opamps=24, inverters=12, limiters=12, periods=1
    )
    assert found.bill().utilisation is None


def test_a_kept_batchnorm_stands_on_no_unit_crossbar(design):
    found = measure(with_stage(design, "depthwise", cell="batchnorm"))["depthwise"]
    assert (found.memristors, found.memristors_defined, found.opamps) == (120, 20, 24)
    assert (found.crossbars, found.word_lines, found.bill().utilisation) == (0, 0, None)
    covered = area.measure([resources.ResourceRow("norm", "batchnorm", found)], load("paper-128"))
    assert covered.crossbar_m2 == pytest.approx(120 * 1e-13)


def test_bills_add_up(design):
    rows = resources.measure(design, 1e-6, lambda stage: (32, 16))
    total = resources.total(rows)
    assert total.memristors == 250
    assert total.opamps == 24 + 12 + 10
    assert total + resources.Resources.of() == total
    assert total.bill().utilisation == 250 / (14 * 512)


def timed(design, stage_time_s):
    target = load("hfox-128").with_set(f"crossbar.stage_time_s={stage_time_s}")
    return latency.measure(design, target, {})


def test_critical_path(design):
    found = timed(design, 2e-9)
    # depthwise, relu, dense; wires, limiters and softmax take no time.
    assert (found.critical_path_stages, found.periods) == (3, 3)
    turned = with_stage(design, "depthwise", schedule="sequential")
    found = timed(turned, 2e-9)
    assert (found.critical_path_stages, found.periods) == (3, 8)
    assert found.inference_s == pytest.approx(16e-9)


@pytest.mark.parametrize("outputs", [("c", "b"), ("b", "c")])
def test_the_longer_of_two_outputs_counts(design, outputs):
    """`b` is behind depthwise and relu, `c` behind dense too."""
    found = timed(replace(design, outputs=outputs), 2e-9)
    assert (found.critical_path_stages, found.periods) == (3, 3)


def test_most_periods_count_before_most_stages(design):
    """Two ways that meet: one stage of 6 periods, and two of one period each."""
    turned = with_stage(design, "depthwise", schedule="sequential")
    wires, depthwise, relu = turned.stages[:3]
    buses = turned.buses | {name: Bus(name, (1, 2, 2, 3), 0.1) for name in ("z", "u", "v", "e")}
    once = replace(relu, name="once", srcs=("z",), dst="u")
    twice = replace(relu, name="twice", srcs=("u",), dst="v")
    for srcs in (("a", "v"), ("v", "a")):
        meet = replace(relu, name="meet", srcs=srcs, dst="e", taps=relu.taps * 2, expr="max(x0,x1)")
        stages = (wires, once, depthwise, twice, meet)
        found = timed(Design("two", ("x", "z"), ("e",), buses, stages), 1e-9)
        assert (found.critical_path_stages, found.periods) == (2, 7)


def test_a_sequential_stage_takes_the_periods_of_its_kernel_with_most_places(design):
    """Two kernels of one stage, of 6 and of 2 places: they have word lines of their own."""
    (six,) = design.arrays[0].crossbars
    short = {"origin": ints([0, 4])}
    two = replace(
        six, taps=replace(six.taps, **short), sinks=replace(six.sinks, origin=ints([0, 3])),
        grid=(2, 1), definition=ints([7, 8]),
    )  # fmt: skip
    for both in ((six, two), (two, six)):
        turned = with_stage(design, "depthwise", schedule="sequential", crossbars=both)
        found = measure(turned)["depthwise"]
        assert (found.periods, found.crossbars, found.bit_lines) == (6, 4, 8)
        assert timed(turned, 1e-9).periods == 8


def test_area_takes_whole_unit_crossbars(design):
    target = load("paper-128")
    rows = resources.measure(design, 1e-6, lambda stage: (32, 16))
    found = area.measure(rows, target)
    assert found.crossbar_m2 == pytest.approx(14 * 32 * 16 * 1e-13)
    assert found.amplifier_m2 == pytest.approx(46 * 1e-10)
    assert found.total_m2 == found.crossbar_m2 + found.amplifier_m2


def linear(name, src, dst, rows, columns, groups, cell="memristor"):
    taps = Windows(
        ints(range(rows * groups)), ints([0]), ints(np.arange(groups) * rows), ints(range(rows))
    )
    sinks = Windows(
        ints(range(columns * groups)),
        ints([0]),
        ints(np.arange(groups) * columns),
        ints(range(columns)),
    )
    kernel = Kernel(np.ones((groups, rows * columns)), None, None, taps, sinks, (1,))
    return Linear(name, src, dst, (kernel,), cell)


def test_the_papers_way_of_counting():
    # papers.md 4.2: per kernel of M inputs, (M+1) x 2 with one inverter, or (2M+1) x 1 with M.
    stages = (
        linear("depthwise", "x", "a", rows=9, columns=1, groups=4),
        linear("average", "a", "b", rows=4, columns=1, groups=1, cell="resistor"),
        linear("pointwise", "a", "c", rows=4, columns=3, groups=1),
    )
    buses = {n: Bus(n, (1, w)) for n, w in {"x": 36, "a": 4, "b": 1, "c": 3}.items()}
    found = kernels.measure(Design("n", ("x",), ("b", "c"), buses, stages)).bills().model_dump()
    new, old = found["differential"], found["inverted_inputs"]
    assert new["kernels"] == old["kernels"] == 7
    assert new["memristors"] == 4 * 2 * 10 + 3 * 2 * 5
    assert old["memristors"] == 4 * 19 + 3 * 9
    assert (new["word_lines"], old["word_lines"]) == (4 * 10 + 3 * 5, 4 * 19 + 3 * 9)
    assert (new["inverters"], old["inverters"]) == (7, 4 * 9 + 3 * 4)
    # Every kernel of the depthwise layer has 9 inputs, every pointwise one 4: they take turns.
    assert (new["inverters_shared"], old["inverters_shared"]) == (7, 9 + 4)
    assert (new["opamps"], old["opamps"]) == (14, 48 + 7)
    assert set(new) == set(old)
    assert set(resources.Resources.of().bill().model_dump()) <= set(new)


def test_bias_lines_are_found_by_their_mark(design):
    assert (design.arrays[0].crossbars[0].line == BIAS).sum() == 1
