"""onnxruntime, one sample at a time, against numpy."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc import worker
from memxc.errors import MemxcError
from memxc.evaluation import reference
from memxc.evaluation.reference import remote

node = helper.make_node


def model(nodes, inputs, outputs, opset=17):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info(name, kind, shape) for name, kind, shape in inputs],
        [info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


TWO = model(
    [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("Cast", ["k"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["t", "f"], ["p"]),
        node("ReduceMean", ["x"], ["q"], axes=[1, 2], keepdims=0),
    ],
    [("x", TensorProto.FLOAT, (1, 2, 3)), ("k", TensorProto.INT64, (1, 1, 2))],
    [("p", (1, 3, 2)), ("q", (1,))],
)
RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 2, 3))
K = RNG.integers(-5, 5, size=(4, 1, 2))


@pytest.mark.parametrize("as_bytes", [True, False])
def test_sample_by_sample(tmp_path, as_bytes, capfd):
    data = TWO.SerializeToString()
    (tmp_path / "m.onnx").write_bytes(data)
    # The model has batch 1, the samples are four, in other types than the model's.
    got = reference.run(data if as_bytes else tmp_path / "m.onnx", {"x": X, "k": K.astype(float)})
    assert list(got) == ["p", "q"]
    np.testing.assert_allclose(got["p"], X.transpose(0, 2, 1) * K, rtol=1e-6)
    np.testing.assert_allclose(got["q"], X.mean(axis=(1, 2)), rtol=1e-5)
    assert got["p"].shape == (4, 3, 2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("inputs", "code", "what"),
    [
        ({"x": X}, "unsupported-model", "k"),
        ({"x": X[:, :, :2], "k": K}, "unsupported-model", "dimensions"),
        ({"x": X, "k": K, "z": X}, "unsupported-model", "z"),
        ({"x": X, "k": K[:3]}, "unsupported-model", "different numbers of samples"),
        ({"x": X[:0], "k": K[:0]}, "bad-samples", "not a single sample"),
        ({}, "bad-samples", "not a single sample"),
    ],
)
def test_inputs_that_do_not_fit(inputs, code, what, capfd):
    with pytest.raises(MemxcError) as caught:
        reference.run(TWO.SerializeToString(), inputs)
    (fault,) = caught.value.faults
    assert fault.code == code
    assert what in fault.what
    assert "\n" not in fault.what
    assert capfd.readouterr() == ("", "")


def test_a_model_that_onnxruntime_refuses(tmp_path, capfd):
    unknown = model([node("Frobnicate", ["x"], ["y"])], [("x", TensorProto.FLOAT, (1, 2))],
                    [("y", (1, 2))])  # fmt: skip
    onnx.save(unknown, tmp_path / "m.onnx")
    with pytest.raises(MemxcError, match=r"onnxruntime refuses it: .*Frobnicate") as caught:
        reference.run(tmp_path / "m.onnx", {"x": np.ones((3, 2))})
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("unsupported-model", str(tmp_path / "m.onnx"))
    assert str(tmp_path) not in fault.what
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("value", [0.5, -0.25, 2.0**63, np.nan])
@pytest.mark.parametrize("ask", [reference.run, reference.predict])
def test_no_integer_is_made_of_another_number(ask, value):
    k = K.astype(float)
    k[3, 0, 1] = value
    with pytest.raises(MemxcError) as caught:
        ask(TWO.SerializeToString(), {"x": X, "k": k})
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("bad-samples", "k")
    assert "int64" in fault.what


def test_a_number_too_large_for_the_model():
    x = X.copy()
    x[1, 0, 2] = 1e39
    with pytest.raises(MemxcError, match="holds 1e\\+39, the model takes float32"):
        reference.run(TWO.SerializeToString(), {"x": x, "k": K})


@pytest.fixture
def runs(monkeypatch):
    """How many samples onnxruntime was given at once, run by run."""
    given, ask = [], reference._ask

    def counted(session, inputs):
        given.append(len(next(iter(inputs.values()))))
        return ask(session, inputs)

    monkeypatch.setattr(reference, "_ask", counted)
    return given


SIZE = helper.make_tensor("size", TensorProto.INT64, [2], [1, -1])


@pytest.mark.parametrize(
    ("nodes", "alone"),
    [
        # Every sample by itself: whole batches go through at once.
        ([node("Mul", ["x", "x"], ["y"])], lambda x: x**2),
        # The largest of all samples, where samples come in batches.
        (
            [node("ReduceMax", ["x"], ["m"], keepdims=0), node("Div", ["x", "m"], ["y"])],
            lambda x: x / x.max(),
        ),
        # Refused for more than one sample at a time: 6 numbers in a row.
        ([node("Reshape", ["x", "size"], ["f"]), node("MatMul", ["f", "w"], ["y"])],
         lambda x: x.reshape(1, -1) @ np.arange(12.0).reshape(6, 2)),
        # The answer has no batch axis.
        ([node("ReduceSum", ["x"], ["y"], keepdims=0)], lambda x: x.sum()),
    ],
)  # fmt: skip
def test_data_sets_are_answered_sample_by_sample_whatever_the_batch(nodes, alone, runs):
    given = model(nodes, [("x", TensorProto.FLOAT, ("n", 2, 3))], [("y", None)])
    weights = np.arange(12, dtype=np.float32).reshape(6, 2)
    given.graph.initializer.extend([SIZE, onnx.numpy_helper.from_array(weights, "w")])
    x = np.random.default_rng(6).uniform(1, 2, (7, 2, 3)).astype(np.float32)
    found = reference.predict(given.SerializeToString(), {"x": x}, batch=3)["y"]
    wanted = np.stack([np.squeeze(alone(sample[None])) for sample in x])
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-5)
    if nodes[0].op_type == "Mul":
        # Three batches, and two samples alone to know that they may be.
        assert sorted(runs) == [1, 1, 1, 3, 3]
    else:
        assert runs.count(1) >= 7


def test_a_model_that_is_trusted_is_asked_in_batches(runs):
    """A twin that draws noise never says the same twice."""
    given = model(
        [node("RandomNormalLike", ["x"], ["r"]), node("Add", ["x", "r"], ["y"])],
        [("x", TensorProto.FLOAT, ("n", 2, 3))], [("y", None)],
    )  # fmt: skip
    x = np.zeros((7, 2, 3), np.float32)
    assert reference.predict(given.SerializeToString(), {"x": x}, 3, trusted=True)["y"].std() > 0.5
    assert runs == [3, 3, 1]


def test_messages_do_not_quote_the_source_of_onnxruntime():
    shaped = model([node("Reshape", ["x", "to"], ["y"])],
                   [("x", TensorProto.FLOAT, (1, 6))], [("y", None)])  # fmt: skip
    shaped.graph.initializer.append(helper.make_tensor("to", TensorProto.INT64, [2], [5, 5]))
    with pytest.raises(MemxcError) as caught:
        reference.run(shaped.SerializeToString(), {"x": np.ones((1, 6))})
    what = caught.value.faults[0].what
    assert "/" not in what
    assert "::" not in what
    assert "cannot be reshaped" in what


@pytest.mark.parametrize("threads", [0, 1])
def test_the_worker_answers_as_this_process_does(threads):
    x, k = X.astype(np.float32), K
    mine = reference.session(TWO.SerializeToString(), threads)
    with remote.opened(TWO.SerializeToString(), threads) as theirs:
        for side in ("get_inputs", "get_outputs"):
            both = [[(v.name, v.type, v.shape) for v in getattr(r, side)()] for r in (mine, theirs)]
            assert both[0] == both[1]
        found = [r.run(["q", "p"], {"x": x[:1], "k": k[:1]}) for r in (mine, theirs)]
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, strict=True)


def endless():
    """2^40 rounds of a loop, one addition each."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["a", "a"], ["b"])], "body",
        [info("i", TensorProto.INT64, ()), info("go", TensorProto.BOOL, ()),
         info("a", TensorProto.FLOAT, (1, 2))],
        [info("on", TensorProto.BOOL, ()), info("b", TensorProto.FLOAT, (1, 2))],
    )  # fmt: skip
    made = model([node("Loop", ["n", "", "x"], ["y"], body=body)],
                 [("x", TensorProto.FLOAT, (1, 2))], [("y", (1, 2))])  # fmt: skip
    made.graph.initializer.append(helper.make_tensor("n", TensorProto.INT64, (), [2**40]))
    return made


def huge():
    """8 GiB of one number."""
    made = model([node("Expand", ["x", "to"], ["y"])],
                 [("x", TensorProto.FLOAT, (1, 1))], [("y", None)])  # fmt: skip
    made.graph.initializer.append(helper.make_tensor("to", TensorProto.INT64, [2], [2**11, 2**20]))
    return made


@pytest.mark.parametrize(
    "ask", [reference.run, pytest.param(reference.predict, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("given", "what"),
    [
        (endless, "onnxruntime takes more than [12] s of processor time"),
        (huge, "onnxruntime .*memory"),
    ],
)
def test_a_model_that_takes_too_much(given, what, ask, monkeypatch):
    monkeypatch.setattr(remote, "_SECONDS", 0.5)
    made = given()
    x = np.ones((3, made.graph.input[0].type.tensor_type.shape.dim[1].dim_value))
    with pytest.raises(MemxcError, match=what) as caught:
        ask(made.SerializeToString(), {"x": x})
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("unsupported-model", "the model")
    # The next one is answered by another worker.
    assert reference.run(TWO.SerializeToString(), {"x": X, "k": K})["q"].shape == (4,)


def test_a_batch_that_crashes_onnxruntime_is_computed_sample_by_sample(monkeypatch):
    given = model([node("Mul", ["x", "x"], ["y"])], [("x", TensorProto.FLOAT, ("n", 2))],
                  [("y", ("n", 2))])  # fmt: skip
    ask = worker.ask

    def die(work, parts, *more, **described):
        if sum(map(len, parts)) > 8 and work.endswith("ran"):
            worker.end()
            raise worker.Died("needs more than 2 GiB of memory")
        return ask(work, parts, *more, **described)

    monkeypatch.setattr(worker, "ask", die)
    x = np.arange(6.0).reshape(3, 2)
    found = reference.predict(given.SerializeToString(), {"x": x})["y"]
    np.testing.assert_array_equal(found, x**2)


def test_no_sample_to_predict():
    with pytest.raises(MemxcError, match="not a single sample"):
        reference.predict(TWO.SerializeToString(), {"x": X[:0], "k": K[:0]})


def test_onnxruntime_sends_nothing_home(tmp_path):
    """Where it means to, it writes a device's name and a queue into the home directory."""
    names = ("HOME", "XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY")
    world = {key: value for key, value in os.environ.items() if key not in names}
    code = "import memxc.evaluation.reference, onnxruntime as o; assert o.SessionOptions()"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env={**world, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
