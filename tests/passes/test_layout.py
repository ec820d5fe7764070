"""partition, tile, program and share keep the outputs, for every layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memxc import target
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.mapping.layout import plan_layout
from memxc.passes.calibrate import Calibrate
from memxc.passes.partition import Partition
from memxc.passes.program import Program
from memxc.passes.schedule import Schedule
from memxc.passes.share import Share
from memxc.passes.tile import Tile


def _run(design, tile, policy, signed, schedule="parallel", name="ideal"):
    x = np.random.default_rng(1).normal(size=(2, *design.buses["x"].shape[1:]))
    ctx = Context(target.load(name).with_tile(*tile), {"x": x}, signed=signed)
    wanted = evaluate.outputs(design, {"x": x})["y"]
    apart = {}
    for change in (Calibrate(), Schedule(schedule), Partition(policy), Tile(), Program(), Share()):
        design = change.run(design, ctx).ir
        design.verify()
        found = evaluate.outputs(design, {"x": x})["y"]
        apart[change.name] = np.abs(found - wanted).max() / np.abs(wanted).max()
    return design, apart


shapes = st.fixed_dictionaries(
    {
        "k": st.sampled_from([1, 2, 3, 5]),
        "stride": st.integers(1, 3),
        "pad": st.integers(0, 2),
        "dilation": st.integers(1, 2),
        "bias": st.booleans(),
        "seed": st.integers(0, 99),
    }
)
channels = st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 1, 2, 3]))
layout = st.tuples(
    st.sampled_from([(128, 128), (256, 256), (24, 10), (40, 64)]),
    st.sampled_from(["packed", "paper", "paper-rectangular", "none"]),
    st.sampled_from(["differential", "inverted-inputs"]),
    st.sampled_from(["parallel", "sequential"]),
)


@given(shapes, channels, st.integers(9, 13), st.integers(9, 12), layout)
def test_every_layout_keeps_the_meaning(convolution, shape, sizes, height, width, how):
    groups = sizes[2]
    design = convolution(
        sizes[0] * groups, sizes[1] * groups, height, width + 3, groups=groups, **shape
    )
    tile, policy, signed, schedule = how
    done, apart = _run(design, tile, policy, signed, schedule)
    assert max(apart.values()) < 1e-12, apart
    for crossbar in done.arrays[0].crossbars:
        assert crossbar.word_lines <= tile[0]
        assert crossbar.bit_lines <= tile[1]


def test_paper_rule_on_mnist(convolution):
    # docs/papers.md: 28 x 28, k = 3, valid, 128 x 128: t = 8, S = 10, 4 x 4 unit crossbars.
    design = convolution(1, 1, 28, 28, pad=0)
    done, _ = _run(design, (128, 128), "paper", "differential")
    (crossbar,) = done.arrays[0].crossbars
    assert (crossbar.places, crossbar.groups) == (16, 1)
    assert (crossbar.word_lines, crossbar.bit_lines) == (10 * 10 + 1, 2 * 8 * 8)


def test_packed_is_never_more_than_im2col(convolution):
    for sizes in [(1, 16, 20, 14), (16, 16, 9, 7), (48, 96, 3, 2), (6, 6, 12, 10)]:
        design = convolution(*sizes, groups=6 if sizes[0] == 6 else 1)
        packed, plain = (
            _placed(_run(design, (128, 128), policy, "differential")[0])
            for policy in ("packed", "none")
        )
        assert packed <= plain


def test_depthwise_channels_share_a_crossbar(convolution):
    # 12 channels of 3x3 on a 4 x 4 map, valid: 16 rows and 4 outputs each, 8 fit 128 rows.
    design = convolution(12, 12, 4, 4, pad=0, groups=12, bias=False)
    done, _ = _run(design, (128, 128), "packed", "differential")
    assert _placed(done) == 2


def test_word_lines_that_are_always_at_ground_are_left_out(convolution):
    # 3x3 with a border on a 2 x 3 map: 4 x 5 inputs, of which 2 x 3 are pixels; 12 channels have
    # 72 rows and 72 outputs, 10 of them fit 64 outputs.
    design = convolution(12, 12, 2, 3, groups=12)
    done, apart = _run(design, (128, 128), "packed", "differential")
    found = [(c.groups, c.places, c.taps.lines, c.bit_lines) for c in done.arrays[0].crossbars]
    assert found == [(1, 1, 60, 120), (1, 1, 12, 24)]
    assert max(apart.values()) < 1e-12, apart


def test_columns_without_some_taps_keep_the_slope_of_their_weights(convolution):
    # Without the grounded lines, a corner has one of four taps, so its peak is not the kernel's.
    design = convolution(1, 1, 9, 12, k=2, bias=False)
    _, apart = _run(design, (128, 128), "packed", "differential")
    assert max(apart.values()) < 1e-12, apart


def test_sequential_has_one_crossbar_and_a_period_a_place(convolution):
    design = convolution(4, 6, 7, 9)
    done, _ = _run(design, (128, 128), "packed", "differential", "sequential")
    (crossbar,) = done.arrays[0].crossbars
    assert (crossbar.groups, crossbar.places) == (1, 63)


def test_row_parts_share_the_slope_of_their_lane(convolution):
    design = convolution(20, 7, 5, 6)
    done, apart = _run(design, (40, 128), "none", "differential")
    assert len(done.arrays[0].crossbars) == 5  # 180 inputs and a bias on 40 word lines
    assert apart["program"] < 1e-12


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_tiles_of_one_size_are_a_stack(convolution, bias, groups):
    # A group: 21 inputs on 5 word lines, 13 outputs on 4 pairs of bit lines: 4 x 3 whole tiles.
    sizes = (21 * groups, 13 * groups, 4, 3)
    design = convolution(*sizes, k=1, pad=0, groups=groups, bias=bias)
    done, apart = _run(design, (5, 8), "none", "differential")
    crossbars = done.arrays[0].crossbars
    found = [(c.groups, c.taps.lines, c.word_lines, c.bit_lines) for c in crossbars]
    plain = [(12, 5, 5, 8), (4, 5, 5, 2), (3, 1, 1 + bias, 8), (1, 1, 1 + bias, 2)]
    assert found == [(n * groups, *lines) for n, *lines in plain]
    assert max(apart.values()) < 1e-12, apart


def test_tiles_that_cut_a_window_are_no_stack(convolution):
    # 9 inputs a channel divide 18 word lines evenly, and 12 not. The columns are even in both.
    design = convolution(6, 8, 5, 4, bias=False)
    for rows, groups in ((18, [6]), (12, [2] * 4 + [2])):
        done, apart = _run(design, (rows, 8), "none", "differential")
        assert [c.groups for c in done.arrays[0].crossbars] == groups
        assert max(apart.values()) < 1e-12, apart


def test_the_bias_gets_a_part_of_its_own_where_the_last_is_full(convolution):
    design = convolution(4, 6, 7, 9)  # 36 inputs
    done, _ = _run(design, (36, 128), "none", "differential")
    assert [c.taps.lines for c in done.arrays[0].crossbars] == [36, 0]
    (kernel,) = design.stages[0].kernels
    assert plan_layout(kernel, "none", (36, 64)).crossbars == _placed(done) == 2 * 63


def test_a_unit_crossbar_too_small_is_a_fault(convolution):
    with pytest.raises(MemxcError) as caught:
        _run(convolution(2, 3, 7, 9), (3, 4), "packed", "inverted-inputs")
    assert caught.value.faults[0].code == "does-not-fit"


def test_conductances_stay_in_the_range_of_the_device(convolution):
    device = target.load("paper-128").device
    done, _ = _run(convolution(3, 5, 7, 9), (128, 128), "packed", "differential", name="paper-128")
    for crossbar in done.arrays[0].crossbars:
        g = crossbar.conductance()[:, crossbar.cell >= 0]
        assert g.min() >= device.g_min * (1 - 1e-12)
        assert g.max() == pytest.approx(device.g_max, rel=1e-12)


def test_equal_blocks_become_one_definition(convolution):
    design = convolution(2, 2, 5, 6, groups=2)
    kernel = design.stages[0].kernels[0]
    kernel.values[1] = kernel.values[0]
    kernel.bias[1] = kernel.bias[0]
    done, _ = _run(design, (24, 10), "none", "differential")
    assert {int(d) for c in done.arrays[0].crossbars for d in c.definition} == {0}


def _placed(design):
    return sum(c.groups * c.places for a in design.arrays for c in a.crossbars)
