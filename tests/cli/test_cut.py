"""--inputs and --outputs: compare a part of a network with the whole network in onnxruntime."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import worker


def weights(shape, seed, name):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


@pytest.fixture
def forked(tmp_path):
    """A Split whose halves go two ways; one way begins with an operator without a circuit."""
    node = helper.make_node
    nodes = [
        node("RandomNormalLike", ["x"], ["e"], name="noise", seed=5.0),
        node("Det", ["sq"], ["d"], name="det"),
        node("Split", ["e", "sizes"], ["a", "b"], name="split", axis=2),
        node("MatMul", ["a", "w"], ["h"], name="first"),
        node("Relu", ["h"], ["r"], name="relu"),
        node("MatMul", ["r", "v"], ["y"], name="second"),
        node("Concat", ["b", "y"], ["z"], name="join", axis=2),
        node("Add", ["c", "c"], ["cc"], name="constant"),
        node("Mul", ["d", "cc"], ["q"], name="other"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [info("x", TensorProto.FLOAT, ["N", 3, 7]), info("sq", TensorProto.FLOAT, (1, 2, 2))],
        [info("z", TensorProto.FLOAT, None), info("q", TensorProto.FLOAT, None)],
        [weights((4, 5), 1, "w"), weights((5, 2), 2, "v"), weights((2,), 3, "c"),
         numpy_helper.from_array(np.array([4, 3]), "sizes")],
    )  # fmt: skip
    path = tmp_path / "net.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def whole(path, x, *names):
    """Tensors of the whole network in onnxruntime; each is made an output."""
    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run([*names], {"x": x, "sq": np.eye(2, dtype=np.float32)[None]})


def part(out):
    return onnxruntime.InferenceSession(out / "model.onnx")


X = np.random.default_rng(7).uniform(-1, 1, (1, 3, 7)).astype(np.float32)


def test_the_folder_holds_the_part_between_tensors(memxc, forked, tmp_path):
    out = tmp_path / "out"
    asked = "--inputs", "a", "--outputs", "y,r"
    done = memxc("compile", forked, "-o", out, "--tile", "16x12", "-t", "ideal", *asked, "--json")
    assert done.code == 0
    assert done.json["options"]["inputs"] == ["a"]
    assert done.json["fidelity"]["reference"] == "onnxruntime"
    assert done.json["model"]["inputs"] == [{"name": "a", "shape": [1, 3, 4]}]
    assert [found["name"] for found in done.json["model"]["outputs"]] == ["y", "r"]
    session = part(out)
    assert [value.name for value in session.get_inputs()] == ["a"]
    a, r, y = whole(forked, X, "a", "r", "y")
    np.testing.assert_allclose(session.run(["y", "r"], {"a": a})[0], y, rtol=1e-6)
    assert memxc("verify", out, "--count", "2").code == 0
    assert memxc("lvs", out).code == 0
    assert memxc("twin", out, "-o", tmp_path / "twin.onnx").code == 0
    twin = onnxruntime.InferenceSession(tmp_path / "twin.onnx")
    np.testing.assert_allclose(twin.run(["r"], {"a": a})[0], r, atol=1e-5)
    assert np.abs(r).max() > 0.1


def test_the_folder_can_be_programmed_again(memxc, forked, tmp_path):
    out, data = tmp_path / "out", tmp_path / "data.npz"
    np.savez(data, a=np.random.default_rng(2).uniform(0, 1, (3, 3, 4)))
    assert memxc("compile", forked, "-o", out, "--inputs", "a", "--outputs", "y").code == 0
    done = memxc("simulate", out, "--data", data, "--set", "device.levels=8", "--json")
    assert done.code == 0


def test_samples_beside_the_model_are_of_its_own_inputs(memxc, forked, tmp_path):
    np.savez(tmp_path / "net.samples.npz", x=X, sq=np.eye(2)[None])
    done = memxc("compile", forked, "-o", tmp_path / "o", "--inputs", "a", "--outputs", "y")
    assert done.code == 0
    assert "no samples: calibrated on random inputs" in done.err


def test_outputs_alone_keep_the_inputs_that_they_need(memxc, forked, tmp_path):
    """The input of the part keeps its declaration in the file, with an open batch axis."""
    done = memxc("compile", forked, "-o", tmp_path / "o", "--outputs", "h", "--report-only")
    assert done.code == 3
    assert "RandomNormalLike" in done.err
    assert "Det" not in done.err
    onnx.save(without_noise(forked), forked)
    out = tmp_path / "out"
    assert memxc("compile", forked, "-o", out, "--outputs", "h", "-t", "ideal").code == 0
    session = part(out)
    assert [value.name for value in session.get_inputs()] == ["x"]
    two = np.concatenate([X, X / 2])
    found = session.run(None, {"x": two})[0]
    np.testing.assert_allclose(found[1:], whole(forked, X / 2, "h")[0], rtol=1e-5)
    assert session.get_outputs()[0].shape[1:] == [3, 5]


def without_noise(path):
    model = onnx.load(path)
    model.graph.node[0].CopyFrom(helper.make_node("Relu", ["x"], ["e"], name="quiet"))
    return model


def test_a_tensor_that_a_kept_node_makes_may_be_an_input(memxc, forked, tmp_path):
    """Of the outputs of the Split, `b` is computed and `a` is an input."""
    onnx.save(without_noise(forked), forked)
    out = tmp_path / "out"
    asked = "--inputs", "x,a", "--outputs", "z"
    assert memxc("compile", forked, "-o", out, "-t", "ideal", *asked).code == 0
    other = np.full((1, 3, 4), 0.25, np.float32)
    b, v, w = (
        whole(forked, X, "b")[0],
        *(numpy_helper.to_array(t) for t in onnx.load(forked).graph.initializer if t.name in "vw"),
    )
    v, w = (v, w) if v.shape == (5, 2) else (w, v)
    wanted = np.concatenate([b, np.maximum(other @ w, 0) @ v], axis=2)
    found = part(out).run(None, {"x": X, "a": other})[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_check_and_show_take_inputs_and_outputs(memxc, forked):
    done = memxc("check", forked, "--inputs", "a", "--outputs", "y,r")
    assert done.code == 0
    assert done.out.splitlines()[-1].endswith("--inputs=a --outputs=y,r")
    text = memxc("show", forked, "--inputs", "r", "--outputs", "y").out
    assert "r[1, 3, 5] = input" in text
    assert "Relu" not in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--inputs aa --outputs y", {"--inputs aa": "no such tensor"}),
        ("--inputs w --outputs y", {"--inputs w": "is a constant"}),
        ("--inputs cc,d --outputs q", {"--inputs cc": "is a constant"}),
        ("--inputs a,a --outputs y", {"--inputs a": "is given twice"}),
        ("--inputs r,b --outputs y", {"--inputs b": "no output of the part"}),
        ("--inputs a --outputs z", {"--inputs a": "also reads the input 'x'"}),
        ("--inputs a --outputs a,x", {"--outputs a": "an input of the part as well",
                                      "--outputs x": "which nothing computes"}),
        ("--outputs cc", {"--outputs": "reads no input"}),
        ("--outputs nowhere,w", {"--outputs nowhere": "no such tensor",
                                 "--outputs w": "is a constant"}),
        ("--inputs a --outputs y --shape a=1x4x3", {"--shape a": "does not fit"}),
        ("--inputs a --outputs y --shape k=1x4x3", {"--shape k": "no such input"}),
    ],
)  # fmt: skip
def test_every_fault_names_its_tensor(memxc, forked, tmp_path, asked, said):
    done = memxc("compile", forked, "-o", tmp_path / "out", *asked.split(), "--json")
    faults = json.loads(done.out)["faults"]
    assert {fault["where"] for fault in faults} == set(said)
    for fault in faults:
        assert said[fault["where"]] in fault["what"]
    assert done.code == 2
    assert not (tmp_path / "out").exists()


@pytest.fixture
def unknown(tmp_path):
    """A network with a shape that inference does not know: that of NonZero depends on its data."""
    nodes = [
        helper.make_node("NonZero", ["x"], ["n"], name="nonzero"),
        helper.make_node("Cast", ["n"], ["f"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "w"], ["y"], name="dense"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "net", [info("x", TensorProto.FLOAT, (1, 4))], [info("y", TensorProto.FLOAT, None)],
        [weights((4, 3), 1, "w")],
    )  # fmt: skip
    path = tmp_path / "net.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_inference_that_dies_is_a_fault_of_the_model(memxc, unknown, tmp_path, monkeypatch):
    ask = worker.ask

    def die(work, *more, **described):
        if work.endswith(":inferred"):
            raise worker.Died("crashes (SIGSEGV)")
        return ask(work, *more, **described)

    monkeypatch.setattr(worker, "ask", die)
    done = memxc("check", unknown, "--inputs", "f")
    assert done.code == 3
    assert f"error[broken-model] {unknown}: ONNX's shape inference crashes (SIGSEGV)" in done.err


def test_behind_what_inference_does_not_know_a_shape_is_given(memxc, unknown, tmp_path):
    path, out = unknown, tmp_path / "out"
    done = memxc("compile", path, "-o", out, "--inputs", "f")
    assert done.code == 2
    assert "say its shape with --shape f=" in done.err
    assert memxc("compile", path, "-o", out, "--inputs", "f", "--shape", "f=1x4").code == 0
    assert part(out).get_inputs()[0].shape == [1, 4]
