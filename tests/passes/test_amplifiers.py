"""Lanes that share a slope, and sums on lanes, compared with a plain walk over every lane."""

import numpy as np
import pytest

from memxc.ir.windows import DISCARD, Windows, ints
from memxc.mapping import feedback

WIDTH = 23


def windows(rng, groups, places, lines):
    """Draw nets of a bus of 23 lanes, some of them discarded. Groups 0 and 2 read the same nets."""
    frame = ints(rng.integers(-1, WIDTH, 40))
    frame = ints(np.where(frame < 0, DISCARD, frame))
    group = rng.integers(0, 9, groups)
    group[2:3] = group[0]
    return Windows(
        frame,
        ints(rng.integers(0, 15, places)),
        ints(group),
        ints(np.sort(rng.choice(16, lines, replace=False))),
    )


def drives(sinks):
    """Yield (kernel, group, column, lane) of every place."""
    for k, own in enumerate(sinks):
        nets = own.nets()
        for g, _, c in np.ndindex(nets.shape):
            if nets[g, _, c] >= 0:
                yield k, g, c, nets[g, _, c]


@pytest.mark.parametrize("seed", range(20))
def test_columns_of_one_lane_get_the_same_value(seed):
    rng = np.random.default_rng(seed)
    sinks = [windows(rng, 4, 1, 2), windows(rng, 1, 2, 3)]
    values = [rng.uniform(0, 1, (own.groups, own.lines)) for own in sinks]
    wanted = [value.copy() for value in values]
    for _ in range(WIDTH):
        lanes = np.zeros(WIDTH)
        for k, g, c, lane in drives(sinks):
            lanes[lane] = max(lanes[lane], wanted[k][g, c])
        for k, g, c, lane in drives(sinks):
            wanted[k][g, c] = max(lanes[lane], wanted[k][g, c])
    # Groups that read the same nets count once, also if all of these are discarded.
    found = feedback.equalized(sinks, values, WIDTH)
    for k, g, c, _ in drives(sinks):
        assert found[k][g, c] == wanted[k][g, c]
    assert any((a != b).any() for a, b in zip(values, found, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_values_of_columns_add_up_on_their_lanes(seed):
    rng = np.random.default_rng(seed)
    own = windows(rng, 4, 3, 5)
    values = rng.uniform(-1, 1, (4, 5))
    wanted = np.arange(WIDTH, dtype=np.float64)
    for _, g, c, lane in drives([own]):
        wanted[lane] += values[g, c]
    lanes = np.arange(WIDTH, dtype=np.float64)
    own.add(lanes, values)
    assert lanes == pytest.approx(wanted, rel=1e-12)
