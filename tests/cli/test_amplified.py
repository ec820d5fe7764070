"""Lanes of a large noise gain on the command line: amplified, within the rules, and verified."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def cancelling(path):
    """A layer of 12 inputs and 5 outputs: outputs 1 and 3 nearly cancel on the samples."""
    rng = np.random.default_rng(4)
    weights = rng.uniform(0.01, 0.04, (12, 5))
    weights[:, [1, 3]] = np.tile([1.0, -1.0], 6)[:, None] * rng.uniform(1.0, 1.02, (12, 2))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="layer")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    even = rng.uniform(0.5, 1.0, (8, 1)) * rng.uniform(0.99, 1.0, (8, 12))
    np.savez(path.with_suffix(".samples.npz"), x=even.astype(np.float32))
    return path


def test_large_lanes_are_amplified_and_verified(memxc, tmp_path):
    model, out = cancelling(tmp_path / "net.onnx"), tmp_path / "out"
    done = memxc("compile", model, "-o", out, "--budget", "erc=0", "--json")
    assert done.code == 0, done.err
    names = [row["stage"] for row in done.json["resources"]["stages"]]
    assert names == ["layer/large", "layer", "layer/gain 1"]
    assert memxc("lvs", out).code == 0
    found = memxc("verify", out, "--count", 2, "--json")
    assert found.code == 0, found.err
