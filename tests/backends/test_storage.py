"""How a circuit stores weights, against numbers worked out by hand for the network of `model`."""

from __future__ import annotations

import pytest

from memxc import target
from memxc.backends.cost import storage
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model


def measured(model, *settings, **options):
    chosen = target.load("ideal").with_tile(40, 40)
    for text in settings:
        chosen = chosen.with_set(text)
    done = compile_model(Options(model, chosen, **options), check=False)
    memristors = sum(
        int(crossbar.present.sum()) * array.placed(crossbar.places)
        for array in done.design.arrays
        if array.programmable
        for crossbar in array.crossbars
    )
    return storage.measure(done.unlaid, memristors, chosen.device)


def test_a_weight_has_a_pair_of_devices_for_each_place_computed_at_once(model):
    """36 weights and 3 biases at 16 places, and 12 weights and 4 biases at one."""
    turns = measured(model, schedule="sequential")
    assert (turns.weights, turns.devices_per_weight) == (55, 2.0)
    side_by_side = measured(model, partition="none")
    assert side_by_side.weights == 55
    assert side_by_side.devices_per_weight == pytest.approx(2 * (39 * 16 + 16) / 55)


def test_weights_of_zero_do_not_count(model):
    """Half of the 48 weights go, and with --zeros absent their devices, too."""
    pruned = measured(model, prune=("ckf:0.5",), schedule="sequential")
    assert (pruned.weights, pruned.devices_per_weight) == (24 + 7, 2.0)
    parked = measured(model, prune=("ckf:0.5",), schedule="sequential", zeros="parked")
    assert parked.devices_per_weight == pytest.approx(2 * 55 / 31)


@pytest.mark.parametrize(("levels", "bits"), [(0, None), (2, 1.584963), (4, 2.807355)])
def test_a_pair_of_l_levels_holds_l_minus_1_values_of_either_sign_and_zero(model, levels, bits):
    """3 values of a pair of two levels are log2(3) bits, 7 of a pair of four are log2(7)."""
    assert measured(model, f"device.levels={levels}").weight_bits == bits
