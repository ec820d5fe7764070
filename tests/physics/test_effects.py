"""Device effects: their statistics, what changes a draw, and the same draw in SPICE."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from memxc import lvs, target, verify
from memxc.backends import netlist
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import Windows, identity_windows, ints
from memxc.physics.device import streams, variation

HFOX = target.load("paper-128")
IDEAL = target.load("ideal")
G_MIN, G_MAX = 1e-6, 1e-4
WORDS, BITS = 150, 200


def array(g, places=1, name="fc", schedule="parallel", seed=3):
    """Return a stage with one crossbar, 150 word lines and 100 pairs of bit lines."""
    words, pairs = g.shape[0], g.shape[1] // 2
    taps = replace(identity_windows(words * places), origin=ints(np.arange(places) * words))
    sinks = replace(identity_windows(pairs * places), origin=ints(np.arange(places) * pairs))
    taps, sinks = (
        Windows(w.frame, w.origin, w.group, ints(np.arange(n)))
        for w, n in ((taps, words), (sinks, pairs))
    )
    cell = np.random.default_rng(seed).permutation(g.size).reshape(g.shape)
    crossbar = Crossbar(
        g.reshape(-1)[np.argsort(cell.reshape(-1))][None],
        ints(cell), ints(np.arange(words)), ints(np.ones(words)),
        ints(np.repeat(np.arange(pairs), 2)), ints(np.tile([1, -1], pairs)),
        ints([0]), taps, sinks, (places,),
    )  # fmt: skip
    ohms = np.full(pairs * places, 1e4)
    made = Array(name, "x", "y", (crossbar,), ohms, ohms, 0.2, np.inf, schedule=schedule)
    buses = {"x": Bus("x", (1, words * places), 0.2), "y": Bus("y", (1, pairs * places), 0.1)}
    design = Design("net", ("x",), ("y",), buses, (made,))
    design.verify()
    return design


def drawn(found, stage=0, crossbar=0):
    """Return drawn conductances (groups, word lines, bit lines)."""
    return found.stages[stage].crossbars[crossbar].conductance()


def one(value, *settings, seed=5, chosen=HFOX):
    """Return one draw of a crossbar of equal devices, (150, 200)."""
    design = array(np.full((WORDS, BITS), value))
    found = variation.disturbed(design, chosen.with_set(*settings), seed, "placement")
    found.verify()
    return drawn(found)[0]


def near(values, mean, sigma=None):
    """Assert mean and standard deviation of independent values, within 5 standard errors."""
    n, spread = values.size, np.std(values) if sigma is None else sigma
    assert abs(np.mean(values) - mean) < 5 * spread / np.sqrt(n)
    if sigma is not None:
        fourth = np.mean((values - np.mean(values)) ** 4)
        assert abs(np.var(values) - sigma**2) < 5 * np.sqrt((fourth - np.var(values) ** 2) / n)


def test_no_effect_is_the_design_itself(design):
    assert variation.disturbed(design, HFOX, 0, "placement") is design


def test_programming_normal():
    near(one(2e-5, "device.programming_sigma=0.1"), 2e-5, 2e-6)


def test_programming_lognormal():
    found = one(2e-5, "device.sigma=0.3", "device.programming_model=lognormal")
    near(np.log(found), np.log(2e-5), 0.3)


def test_nothing_falls_below_zero_and_nothing_else_is_clipped():
    found = one(G_MAX, "device.sigma=1")
    assert found.min() == 0
    assert found.max() > 2 * G_MAX
    # The tail of a normal distribution beyond one sigma below its mean.
    near((found == 0).astype(float), 0.158655)


@pytest.mark.parametrize(("value", "key"), [(G_MAX, "r_on"), (G_MIN, "r_off")])
def test_range_from_device_to_device(value, key):
    found = one(value, f"device.{key}_sigma=0.2")
    near(np.log(1 / found), np.log(1 / value), 0.2)
    other = {"r_on": "r_off", "r_off": "r_on"}[key]
    assert one(value, f"device.{other}_sigma=0.2") == pytest.approx(value, rel=1e-12)


def test_middle_of_the_range_moves_with_both_ends():
    middle = (G_MIN + G_MAX) / 2
    both = one(middle, "device.r_on_sigma=0.2", "device.r_off_sigma=0.3")
    ends = [one(end, "device.r_on_sigma=0.2", "device.r_off_sigma=0.3") for end in (G_MIN, G_MAX)]
    assert both == pytest.approx((ends[0] + ends[1]) / 2, rel=1e-12)


def test_stuck_devices():
    found = one(2e-5, "device.stuck_at_lrs=0.05", "device.stuck_at_hrs=0.1")
    assert set(np.unique(found)) == {G_MIN, 2e-5, G_MAX}
    near((found == G_MAX).astype(float), 0.05)
    near((found == G_MIN).astype(float), 0.1)


@pytest.mark.parametrize(("end", "state"), [(G_MAX, "lrs"), (G_MIN, "hrs")])
def test_a_stuck_device_stands_at_its_own_end_of_the_range(end, state):
    """All devices are stuck: each has the value that it would have at that end of its range."""
    spread = "device.r_on_sigma=0.3", "device.r_off_sigma=0.4"
    free = one(end, *spread)
    assert len(np.unique(free)) == free.size
    stuck = one(3e-5, *spread, f"device.stuck_at_{state}=1", "device.programming_sigma=0.2")
    assert stuck == pytest.approx(free, rel=1e-12)


def test_no_device_is_made_by_any_effect():
    """0 S stays 0 S: the empty places of a pruned crossbar."""
    wanted = np.full((WORDS, BITS), 2e-5)
    wanted[::3, 1::2] = 0.0
    chosen = HFOX.with_set(
        "device.r_on_sigma=0.3", "device.r_off_sigma=0.4", "device.stuck_at_lrs=0.5",
        "device.stuck_at_hrs=0.5", "device.programming_sigma=0.2",
    )  # fmt: skip
    found = drawn(variation.disturbed(array(wanted), chosen, 1, "placement"))[0]
    assert ((found == 0) == (wanted == 0)).all()


def test_a_larger_share_keeps_the_stuck_cells():
    small, large = (
        one(2e-5, f"device.stuck_at_lrs={a}", f"device.stuck_at_hrs={b}")
        for a, b in ((0.01, 0.02), (0.05, 0.03))
    )
    changed = small != 2e-5
    assert (large[changed] == small[changed]).all()


def test_broken_lines():
    words = np.concatenate([one(2e-5, "wire.open_word_line=0.2", seed=s) for s in range(40)])
    dead = (words == 0).all(axis=1)
    assert ((words == 0).any(axis=1) == dead).all()
    near(dead.astype(float), 0.2)
    bits = np.concatenate([one(2e-5, "wire.open_bit_line=0.3", seed=s).T for s in range(40)])
    dead = (bits == 0).all(axis=1)
    assert ((bits == 0).any(axis=1) == dead).all()
    near(dead.astype(float), 0.3)


def test_broken_lines_of_both_kinds():
    """A cell is lost if its word line or its bit line is broken."""
    found = one(2e-5, "wire.open_word_line=0.2", "wire.open_bit_line=0.1")
    dead = found == 0
    words, bits = dead.all(axis=1), dead.all(axis=0)
    assert 0 < words.sum() < WORDS
    assert 0 < bits.sum() < BITS
    assert (dead == (words[:, None] | bits)).all()


def test_drift():
    keys = "device.drift_time_s=1e4", "device.drift_t0_s=10", "device.drift_nu=0.05"
    assert one(2e-5, *keys) == pytest.approx(2e-5 * 1000**-0.05)
    found = one(2e-5, *keys, "device.drift_nu_sigma=0.01")
    near(-np.log(found / 2e-5) / np.log(1000), 0.05, 0.01)


def test_temperature():
    found = one(2e-5, "device.temperature=350", "device.temperature_coefficient=-0.001")
    assert found == pytest.approx(2e-5 * 0.95)


def test_measured_states_stray_by_their_own_sigma():
    states = [{"mean_s": m, "sigma_s": s} for m, s in ((1e-6, 1e-7), (3e-5, 2e-6), (1e-4, 0.0))]
    data = HFOX.model_dump()
    data["device"] |= {"states": states}
    chosen = target.Target.model_validate(data)
    for state in states[:2]:
        near(one(state["mean_s"], chosen=chosen), state["mean_s"], state["sigma_s"])
    assert (one(1e-4, chosen=chosen) == 1e-4).all()


ALL = (
    "device.sigma=0.05", "device.r_on_sigma=0.1", "device.r_off_sigma=0.2",
    "device.stuck_at_lrs=0.04", "device.stuck_at_hrs=0.06", "wire.open_word_line=0.05",
    "wire.open_bit_line=0.05", "device.drift_time_s=1e5", "device.drift_nu=0.02",
    "device.drift_nu_sigma=0.01", "device.temperature_k=330",
    "device.temperature_coefficient=0.002",
)  # fmt: skip


def test_same_seed_same_bytes_another_seed_another_draw(design):
    chosen = HFOX.with_set(*ALL)
    for draw_per in ("placement", "definition"):
        a, b, c = (variation.disturbed(design, chosen, s, draw_per) for s in (1, 1, 2))
        for k in (1, 3):
            assert drawn(a, k).tobytes() == drawn(b, k).tobytes()
            assert (drawn(a, k) != drawn(c, k)).mean() > 0.7


def test_draws_that_are_fixed_for_ever():
    """An old run can be drawn again, so these numbers must never change."""
    found = one(2e-5, "device.sigma=0.1", seed=7)
    assert found[[0, 3, 149], [0, 11, 199]] == pytest.approx(FIXED, rel=1e-12)


FIXED = [1.709925553920282e-05, 1.9405824435066427e-05, 1.9905595043091928e-05]


def test_a_place_does_not_depend_on_how_many_there_are():
    g = np.full((7, 4), 2e-5)
    chosen = HFOX.with_set(*ALL).with_set("wire.open_word_line=0.3")
    few, many = (
        drawn(variation.disturbed(array(g, places), chosen, 3, "placement")) for places in (2, 9)
    )
    assert many.shape == (9, 7, 4)
    assert (few == many[:2]).all()
    assert all((a != b).any() for a, b in itertools.combinations(many, 2))


def test_chunks_of_places_change_nothing(monkeypatch):
    g = np.full((7, 4), 2e-5)
    chosen = HFOX.with_set(*ALL)
    whole = drawn(variation.disturbed(array(g, 9), chosen, 3, "placement"))
    monkeypatch.setattr(variation, "_CHUNK", 60)
    assert (drawn(variation.disturbed(array(g, 9), chosen, 3, "placement")) == whole).all()


def test_an_effect_does_not_move_the_draws_of_another():
    alone = one(2e-5, "device.sigma=0.1")
    more = one(2e-5, "device.sigma=0.1", "device.stuck_at_hrs=0.2", "wire.open_bit_line=0.1")
    left = (more != G_MIN) & (more != 0)
    assert left.mean() == pytest.approx(0.72, abs=0.1)
    assert (more[left] == alone[left]).all()


def test_a_stage_does_not_move_the_draws_of_another(design):
    chosen = HFOX.with_set(*ALL)
    whole = variation.disturbed(design, chosen, 1, "placement")
    dense = replace(design, inputs=("b",), stages=design.stages[3:])
    assert (drawn(variation.disturbed(dense, chosen, 1, "placement")) == drawn(whole, 3)).all()


def test_stages_of_one_name_have_devices_of_their_own():
    design = array(np.full((6, 4), 2e-5))
    bus = {"z": Bus("z", (1, 2), 0.1)}
    twice = replace(
        design,
        buses={**design.buses, **bus},
        stages=(*design.stages, replace(design.stages[0], dst="z")),
    )
    found = variation.disturbed(twice, HFOX.with_set("device.sigma=0.1"), 1, "placement")
    assert (drawn(found, 0) != drawn(found, 1)).all()


def test_crossbars_and_groups_have_devices_of_their_own(design):
    chosen = HFOX.with_set("device.sigma=0.1")
    found = variation.disturbed(design, chosen, 1, "definition")
    ratio = drawn(found, 1) / drawn(design, 1)
    assert (ratio[0] != ratio[1]).all()
    upper, lower = (drawn(found, 3, k)[0] / drawn(design, 3, k)[0] for k in (0, 1))
    assert (upper[:5] != lower).all()


def test_places_that_take_turns_share_their_devices():
    g = np.random.default_rng(0).uniform(G_MIN, G_MAX, (7, 4))
    design = array(g, 5, schedule="sequential")
    chosen = HFOX.with_set(*ALL)
    found = variation.disturbed(design, chosen, 3, "placement")
    found.verify()
    assert found.stages[0].crossbars[0].places == 5
    assert (drawn(found) == drawn(variation.disturbed(design, chosen, 3, "definition"))).all()


def test_one_draw_a_definition(design):
    chosen = HFOX.with_set("device.sigma=0.1")
    placed, defined = (
        variation.disturbed(design, chosen, 1, d) for d in ("placement", "definition")
    )
    assert drawn(placed, 1).shape == (12, 5, 2)
    assert drawn(defined, 1).shape == (2, 5, 2)
    # The first place of each group has the draw of the group.
    assert (drawn(placed, 1)[::6] == drawn(defined, 1)).all()


def test_as_many_devices_stuck_at_either_end():
    found = one(2e-5, "device.stuck_at_lrs=0.5", "device.stuck_at_hrs=0.5")
    assert set(np.unique(found).tolist()) == {G_MIN, G_MAX}
    assert (found == G_MAX).mean() == pytest.approx(0.5, abs=0.02)


def test_every_cell_has_its_own_device():
    """A sub-image holds one weight in many cells, and each cell is a separate device."""
    design = array(np.full((6, 4), 2e-5))
    (stage,), crossbar = design.stages, design.stages[0].crossbars[0]
    shared = ints(np.where(np.eye(6, 4, dtype=bool), -1, 0))
    one_weight = replace(crossbar, g=crossbar.g[:, :1], cell=shared)
    design = replace(design, stages=(replace(stage, crossbars=(one_weight,)),))
    g = drawn(variation.disturbed(design, HFOX.with_set("device.sigma=0.1"), 1, "placement"))[0]
    assert (g[np.eye(6, 4, dtype=bool)] == 0).all()
    assert len(np.unique(g)) == 1 + 20


def test_fixed_resistors_stay(design):
    stages = list(design.stages)
    stages[1] = replace(stages[1], cell="resistor")
    mixed = replace(design, stages=tuple(stages))
    found = variation.disturbed(mixed, HFOX.with_set(*ALL), 1, "placement")
    assert (drawn(found, 1) == drawn(design, 1)).all()
    assert (drawn(found, 3) != drawn(design, 3)).any()
    numbers = [n for a in found.arrays for c in a.crossbars for n in c.definition.tolist()]
    assert sorted(numbers) == list(range(4))


def test_more_devices_than_memory_is_a_fault(monkeypatch):
    monkeypatch.setattr(variation, "MOST_BYTES", 2000)
    design = array(np.full((7, 4), 2e-5), 9)
    chosen = HFOX.with_set("device.sigma=0.1")
    with pytest.raises(MemxcError, match="--draw-per definition") as caught:
        variation.disturbed(design, chosen, 1, "placement")
    assert caught.value.exit_code == 2
    # 9 places of 28 devices; 2,000 bytes are 1.86265e-06 GiB.
    assert "the bound is 1.86265e-06; most of it fc" in str(caught.value)
    variation.disturbed(design, chosen, 1, "definition")


def test_a_design_for_another_device_is_a_fault(design):
    chosen = HFOX.with_set("device.sigma=0.1", "device.r_on_ohm=5e4")
    with pytest.raises(MemxcError, match="compile the model for this target") as caught:
        variation.disturbed(design, chosen, 1, "placement")
    assert [f.what.split()[0] for f in caught.value.faults] == ["depthwise", "dense"]


@pytest.mark.parametrize("setting", ["device.r_off=5e5", "device.r_on=10001"])
def test_a_range_that_is_narrower_than_what_was_programmed_is_a_fault(setting):
    """The range is narrower by one microsiemens of a hundred, and by a hundredth of one."""
    g = np.full((WORDS, BITS), G_MIN)
    g[0, 0] = G_MAX
    with pytest.raises(MemxcError, match="does not have"):
        variation.disturbed(array(g), HFOX.with_set(setting, "device.sigma=0.1"), 0, "placement")


def test_no_draw_is_infinite(monkeypatch):
    """The smallest and the largest 64-bit number never give 0 or 1."""

    class Edges:
        def __init__(self, **address):
            pass

        def random_raw(self, count):
            return np.resize(np.array([0, 2**64 - 1], np.uint64), count)

    monkeypatch.setattr(np.random, "Philox", Edges)
    uniform = streams.Stream(1, "programming", "fc", 0).uniform(0, slice(0, 2), 4)
    assert ((uniform > 0) & (uniform < 1)).all()
    assert np.unique(streams.normal(uniform)) == pytest.approx([-8.21, 8.13], abs=0.1)


X = {"x": np.random.default_rng(4).uniform(-1, 1, (3, 2, 3, 4))}


@pytest.mark.parametrize("draw_per", ["placement", "definition"])
def test_a_tiny_variation_changes_the_answers_only_a_little(design, draw_per):
    """Every place still reads its own nets, with the weights of its own group."""
    found = variation.disturbed(design, HFOX.with_set("device.sigma=1e-9"), 1, draw_per)
    clean, stirred = evaluate.run(design, X), evaluate.run(found, X)
    for bus in ("a", "c"):
        assert (stirred[bus] != clean[bus]).any()
        assert stirred[bus] == pytest.approx(clean[bus], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize(
    "settings",
    [
        *((s,) for s in ALL if not s.startswith(("device.drift", "device.temp"))),
        ALL[7:10],
        ALL[10:],
        (*ALL[:5], "wire.open_word_line=0.3", "wire.open_bit_line=0.2", *ALL[7:]),
        ("wire.open_word_line=1",),
        ("wire.open_bit_line=1",),
    ],
    ids=lambda s: s[0] if len(s) < 10 else "all",
)
def test_the_same_draw_in_spice(design, tmp_path, engine, settings, ngspice):
    _agree(design, tmp_path, engine, settings, "placement")


def test_one_draw_a_definition_in_spice(design, tmp_path):
    # verify simulates a definition once for all places, because their amplifiers are equal.
    same = [
        replace(s, r_f=np.full(len(s.r_f), 1e4), r_join=np.full(len(s.r_f), 2e4))
        if isinstance(s, Array) else s
        for s in design.stages
    ]  # fmt: skip
    _agree(design.with_stages(same), tmp_path, "neospice", ALL, "definition")


def _agree(design, tmp_path, engine, settings, draw_per):
    chosen = IDEAL.with_set(*settings)
    found = variation.disturbed(design, chosen, 11, draw_per)
    found.verify()
    clean, wanted = evaluate.outputs(design, X), evaluate.outputs(found, X)
    assert np.abs(clean["d"] - wanted["d"]).max() > 1e-9
    top = netlist.write(found, tmp_path, "net")[0]
    assert lvs.compare(found, top).differences == ()
    plan = verify.Plan(engine=engine, tolerance=1e-6)
    checked = verify.verify(found, chosen, tmp_path, X, clean, plan)
    assert checked.ok, checked.stages


def test_lvs_finds_the_netlist_of_another_draw(design, tmp_path):
    chosen = IDEAL.with_set(*ALL)
    one_draw, other = (variation.disturbed(design, chosen, s, "placement") for s in (1, 2))
    top = netlist.write(one_draw, tmp_path, "net")[0]
    assert lvs.compare(one_draw, top).differences == ()
    assert len(lvs.compare(other, top).differences) > 100
