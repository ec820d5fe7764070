"""A network for voices, as Silero's: a convolution, an LSTM whose state goes in and out, a gate."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.evaluation import reference

node = helper.make_node
FEATURES, FRAMES, HIDDEN = 3, 9, 2


@pytest.fixture
def voice(tmp_path):
    rng = np.random.default_rng(5)
    weights = {
        "frame": rng.normal(size=(3, FEATURES, 3)),
        "W": rng.normal(size=(1, 4 * HIDDEN, 3)),
        "R": rng.normal(size=(1, 4 * HIDDEN, HIDDEN)),
        "B": rng.normal(size=(1, 8 * HIDDEN)),
        "gate": rng.normal(size=(HIDDEN, 1)),
        "bias": rng.normal(size=(1,)),
    }
    inits = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()]
    inits.append(numpy_helper.from_array(np.array([0]), "first"))
    nodes = [
        node("Conv", ["x", "frame"], ["map"], strides=[2]),
        node("Relu", ["map"], ["frames"]),
        node("Transpose", ["frames"], ["steps"], perm=[2, 0, 1]),
        node("Split", ["state"], ["h0", "c0"], axis=0),
        node("LSTM", ["steps", "W", "R", "B", "", "h0", "c0"], ["", "h", "c"],
             name="lstm", hidden_size=HIDDEN),
        node("Concat", ["h", "c"], ["stateN"], axis=0),
        node("Squeeze", ["h", "first"], ["last"]),
        node("Gemm", ["last", "gate", "bias"], ["z"]),
        node("Sigmoid", ["z"], ["y"]),
    ]  # fmt: skip
    info, kind = helper.make_tensor_value_info, TensorProto.FLOAT
    state = (2, 1, HIDDEN)
    graph = helper.make_graph(
        nodes,
        "voice",
        [info("x", kind, ["n", FEATURES, FRAMES]), info("state", kind, state)],
        [info("y", kind, ["n", 1]), info("stateN", kind, state)],
        inits,
    )
    path = tmp_path / "voice.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_a_state_needs_its_whole_shape_said(memxc, voice):
    done = memxc("check", voice)
    assert done.code == 3
    assert "fixed batch of 2" in done.err
    assert "--shape state=2x1x2" in " ".join(done.err.split())


def test_spice_lvs_and_the_twin_agree_with_the_network(memxc, voice, tmp_path):
    folder, twin = tmp_path / "out", tmp_path / "twin.onnx"
    said = ("--shape", "state=2x1x2", "--target", "ideal")
    assert memxc("compile", voice, "-o", folder, *said).code == 0
    done = memxc("verify", folder, "--count", 2, "--json")
    assert (done.code, done.json["ok"]) == (0, True)
    lstm = [stage["name"] for stage in done.json["stages"] if stage["name"].startswith("lstm/")]
    assert len(lstm) == 4 * 6  # the crossbar of each step, and five kinds of lanes
    assert memxc("lvs", folder).code == 0
    assert memxc("twin", folder, "-o", twin).code == 0
    rng = np.random.default_rng(6)
    inputs = {"x": rng.normal(size=(1, FEATURES, FRAMES)), "state": rng.normal(size=(2, 1, HIDDEN))}
    inputs = {name: value.astype(np.float32) for name, value in inputs.items()}
    of_twin, of_network = (reference.session(path).run(None, inputs) for path in (twin, voice))
    for found, expected in zip(of_twin, of_network, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
