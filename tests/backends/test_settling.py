"""Settling times of a design's stages, and the latency that follows from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.backends.cost import lane_loads, latency, settling
from memxc.errors import MemxcError
from memxc.ir.stages import Circuit
from memxc.ir.windows import ints
from memxc.physics.network import lane_dynamics
from memxc.physics.network.settling import responses
from memxc.target import load

WORD_F, BIT_F, C_IN, R_MIN = 2e-15, 1e-15, 5e-14, 2e4
TARGET = load("paper-128").with_set(
    "crossbar.guard=1.5", f"wire.c_word_line_f={WORD_F}", f"wire.c_bit_line_f={BIT_F}",
    "amplifier.gm1_s=1e-4", "amplifier.r1_ohm=1e6", "amplifier.c1_f=3e-14",
    "amplifier.c_miller_f=5.3e-13", "amplifier.gm2_s=2.5e-4", "amplifier.r2_ohm=2e5",
    "amplifier.c2_f=1.5e-13", f"amplifier.c_in_f={C_IN}", f"amplifier.r_f_min_ohm={R_MIN}",
)  # fmt: skip
ROWS, COLUMNS = 32, 16


def tile(stage):
    return ROWS, COLUMNS


def timed(design, target=TARGET):
    times = settling.measure(design, lane_loads.measure(design, tile), target)
    return times, latency.measure(design, target, times)


def changed(design, name, **fields):
    stages = [replace(s, **fields) if s.name == name else s for s in design.stages]
    return design.with_stages(stages)


def test_loads_of_two_row_parts(design):
    """The dense stage: parts of 7 and of 5 word lines, and a bias on the first, add to 5 lanes."""
    found = lane_loads.measure(design, tile)["dense"]
    upper, lower = (bar.g[0] for bar in design.arrays[1].crossbars)
    upper, lower = upper.reshape(8, 5, 2), lower.reshape(5, 5, 2)
    plus, minus = (upper.sum(axis=0) + lower.sum(axis=0)).T
    assert found.siemens[1] == pytest.approx(plus)
    assert found.siemens[-1] == pytest.approx(minus)
    assert found.segments[1].tolist() == found.segments[-1].tolist() == [2 * ROWS] * 5
    driven = [*upper[:7].sum(axis=(1, 2)), *lower.sum(axis=(1, 2))]
    assert found.driven == pytest.approx(driven)
    assert found.driven_segments.tolist() == [COLUMNS] * 12
    assert not found.inverted


def test_loads_pass_renaming_and_functions(design):
    """The relu drives the dense stage; the depthwise stage drives the relu, 1 a lane."""
    loads = lane_loads.measure(design, tile)
    hung = lane_loads.outputs(design, loads)
    depthwise, relu, dense = (s for s in design.stages if s.name in ("depthwise", "relu", "dense"))
    assert hung[depthwise.dst].functions.tolist() == [1] * 12
    assert hung[depthwise.dst].siemens.tolist() == [0] * 12
    assert hung[relu.dst].segments.tolist() == [COLUMNS] * 12
    # The inputs are behind a renaming stage: pixel (1, 1) of a channel is in all four windows that
    # have it, and a net that is wired to ground drives nothing.
    seen = loads[design.arrays[0].name].driven_segments.reshape(2, 3, 4)
    assert seen[0].tolist() == [[16, 32, 32, 16], [32, 64, 64, 32], [16, 32, 32, 16]]
    assert hung["x"].segments.sum() == seen.sum() - 16
    assert hung[dense.dst].siemens.tolist() == [0] * 5


def test_a_stage_takes_as_long_as_its_slowest_lane(design):
    times, _ = timed(design)
    dense = design.arrays[1]
    loads = lane_loads.measure(design, tile)["dense"]
    lanes = lane_dynamics.LaneCircuits(
        loads.siemens[1], loads.siemens[-1], *[np.full(5, 2 * ROWS * BIT_F)] * 2,
        dense.r_f, dense.r_join, np.zeros(5), np.zeros(5),
    )  # fmt: skip
    second = loads.siemens[-1] + 1 / dense.r_join
    caps = [
        lane_dynamics.feedback_f(y, 2 * ROWS * BIT_F * np.ones(5), r, TARGET.amplifier)
        for y, r in ((loads.siemens[1], dense.r_join), (second, dense.r_f))
    ]
    found = responses(lane_dynamics.pair(lanes, TARGET.amplifier, *caps, True), 1e-3)
    assert times["dense"].seconds == pytest.approx(found.seconds.max(), rel=1e-6)
    assert times["dense"].noise_gain == pytest.approx(
        max((1 + dense.r_f * second).max(), (1 + dense.r_join * loads.siemens[1]).max())
    )


def test_clocked_is_the_sum_over_the_path_and_free_running_is_less(design):
    times, found = timed(design)
    total = sum(times[name].seconds for name in ("depthwise", "relu", "dense"))
    assert found.clocked_s == pytest.approx(1.5 * total, rel=1e-5)
    assert 0.3 * found.clocked_s < found.free_running_s < 0.95 * found.clocked_s
    rows = latency.stages(design, TARGET, times)
    assert [(row.stage, row.critical) for row in rows] == [
        ("depthwise", True), ("relu", True), ("dense", True)
    ]  # fmt: skip
    assert found.inference_s == pytest.approx(3e-9)


def test_places_of_a_sequential_stage_settle_one_after_the_other(design):
    turned = changed(design, "depthwise", schedule="sequential")
    times, found = timed(turned)
    total = 6 * times["depthwise"].seconds + times["relu"].seconds + times["dense"].seconds
    assert found.clocked_s == pytest.approx(1.5 * total, rel=1e-5)
    assert found.free_running_s is None
    assert any("multiplexers" in text for text in found.missing)


def test_inputs_that_are_inverted_settle_first(design):
    dense = design.arrays[1]
    bars = [replace(bar, sign=-bar.sign) for bar in dense.crossbars]
    inverted = changed(design, "dense", crossbars=tuple(bars), signed="inverted-inputs")
    times, _ = timed(inverted)
    first, second = times["dense"].path
    assert len(first.current) == len(second.current) == 3
    alone = [responses(one, 1e-3).seconds[0] for one in (first, second)]
    assert times["dense"].seconds == pytest.approx(sum(alone), rel=1e-9)


def test_a_limited_slope_adds_the_time_of_its_swings(design):
    times, _ = timed(design)
    slow, _ = timed(design, TARGET.with_set("amplifier.slew_v_per_s=1e5"))
    fast, _ = timed(design, TARGET.with_set("amplifier.slew_v_per_s=1e10"))
    # 0.25 V at the limiter of the depthwise stage, and 1 V at op-amp 1; 0.2 V at the relu.
    more = {"depthwise": 1.25 / 1e5, "relu": 0.2 / 1e5}
    for name, seconds in more.items():
        assert slow[name].seconds == pytest.approx(times[name].seconds + seconds, rel=1e-9)
        assert fast[name].seconds == times[name].seconds
    # Op-amp 1 of the depthwise stage moves by 1 V and is steeper than op-amp 2.
    between, _ = timed(design, TARGET.with_set("amplifier.slew_v_per_s=3e7"))
    assert between["depthwise"].slew_s == pytest.approx(1 / 3e7)


def test_a_stage_without_devices_has_no_time(design):
    bars = [replace(bar, g=0 * bar.g) for bar in design.arrays[1].crossbars]
    times, found = timed(changed(design, "dense", crossbars=tuple(bars)))
    assert [*times] == ["depthwise", "relu"]
    assert found.clocked_s is not None


def test_what_a_target_lacks_is_named(design):
    lean = TARGET.model_copy(update={"wire": TARGET.wire.model_copy(update={"c_bit_line_f": None})})
    assert settling.lacking(lean) == ("wire.c_bit_line_f",)
    found = latency.measure(design, lean, {})
    assert (found.clocked_s, found.free_running_s, found.median_stage_s) == (None, None, None)
    assert found.missing[0] == "wire.c_bit_line_f"
    assert "amplifier.gm1_s" in settling.lacking(load("paper-128"))


def test_a_lane_that_never_settles_is_named(design):
    """An op-amp that has hardly any Miller capacitance."""
    times, found = timed(
        design, TARGET.with_set("amplifier.gm1_s=1e-2", "amplifier.c_miller_f=1e-15")
    )
    assert times["dense"].unstable > 0
    assert found.clocked_s is None
    assert any(text.startswith("dense: ") for text in found.missing)


def test_many_different_lanes_are_binned(design, monkeypatch):
    times, _ = timed(design)
    monkeypatch.setattr("memxc.backends.cost.different._MOST_LANES", 1)
    binned, _ = timed(design)
    for name in ("depthwise", "dense"):
        assert binned[name].seconds == pytest.approx(times[name].seconds, rel=0.1)
        assert binned[name].seconds != times[name].seconds


def test_word_lines_that_are_driven_make_a_stage_slower(design):
    """Without the relu between them, the depthwise stage drives the lines of the dense stage."""
    wires, depthwise, _, dense, softmax = design.stages
    direct = design.with_stages([wires, depthwise, replace(dense, src="a"), softmax])
    heavy = TARGET.with_set("wire.c_word_line_f=4e-12")
    assert (
        timed(direct, heavy)[0]["depthwise"].seconds > 1.4 * timed(direct)[0]["depthwise"].seconds
    )
    light = timed(design)[0]["depthwise"]
    assert timed(design, heavy)[0]["depthwise"].seconds == light.seconds
    assert timed(design, heavy)[0]["relu"].seconds > 2 * timed(design)[0]["relu"].seconds


@pytest.mark.parametrize(
    ("circuit", "signals", "count"),
    [
        (Circuit("max", opamps=4, diodes=4), 4, 1),
        (Circuit("full_wave", opamps=2, diodes=2), 1, 2),
        (Circuit("sum", opamps=2), 2, 2),
        (Circuit("neg", inverters=1), 1, 1),
        (Circuit("divide", opamps=1, multipliers=1), 2, 6),
    ],
)
def test_opamps_in_series(design, circuit, signals, count):
    relu = design.stages[2]
    lanes = replace(relu, circuit=circuit, srcs=("a",) * signals, taps=relu.taps * signals)
    assert settling.in_series(lanes) == count


def test_values_that_no_circuit_has_are_a_fault(design):
    target = TARGET.with_set(
        "amplifier.r2_ohm=1e-15", "amplifier.c1_f=1", "amplifier.c_miller_f=1e-20"
    )
    with pytest.raises(MemxcError) as caught:
        timed(design, target)
    assert caught.value.faults[0].code == "bad-target"


def test_a_current_without_devices_does_not_step(design):
    """Without minus devices, the lanes of the dense stage settle by their plus current."""
    bars = [
        replace(bar, cell=ints(np.where(bar.polarity < 0, -1, bar.cell)))
        for bar in design.arrays[1].crossbars
    ]
    times, _ = timed(changed(design, "dense", crossbars=tuple(bars)))
    assert times["dense"].slowest[1]
    assert times["dense"].ringing[1]
    bars = [replace(bar, polarity=ints(-np.ones(bar.bit_lines))) for bar in bars]
    times, _ = timed(changed(design, "dense", crossbars=tuple(bars)))
    assert not times["dense"].slowest[1]
