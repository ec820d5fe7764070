"""CumSum against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("axis", [0, 2, -2])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_along_every_axis(check_node, axis, exclusive, reverse):
    x = np.random.default_rng(3).normal(size=(2, 5, 3)).astype(np.float32)
    check_node(
        "CumSum", {"x": x, "axis": np.int64(axis)}, ["axis"], exclusive=exclusive, reverse=reverse
    )
