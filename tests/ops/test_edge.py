"""What stays digital, against onnxruntime in the opsets that mean different things."""

from __future__ import annotations

import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("attrs", [{}, {"axis": 0}, {"axis": 2}, {"axis": -2}])
def test_softmax_flattens_up_to_opset_12(check_node, op, opset, attrs):
    check_node(op, {"x": X}, opset=opset, **attrs)


@pytest.mark.parametrize("attrs", [{}, {"axis": 1}, {"axis": -1, "keepdims": 0}])
@pytest.mark.parametrize("last", [0, 1])
def test_argmax_of_equals(check_node, attrs, last):
    equals = np.round(X)
    check_node("ArgMax", {"x": equals}, opset=13, select_last_index=last, **attrs)
