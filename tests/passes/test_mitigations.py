"""both-ends, reorder and compensate, compared with a direct sparse solution of the stage."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from memxc import target
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import identity_windows
from memxc.passes import parse
from memxc.physics.network import nodal
from memxc.physics.network.effective import effective

ROWS, COLUMNS = 21, 8


def dense(weight, bias=None):
    """One dense stage of a weight (rows, columns), laid out by hand."""
    rows, columns = weight.shape
    kernel = Kernel(
        weight.reshape(1, -1), None, bias, identity_windows(rows), identity_windows(columns), (1,)
    )
    buses = {"x": Bus("x", (1, rows)), "y": Bus("y", (1, columns))}
    return Design("net", ("x",), ("y",), buses, (Linear("dense", "x", "y", (kernel,)),))


def random(seed=0, rows=ROWS, columns=COLUMNS):
    rng = np.random.default_rng(seed)
    return dense(rng.normal(size=(rows, columns)), 2 * rng.normal(size=(1, columns)))


def context(*settings, tile=(128, 128), signed="differential", wires=(3.0, 4.0, 5.0, 6.0)):
    names = ("r_source", "r_word_line", "r_bit_line", "r_neuron")
    ohms = [f"wire.{name}={value}" for name, value in zip(names, wires, strict=True)]
    chosen = target.load("paper-128").with_tile(*tile).with_set(*ohms, *settings)
    x = np.random.default_rng(5).uniform(-1, 1, (6, ROWS))
    return Context(chosen, {"x": x}, signed=signed)


def programmed(design, ctx, text="", levels="now"):
    """The design after program and the passes of `text`."""
    return run(design, ctx, text, levels).ir


def run(design, ctx, text="", levels="now"):
    """Return the result of the last pass of `text`."""
    start = f"calibrate,schedule,partition{{policy=none}},tile,program{{levels={levels}}}"
    for change in parse(f"{start},{text}" if text else start):
        done = change.run(design, ctx)
        design = done.ir
        design.verify()
    return done


def solved(design, ctx):
    """The stage's outputs in units of activation with its wires: every node an unknown."""
    (stage,) = design.arrays
    volts = evaluate.drive(design.buses["x"], ctx.samples["x"])
    width, grids = design.buses["y"].width, []
    for crossbar in stage.crossbars:
        for g in range(crossbar.groups):
            taps = volts[:, crossbar.taps.nets(slice(g, g + 1))[0, 0]]
            words = evaluate.word_line_volts(crossbar, taps, stage.v_bias, stage.gain)
            lanes = crossbar.sinks.nets(slice(g, g + 1))[0, 0][crossbar.column]
            node = np.where(crossbar.polarity > 0, lanes, width + lanes)
            cells = crossbar.conductance(slice(g, g + 1))[0]
            grids.append(nodal.Grid(cells, node.astype(np.intp), words, stage.drive))
    lanes = np.arange(width)
    plus = lanes if stage.signed == "differential" else np.full(width, -1)
    amplifiers = nodal.Amplifiers(plus, lanes + width, stage.r_f, stage.r_join, stage.gain)
    wires = nodal.WireResistance.of(ctx.target.wire)
    return nodal.solve(grids, amplifiers, 2 * width, wires) / design.buses["y"].scale


def error(design, ctx, wanted):
    return np.abs(solved(design, ctx) - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize("gain", ["inf", "2000"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("tile", [(128, 128), (10, 6)])
@pytest.mark.parametrize("more", ["", "both-ends,", "both-ends,reorder,"])
def test_compensated_wires_cost_next_to_nothing(gain, signed, tile, more):
    # In small tiles, the effect is visible only with larger resistances.
    wires = (3.0, 4.0, 5.0, 6.0) if tile[0] > ROWS else (30.0, 40.0, 50.0, 60.0)
    ctx = context(f"amplifier.gain={gain}", tile=tile, signed=signed, wires=wires)
    wanted = evaluate.outputs(random(), ctx.samples)["y"]
    before = programmed(random(), ctx)
    after = programmed(random(), ctx, f"{more}compensate")
    assert error(before, ctx, wanted) > 0.02
    assert error(after, ctx, wanted) < error(before, ctx, wanted) / 1000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_conductances_stay_within_the_device(seed):
    ctx = context()
    done = run(random(seed), ctx, "compensate")
    (stage,), device = done.ir.arrays, ctx.target.device
    for crossbar in stage.crossbars:
        g = crossbar.conductance()
        assert g.min() >= device.g_min * (1 - 1e-12)
        assert g.max() <= device.g_max * (1 + 1e-12)
        # One device of each pair is unused, as before.
        pairs = g.reshape(len(g), g.shape[1], -1, 2)
        assert pairs.min(axis=3) == pytest.approx(device.g_min, rel=1e-12)
    assert done.figures == {"saturated": 0}
    assert done.warnings == ()


def test_r_f_grows_no_more_than_it_may_and_what_is_saturated_is_counted():
    ctx = context(wires=(0.0, 40.0, 40.0, 0.0))
    plain = programmed(random(), ctx).arrays[0]
    done = run(random(), ctx, "compensate{headroom=1}")
    narrow, lacking = done.ir, done.figures["saturated"]
    assert narrow.arrays[0].r_f == pytest.approx(plain.r_f, rel=1e-12)
    assert 0 < lacking < ROWS * COLUMNS
    assert f"{lacking} pairs of devices at g_max" in done.warnings[0]
    done = run(random(), ctx, "compensate{headroom=1.1}")
    some = done.ir
    assert some.arrays[0].r_f.max() == pytest.approx(1.1 * plain.r_f[some.arrays[0].r_f.argmax()])
    assert (some.arrays[0].r_f <= 1.1 * plain.r_f * (1 + 1e-12)).all()
    assert 0 < done.figures["saturated"] < lacking
    done = run(random(), ctx, "compensate{headroom=9}")
    wide = done.ir
    assert done.figures["saturated"] == 0
    assert (wide.arrays[0].r_f > 1.15 * plain.r_f).all()
    wanted = evaluate.outputs(random(), ctx.samples)["y"]
    apart = [error(made, ctx, wanted) for made in (programmed(random(), ctx), narrow, wide)]
    assert apart[0] > 1.3 * apart[1] > 1300 * apart[2]


@pytest.mark.parametrize("seed", [2, 5])
def test_r_f_grows_no_more_than_the_largest_device_needs(seed):
    """The step that is left over is less than a thirtieth of the range."""
    ctx = context(wires=(0.0, 0.0, 80.0, 0.0))
    plain = programmed(random(seed), ctx).arrays[0]
    (stage,), device = programmed(random(seed), ctx, "compensate").arrays, ctx.target.device
    assert (stage.r_f > 1.1 * plain.r_f).all()
    pairs = stage.crossbars[0].conductance()[0].reshape(-1, COLUMNS, 2)
    largest = pairs.max(axis=(0, 2))
    assert (largest > device.g_max - (device.g_max - device.g_min) / 30).all()


@pytest.mark.parametrize(
    ("levels", "wires", "headroom"),
    [(16, (60.0, 60.0, 0.0, 0.0), 1.25), (8, (0.0, 60.0, 60.0, 60.0), 1.5)],
)
def test_more_headroom_is_never_worse_with_levels(levels, wires, headroom):
    """The smaller growths are tried, too; here the best one is the smaller headroom itself."""
    ctx = context(f"device.levels={levels}", wires=wires)
    wanted = evaluate.outputs(random(), ctx.samples)["y"]
    small, large = (
        programmed(random(), ctx, f"compensate{{headroom={most}}}", levels="later")
        for most in (headroom, 4)
    )
    rms = [np.sqrt(np.square(solved(made, ctx) - wanted).mean()) for made in (small, large)]
    assert rms[1] <= rms[0] * (1 + 1e-9)


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("levels", [16, 64])
def test_levels_are_kept(levels, signed):
    ctx = context(f"device.levels={levels}", wires=(0.0, 12.0, 12.0, 0.0), signed=signed)
    device = ctx.target.device
    known = np.linspace(device.g_min, device.g_max, levels)
    design = programmed(random(), ctx, "compensate", levels="later")
    g = design.arrays[0].crossbars[0].conductance()
    nearest = known[np.abs(g[..., None] - known).argmin(axis=-1)]
    assert g == pytest.approx(nearest, rel=1e-12)
    wanted = evaluate.outputs(random(), ctx.samples)["y"]
    plain = programmed(random(), ctx)
    assert error(design, ctx, wanted) < error(plain, ctx, wanted) / (1.2 if levels == 16 else 5)


def test_levels_wait_for_compensate_without_wires_too():
    ctx = context("device.levels=8", wires=(0.0, 0.0, 0.0, 0.0))
    later = programmed(random(), ctx, "compensate", levels="later").arrays[0]
    now = programmed(random(), ctx).arrays[0]
    assert later.crossbars[0].conductance() == pytest.approx(now.crossbars[0].conductance())


@pytest.mark.parametrize("name", ["both-ends", "reorder", "compensate"])
def test_without_wires_nothing_changes(name):
    ctx = context(wires=(0.0, 0.0, 0.0, 0.0))
    before, after = programmed(random(), ctx).arrays[0], programmed(random(), ctx, name).arrays[0]
    assert after.drive == before.drive == "left"
    assert (after.r_f == before.r_f).all()
    assert (after.crossbars[0].conductance() == before.crossbars[0].conductance()).all()


@pytest.mark.parametrize(("zeros", "siemens"), [("parked", 1e-6), ("absent", 0.0)])
def test_a_weight_of_zero_stays_zero(zeros, siemens):
    weight = np.random.default_rng(2).normal(size=(ROWS, COLUMNS))
    weight[::3, 1:5] = 0.0
    ctx = replace(context(), zeros=zeros)
    before, after = programmed(dense(weight), ctx), programmed(dense(weight), ctx, "compensate")
    wanted = evaluate.outputs(dense(weight), ctx.samples)["y"]
    assert error(after, ctx, wanted) < error(before, ctx, wanted) / 100
    pairs = after.arrays[0].crossbars[0].conductance()[0].reshape(ROWS, COLUMNS, 2)
    assert ((pairs[..., 0] == pairs[..., 1]) == (weight == 0)).all()
    assert (pairs[weight == 0] == siemens).all()


def test_reordered_lines_compute_the_same():
    ctx = context(tile=(10, 6))
    before, after = programmed(random(), ctx), programmed(random(), ctx, "reorder")
    moved = [
        (b.line.tolist(), b.column.tolist()) != (a.line.tolist(), a.column.tolist())
        for b, a in zip(before.arrays[0].crossbars, after.arrays[0].crossbars, strict=True)
    ]
    assert any(moved)
    wanted = evaluate.outputs(before, ctx.samples)["y"]
    assert evaluate.outputs(after, ctx.samples)["y"] == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    numbers = [n for c in after.arrays[0].crossbars for n in c.definition.tolist()]
    assert len(set(numbers)) == len(numbers)


def test_lines_of_large_currents_move_to_the_amplifiers_and_drivers():
    """Two word lines and a bit line carry nearly all current, and have the longest wires."""
    weight = np.full((ROWS, COLUMNS), 0.02)
    weight[0] = weight[1] = 1.0
    weight[:, -1] = 1.0
    ctx = context(wires=(0.0, 9.0, 9.0, 0.0))
    ctx = replace(ctx, samples={"x": np.random.default_rng(1).uniform(0.5, 1, (6, ROWS))})
    before, after = programmed(dense(weight), ctx), programmed(dense(weight), ctx, "reorder")
    crossbar = after.arrays[0].crossbars[0]
    assert set(crossbar.line[-2:].tolist()) == {0, 1}
    assert crossbar.column[:2].tolist() == [COLUMNS - 1] * 2
    wanted = evaluate.outputs(dense(weight), ctx.samples)["y"]
    assert error(after, ctx, wanted) < 0.9 * error(before, ctx, wanted)


@pytest.mark.parametrize("more", ["", "both-ends,"])
def test_reordered_pairs_and_inverses_stay_neighbours(more):
    for signed in ("differential", "inverted-inputs"):
        ctx = context(signed=signed)
        crossbar = programmed(random(), ctx, f"{more}reorder").arrays[0].crossbars[0]
        if signed == "differential":
            assert (crossbar.column[0::2] == crossbar.column[1::2]).all()
            assert crossbar.polarity.tolist() == [1, -1] * COLUMNS
            assert sorted(crossbar.line.tolist()) == [*[BIAS] * (crossbar.word_lines - ROWS),
                                                      *range(ROWS)]  # fmt: skip
        else:
            assert (crossbar.line[0::2] == crossbar.line[1::2]).all()
            assert crossbar.sign.tolist() == [1, -1] * (crossbar.word_lines // 2)


def test_a_line_driven_at_both_ends_is_weakest_in_its_middle():
    """Driven at both ends, equal cells make the middle lane the weakest, not the far one."""
    ctx = context(wires=(0.0, 9.0, 0.0, 0.0))
    weight = np.ones((ROWS, COLUMNS))
    ctx = replace(ctx, samples={"x": np.ones((1, ROWS))})
    left, both = (
        solved(programmed(dense(weight), ctx, text), ctx)[0] for text in ("", "both-ends")
    )
    assert all(a > b for a, b in pairwise(left.tolist()))
    assert both.argmin() in (COLUMNS // 2 - 1, COLUMNS // 2)
    assert ROWS - both.min() < (ROWS - left.min()) / 2


@pytest.mark.parametrize("text", ["both-ends", "both-ends,reorder,compensate"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_effective_matrices_know_where_lines_are_driven(text, signed):
    ctx = context("amplifier.gain=700", tile=(10, 6), signed=signed)
    design = programmed(random(), ctx, text)
    assert design.arrays[0].drive == "both"
    made = effective(design, nodal.WireResistance.of(ctx.target.wire))
    found = evaluate.outputs(made, ctx.samples)["y"]
    assert found == pytest.approx(solved(design, ctx), rel=1e-9)


@pytest.mark.parametrize("body", ["iterations=0", "headroom=0.5", "headroom=x", "steps=3"])
def test_options_that_make_no_sense_are_faults(body):
    with pytest.raises(Exception, match="compensate") as caught:
        parse(f"compensate{{{body}}}")
    assert caught.value.faults[0].code == "usage"


def test_mitigations_give_the_same_bytes_twice():
    ctx = context(tile=(10, 6))
    one, two = (
        programmed(random(), ctx, "both-ends,reorder,compensate,share").arrays[0] for _ in range(2)
    )
    assert one.r_f.tobytes() == two.r_f.tobytes()
    for a, b in zip(one.crossbars, two.crossbars, strict=True):
        assert a.g.tobytes() == b.g.tobytes()
