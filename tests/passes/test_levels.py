"""Levels of a device: they include both ends, and the nearest one is programmed."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import target
from memxc.interfaces import Context
from memxc.ir.stages import Array
from memxc.mapping.levels import nearest_level
from memxc.passes import parse


def _device(levels):
    return target.load("ideal").with_set(
        f"device.levels={levels}", "device.r_on=1e4", "device.r_off=1e6"
    ).device  # fmt: skip


def test_levels_are_even_from_end_to_end():
    """10 kohm to 1 Mohm in 4 levels: 1, 34, 67 and 100 microsiemens."""
    g = np.array([1.0, 17.4, 17.6, 34.0, 50.4, 50.6, 83.4, 83.6, 100.0]) * 1e-6
    found = nearest_level(g, _device(4)) * 1e6
    np.testing.assert_allclose(found, [1, 1, 34, 34, 34, 67, 67, 100, 100], rtol=1e-12)


@pytest.mark.parametrize("levels", [2, 3, 16])
def test_as_many_levels_as_the_device_has(levels):
    g = np.linspace(1e-6, 1e-4, 4001)
    assert len(np.unique(nearest_level(g, _device(levels)))) == levels


def test_no_device_and_a_device_without_levels_stay_what_they_are():
    g = np.array([0.0, 1.23e-6, 9.87e-5])
    assert nearest_level(g, None).tolist() == g.tolist()
    assert nearest_level(g, _device(0)).tolist() == g.tolist()
    assert nearest_level(g, _device(2)).tolist()[0] == 0.0


def test_a_network_is_programmed_to_levels(convolution):
    design = convolution(3, 4, 7, 9)
    chosen = target.load("ideal").with_set("device.levels=5")
    x = np.random.default_rng(0).uniform(0, 1, (2, 3, 7, 9))
    for change in parse("calibrate,schedule,partition,tile,program"):
        design = change.run(design, Context(chosen, {"x": x})).ir
    (array,) = (stage for stage in design.stages if isinstance(stage, Array))
    g = np.unique(np.concatenate([c.conductance().ravel() for c in array.crossbars]))
    low, high = chosen.device.g_min, chosen.device.g_max
    np.testing.assert_allclose(g[g > 0], np.linspace(low, high, 5), rtol=1e-9)
