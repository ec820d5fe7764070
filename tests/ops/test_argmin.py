"""ArgMin against onnxruntime: equal numbers, both ends, every axis."""

from __future__ import annotations

import numpy as np
import pytest

X = np.round(np.random.default_rng(0).normal(size=(2, 3, 4, 5))).astype(np.float32)


@pytest.mark.parametrize("attrs", [{}, {"axis": 1}, {"axis": 2}, {"axis": -1, "keepdims": 0}])
@pytest.mark.parametrize("last", [0, 1])
def test_argmin_of_equals(check_node, attrs, last):
    check_node("ArgMin", {"x": X}, opset=13, select_last_index=last, **attrs)
