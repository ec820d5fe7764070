"""--fix NAME=VALUE: an input of the model becomes a constant."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def scaled(tmp_path):
    """y = (x @ w) * gain, in a shape from an input. It is a circuit only if both are constants."""
    weight = np.array([[1, -2, 3], [4, 5, -6]], np.float32) / 4
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["m"], name="dense"),
            helper.make_node("Mul", ["m", "gain"], ["s"], name="scale"),
            helper.make_node("Reshape", ["s", "form"], ["y"], name="form"),
        ],
        "net",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 2)),
            helper.make_tensor_value_info("gain", TensorProto.FLOAT, ()),
            helper.make_tensor_value_info("form", TensorProto.INT64, (3,)),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "net.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


FIXED = "--fix", "gain=-2.5", "--fix", "form=1,6,2"


def answer(x):
    weight = np.array([[1, -2, 3], [4, 5, -6]]) / 4
    return (x.astype(float) @ weight * -2.5).reshape(1, 6, 2)


def test_the_folder_holds_the_network_with_its_constants(memxc, scaled, tmp_path):
    out, x = tmp_path / "out", np.linspace(-1, 1, 8).reshape(1, 4, 2).astype(np.float32)
    done = memxc(
        "compile", scaled, "-o", out, "--target", "ideal", "--tile", "16x12", *FIXED, "--json"
    )
    assert done.code == 0
    assert done.json["options"]["fix"] == {"form": [1, 6, 2], "gain": [-2.5]}
    assert done.json["fidelity"]["reference"] == "onnxruntime"
    assert done.json["fidelity"]["passed"]
    assert [found["name"] for found in done.json["model"]["inputs"]] == ["x"]
    session = onnxruntime.InferenceSession(out / "model.onnx")
    assert [value.name for value in onnx.load(out / "model.onnx").graph.input] == ["x"]
    np.testing.assert_allclose(session.run(None, {"x": x})[0], answer(x), rtol=1e-6)
    assert memxc("verify", out, "--count", "2").code == 0
    assert memxc("twin", out, "-o", tmp_path / "twin.onnx").code == 0
    twin = onnxruntime.InferenceSession(tmp_path / "twin.onnx")
    np.testing.assert_allclose(twin.run(None, {"x": x})[0], answer(x), atol=1e-5)


def test_the_folder_can_be_programmed_again(memxc, scaled, tmp_path):
    out, data = tmp_path / "out", tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(2).uniform(0, 1, (3, 4, 2)))
    assert memxc("compile", scaled, "-o", out, *FIXED).code == 0
    done = memxc("simulate", out, "--data", data, "--set", "device.levels=8", "--json")
    assert done.code == 0


def test_check_and_show_take_fix(memxc, scaled):
    assert memxc("check", scaled).code == 3
    done = memxc("check", scaled, *FIXED)
    assert done.code == 0
    assert "--fix=gain=-2.5 --fix=form=1.0,6.0,2.0" in done.out.splitlines()[-1]
    assert "s = Mul(m, gain)" in memxc("show", scaled, *FIXED, "--at", "graph").out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["gian=1"], {"--fix gian": "no such input"}),
        (["w=1"], {"--fix w": "no such input"}),
        (["gain=1,2"], {"--fix gain": "2 numbers are given, and the input has 1"}),
        (["form=1,6"], {"--fix form": "2 numbers are given, and the input has 3"}),
        (["form=1"], {"--fix form": "1 number is given, and the input has 3"}),
        (["form=1,6.5,2"], {"--fix form": "whole numbers"}),
        (["form=1,6,1e17"], {"--fix form": "2^53"}),
        (["gain=1e39"], {"--fix gain": "beyond what float holds"}),
        (["a=1", "b=2"], {"--fix a": "no such input", "--fix b": "no such input"}),
        (["x=1,2,3,4,5,6,7,8", "gain=1", "form=1,6,2"], {"--fix": "no input of the network"}),
    ],
)
def test_every_fault_names_its_input(memxc, scaled, tmp_path, asked, said):
    words = [word for text in asked for word in ("--fix", text)]
    done = memxc("compile", scaled, "-o", tmp_path / "out", *words, "--json")
    assert done.code == 2
    faults = json.loads(done.out)["faults"]
    assert [fault["where"] for fault in faults] == list(said)
    for fault in faults:
        assert said[fault["where"]] in fault["what"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["gain", "=1", "gain=", "gain=x", "gain=1,,2", "gain=nan"])
def test_texts_that_are_no_value(memxc, scaled, tmp_path, text):
    done = memxc("compile", scaled, "-o", tmp_path / "out", "--fix", text)
    assert done.code == 2
    assert "--fix" in done.err


@pytest.mark.parametrize(
    ("kind", "dims"),
    [(TensorProto.FLOAT, (-2, -2)), (99, (2, 2)), (TensorProto.COMPLEX64, (2, 2))],
    ids=["no shape", "no type", "complex"],
)
def test_an_input_of_no_real_numbers_is_a_fault(memxc, tmp_path, kind, dims):
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, (1, 4)), info("s", kind, dims)]
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Abs", ["s"], ["t"])]
    graph = helper.make_graph(nodes, "net", ends, [info("y", TensorProto.FLOAT, (1, 4))])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "n.onnx")
    done = memxc("check", tmp_path / "n.onnx", "--fix", "s=1,2,3,4")
    assert done.code in (2, 3)
    assert "error[" in done.err
