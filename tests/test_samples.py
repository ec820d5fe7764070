"""How many samples a network is given: a wide input is many places by itself."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import samples


@pytest.mark.parametrize(
    ("width", "most", "least", "count"),
    [((3, 5), 64, 1, 7), ((3, 5), 4, 1, 4), ((40, 50), 64, 1, 1), ((40, 50), 64, 2, 2)],
)
def test_few(width, most, least, count):
    rng = np.random.default_rng(0)
    inputs = {"a": rng.normal(size=(9, *width)), "b": rng.normal(size=(9, 2))}
    found = samples.few(inputs, 7 * 17 + 3, most, least)
    assert {name: len(values) for name, values in found.items()} == {"a": count, "b": count}
    assert (found["a"] == inputs["a"][:count]).all()


def test_a_narrow_input_keeps_all_its_samples():
    inputs = {"a": np.zeros((9, 2, 3))}
    assert len(samples.few(inputs, 1000)["a"]) == 9
