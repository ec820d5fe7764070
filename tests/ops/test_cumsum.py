"""CumSum against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.evaluation import evaluate
from memxc.ir.stages import Linear
from memxc.ops.lower import lower


@pytest.mark.parametrize("axis", [0, 2, -2])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_along_every_axis(check_node, axis, exclusive, reverse):
    x = np.random.default_rng(3).normal(size=(2, 5, 3)).astype(np.float32)
    check_node(
        "CumSum", {"x": x, "axis": np.int64(axis)}, ["axis"], exclusive=exclusive, reverse=reverse
    )


@pytest.mark.parametrize(("shape", "axis"), [((1, 1100), 1), ((2, 1030, 3), 1)])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_a_long_axis_is_cut_into_blocks(check_node, shape, axis, exclusive, reverse):
    x = np.random.default_rng(4).integers(-3, 4, shape).astype(np.float32)  # exact in float32
    graph = check_node(
        "CumSum", {"x": x, "axis": np.int64(axis)}, ["axis"], exclusive=exclusive, reverse=reverse
    )
    design = lower(graph)
    kernels = [k for stage in design.stages if isinstance(stage, Linear) for k in stage.kernels]
    resistors = sum(kernel.values.size for kernel in kernels)
    assert len(kernels) == 2
    assert resistors <= 2 * 256**2


def test_sixty_thousand_numbers(hand_graph):
    graph = hand_graph(
        "CumSum", {"x": (1, 60_000)}, {"axis": np.int64(1)}, {"y": (1, 60_000)}, {}, 18
    )
    x = np.random.default_rng(5).normal(size=(1, 60_000))
    found = evaluate.outputs(lower(graph), {"x": x})["y"]
    np.testing.assert_allclose(found, np.cumsum(x, axis=1), rtol=1e-9, atol=1e-9)
