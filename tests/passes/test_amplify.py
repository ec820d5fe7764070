"""amplify: lanes of a large noise gain are amplified in two stages, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest

from memxc import target as targets
from memxc.compiler import order
from memxc.compiler.options import Options
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.stages import Array, Linear, Rename
from memxc.ir.windows import GROUND
from memxc.passes.amplify import Amplify
from memxc.passes.partition import Partition
from memxc.passes.program import Program
from memxc.passes.tile import Tile

#: Columns 2, 5 and 6 sum to more than 20 times what a unit of output is; the others to less than 8.
LARGE = [2, 5, 6]


def context(limit=16.0, **options):
    """The default target with another limit, and op-amps that lose nothing by their noise gain."""
    keys = (f"amplifier.noise_gain_max={limit}", "amplifier.gain=inf")
    target = targets.load("hfox-128").with_set(*keys)
    return Context(target, samples={}, **options)


def volts(design, x_scale=0.2, y_scale=0.2, limit=None):
    buses = dict(design.buses)
    buses["x"] = replace(buses["x"], scale=x_scale)
    buses["y"] = replace(buses["y"], scale=y_scale, limit=limit)
    return replace(design, buses=buses)


@pytest.fixture
def pointwise(convolution):
    """A convolution of 6 channels and 8 filters, three of which have large weights."""
    design = convolution(6, 8, 3, 2, k=1, pad=0)
    (stage,) = design.stages
    values = stage.kernels[0].values.reshape(1, 6, 8)
    values /= np.abs(values).sum(axis=1, keepdims=True)
    values *= np.where(np.isin(np.arange(8), LARGE), 25.0, 5.0)
    kernel = replace(stage.kernels[0], values=values.reshape(1, -1), bias=None)
    return volts(replace(design, stages=(replace(stage, kernels=(kernel,)),)))


def gains(stage, width):
    """The noise gain of each lane's op-amp 2, by a loop over the devices of its bit lines."""
    minus = np.zeros(width)
    for crossbar in stage.crossbars:
        g, nets = crossbar.conductance(), crossbar.sinks.nets()
        for group, place in np.ndindex(nets.shape[:2]):
            for bit in np.flatnonzero(crossbar.polarity < 0):
                lane = nets[group, place, crossbar.column[bit]]
                if lane >= 0:
                    minus[lane] += g[group, :, bit].sum()
    return 1 + stage.r_f * minus + stage.r_f / stage.r_join


def largest(design):
    return {
        s.name: gains(s, design.buses[s.dst].width).max()
        for s in design.stages
        if isinstance(s, Array)
    }


def test_only_large_lanes_are_amplified(pointwise):
    before = largest(Program().run(pointwise, context()).ir)
    assert 25 < before["conv"] < 40
    design = Amplify().run(pointwise, context()).ir
    design.verify()
    assert [s.name for s in design.stages] == ["conv/large", "conv", "conv/gain 1", "conv/join"]
    fixed = [s for s in design.stages if isinstance(s, Linear) and not s.programmable]
    assert [design.buses[s.dst].width for s in fixed] == [3 * 6]
    assert design.stages[1].kernels[0].columns == 5
    programmed = Program().run(design, context()).ir
    assert all(2 < gain <= 16 for gain in largest(programmed).values())
    x = np.random.default_rng(1).normal(size=(4, 36))
    for other in (design, programmed):
        got, want = (evaluate.outputs(d, {"x": x})["y"] for d in (other, pointwise))
        np.testing.assert_allclose(got, want, rtol=1e-11)


@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
def test_depthwise_channels_are_laid_out_afterwards(convolution, schedule):
    design = volts(convolution(9, 9, 6, 5, groups=9), y_scale=0.1)
    (stage,) = design.stages
    grow = np.where(np.isin(np.arange(9), [1, 2, 7]), 12.0, 0.5)[:, None]
    kernel = replace(stage.kernels[0], values=stage.kernels[0].values * grow)
    design = replace(design, stages=(replace(stage, kernels=(kernel,), schedule=schedule),))
    ctx = context()
    changed = Amplify().run(design, ctx).ir
    assert {s.schedule for s in changed.stages if isinstance(s, Linear)} == {schedule}
    programmed = changed
    for step in (Partition(), Tile(), Program()):
        programmed = step.run(programmed, ctx).ir
        programmed.verify()
    assert (
        max(largest(programmed).values())
        <= 16
        < 20
        < max(largest(Program().run(design, ctx).ir).values())
    )
    x = np.random.default_rng(2).normal(size=(3, 270))
    got, want = (evaluate.outputs(d, {"x": x})["y"] for d in (changed, design))
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_more_amplifiers_where_one_is_not_enough(pointwise):
    design = Amplify().run(pointwise, context(limit=5.0)).ir
    assert sum("gain" in stage.name for stage in design.stages) == 2
    assert max(largest(Program().run(design, context()).ir).values()) <= 5


def test_a_limit_that_no_amplifiers_hold_changes_nothing(pointwise):
    assert Amplify().run(pointwise, context(limit=1.5)).ir.stages == pointwise.stages


def test_without_a_limit_nothing_changes(pointwise):
    ideal = Context(targets.load("ideal"), samples={})
    assert Amplify().run(pointwise, ideal).ir.stages == pointwise.stages


def test_a_stage_with_a_layout_of_its_own_stays(pointwise):
    ctx = context(stage_set={"conv": {"partition": "none"}})
    assert Amplify().run(pointwise, ctx).ir.stages == pointwise.stages


def test_lanes_that_columns_share_stay(pointwise):
    (stage,) = pointwise.stages
    twice = replace(pointwise, stages=(replace(stage, kernels=stage.kernels * 2),))
    assert Amplify().run(twice, context()).ir.stages == twice.stages


def test_limiters_are_at_what_drives_the_lanes(pointwise):
    design = Amplify().run(volts(pointwise, limit=0.25), context()).ir
    clipped = {name for name, bus in design.buses.items() if bus.limit is not None}
    join = design.stages[-1]
    assert isinstance(join, Rename)
    assert clipped == set(join.srcs)
    assert join.index.min() > GROUND


def test_all_lanes_can_be_large(pointwise):
    design = Amplify().run(pointwise, context(limit=4.0)).ir
    assert "conv" in {stage.name for stage in design.stages if isinstance(stage, Linear)}
    assert not any(stage.name == "conv/large" for stage in design.stages)
    x = np.random.default_rng(1).normal(size=(4, 36))
    got, want = (evaluate.outputs(d, {"x": x})["y"] for d in (design, pointwise))
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_amplify_comes_after_calibrate(tmp_path):
    options = Options(
        model=tmp_path / "a.onnx", target=targets.load("ideal"), passes="amplify,calibrate,program"
    )
    with pytest.raises(MemxcError) as caught:
        order.asked(options)
    assert "amplify has to come after calibrate" in str(caught.value)
