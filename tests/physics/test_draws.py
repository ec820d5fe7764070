"""A few numbers of every draw, pinned, so that an old run can be drawn again.

Statistics would not show a changed sign in a symmetric draw, or a swap of two streams.
"""

from __future__ import annotations

import numpy as np
import pytest

from memxc import simulate, target
from memxc.evaluation import samples
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import identity_windows, ints
from memxc.physics.device import variation
from memxc.physics.device.streams import Stream, normal

HFOX = target.load("paper-128")
G = 2e-5


@pytest.fixture(scope="module")
def dense():
    """Return a design with three word lines, two pairs of bit lines, every device at 20 uS."""
    crossbar = Crossbar(
        np.full((1, 12), G), ints(np.arange(12).reshape(3, 4)), ints(range(3)), ints([1, 1, 1]),
        ints([0, 0, 1, 1]), ints([1, -1, 1, -1]), ints([0]), identity_windows(3),
        identity_windows(2), (1,),
    )  # fmt: skip
    stage = Array("fc", "x", "y", (crossbar,), np.full(2, 1e4), np.full(2, 1e4), 0.2, np.inf)
    buses = {"x": Bus("x", (1, 3), 0.2), "y": Bus("y", (1, 2), 0.1)}
    return Design("net", ("x",), ("y",), buses, (stage,))


def drawn(design, *settings, chosen=HFOX):
    return variation.disturbed(design, chosen.with_set(*settings), 7, "placement").stages[0]


#: The first, sixth and last device of 20 uS, relative to 20 uS.
DEVICES = {
    ("device.sigma=0.1",): [0.8549627769601, 0.9078043585610, 1.155011500121],
    ("device.sigma=0.1", "device.programming_model=lognormal"): [
        0.8649900949507, 0.9119267214356, 1.167671389391,
    ],
    ("device.r_on_sigma=0.1",): [0.8522399644273, 0.9442310116838, 1.199754159014],
    ("device.r_off_sigma=0.5",): [1.002369942561, 1.026199587033, 1.002566704293],
    ("device.drift_time_s=1e4", "device.drift_nu_sigma=0.05"): [
        1.284859423051, 0.6380288939735, 1.551638751405,
    ],
}  # fmt: skip


@pytest.mark.parametrize("settings", DEVICES, ids=lambda keys: keys[-1])
def test_draws_of_devices_never_change_between_versions(dense, settings):
    found = drawn(dense, *settings).crossbars[0].conductance()[0].ravel()[[0, 5, 11]] / G
    assert found == pytest.approx(DEVICES[settings], rel=1e-10)


def test_draws_of_measured_states_never_change_between_versions(dense):
    data = HFOX.model_dump()
    states = [{"mean_s": mean, "sigma_s": mean / 10} for mean in (1e-6, G, 1e-4)]
    data["device"] |= {"states": states}
    found = drawn(dense, chosen=target.Target.model_validate(data)).crossbars[0].conductance()[0]
    # The normal numbers of device.sigma=0.1 above, computed in another way.
    assert found.ravel()[[0, 5, 11]] / G == pytest.approx(
        [0.8549627769601, 0.9078043585610, 1.155011500121], rel=1e-10
    )


@pytest.mark.parametrize(
    ("key", "lost"),
    [
        ("device.stuck_at_hrs=0.3", [2, 4, 9]),
        ("device.stuck_at_lrs=0.3", [0, 5, 8, 10]),
        ("wire.open_word_line=0.5", [0, 1, 2, 3]),
        ("wire.open_bit_line=0.5", [0, 2, 3, 4, 6, 7, 8, 10, 11]),
    ],
)
def test_draws_of_defects_never_change_between_versions(dense, key, lost):
    found = drawn(dense, key).crossbars[0].conductance()[0].ravel()
    assert np.flatnonzero(found != G).tolist() == lost


def test_draws_of_offsets_never_change_between_versions(dense):
    """Offsets of op-amp 1 and 2 of both lanes, in standard deviations."""
    found = drawn(dense, "amplifier.offset_sigma_v=1e-3").offset / 1e-3
    assert found == pytest.approx(
        np.array([[-0.3322973749769, -0.0966374893129], [-2.145660420543, -0.3316513685547]]),
        rel=1e-10,
    )


def test_uniform_numbers_and_normal_ones():
    """Two places with five numbers each, of group 3."""
    found = Stream(5, "programming", "conv\n", 2).uniform(3, slice(1, 3), 5)
    assert found[:, [0, 4]] == pytest.approx(
        np.array([[0.5811794641098, 0.4540555811297], [0.2094920369819, 0.1020352901714]]),
        rel=1e-11,
    )
    known = normal(np.array([0.5, 0.841344746068543, 0.0227501319481792]))
    assert known == pytest.approx([0, 1, -2], abs=1e-12)


def test_seeds_of_draws_and_random_inputs():
    assert simulate.draw_seed(5, 0) == 12631478326263854183
    assert simulate.draw_seed(5, 2) == 4160164373342109173
    found = samples.seeded({"x": (1, 3), "k": (1, 2)}, -1, 2, 4, 2, {"k": "uint8"}).inputs
    assert found["x"][:, 1:] == pytest.approx(
        np.array([[0.53398263, 1.928731], [0.82206750, 0.12945975]]), rel=1e-6
    )
    assert found["k"].tolist() == [[160, 205], [148, 44]]
