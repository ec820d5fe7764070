"""External data is read only from beside the model; functions are inlined within bounds."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc.frontend import load
from memxc.frontend.copy import copy

node = helper.make_node
DATA = np.arange(15, dtype=np.float32).reshape(3, 5)


@pytest.fixture
def outside(build, tmp_path):
    """outside(location=..., **entries) -> a model that claims external data for its weights `w`."""

    def make(location="w.bin", dims=(3, 5), **entries):
        path = build([node("MatMul", ["x", "w"], ["y"])], x=(1, 2, 3))
        tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=str(value))
        model = onnx.load(path)
        model.graph.initializer.append(tensor)
        path.write_bytes(model.SerializeToString())
        return path

    (tmp_path / "w.bin").write_bytes(b"head" + DATA.tobytes() + b"tail")
    return make


@pytest.mark.parametrize("entries", [{"offset": 4, "length": 60}, {"offset": 4}])
def test_data_beside_the_model(outside, tmp_path, entries):
    path = outside(**entries)
    np.testing.assert_array_equal(load(path).weights["w"], DATA)
    assert copy(path, tmp_path / "alone.onnx")
    (tmp_path / "w.bin").unlink()
    np.testing.assert_array_equal(load(tmp_path / "alone.onnx").weights["w"], DATA)


def test_data_in_a_folder_below(outside, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "w.bin").rename(tmp_path / "data" / "w.bin")
    np.testing.assert_array_equal(load(outside("data/w.bin", offset=4)).weights["w"], DATA)


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../secret", "a/../../secret", "", ".", "C:\\secret", "..\\secret", "w\0.bin"],
)
def test_data_somewhere_else(outside, tmp_path, faults_of, location):
    (tmp_path.parent / "secret").write_bytes(DATA.tobytes())
    path = outside(location)
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("broken-model", f"{path}:w")
    assert "said to be at" in fault.what


def test_a_link_out_of_the_folder(outside, tmp_path, faults_of, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_bytes(DATA.tobytes())
    (tmp_path / "link").symlink_to(secret)
    assert "link out of the folder" in faults_of(outside("link"))[0].what
    (tmp_path / "folder").symlink_to(secret.parent)
    assert "link out of the folder" in faults_of(outside("folder/secret"))[0].what
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert faults_of(outside("round"))[0].code == "broken-model"


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({"location": "gone.bin"}, "missing"),
        ({"offset": 9}, "ends at byte 69"),
        ({"offset": -4}, "at -4"),
        ({"offset": "x"}, "not a number"),
        ({"offset": 4, "length": 56}, "claims 60 bytes"),
        ({"offset": 4, "length": 2**40}, "claims 60 bytes"),
        ({"dims": [2**40]}, "ends at byte"),
        ({"dims": [-1]}, "[-1]"),
    ],
)
def test_data_that_does_not_fit(outside, faults_of, entries, what):
    (fault,) = faults_of(outside(**entries))
    assert fault.code == "broken-model"
    assert what in fault.what


def test_tensors_that_share_bytes_of_a_file_have_a_limit(outside, faults_of):
    path = outside(offset=4)
    model = onnx.load(path, load_external_data=False)
    for index in range(99):
        model.graph.initializer.add().CopyFrom(model.graph.initializer[0])
        model.graph.initializer[-1].name = f"w{index}"
    path.write_bytes(model.SerializeToString())
    assert "far more data" in faults_of(path)[0].what


def with_functions(path, functions):
    """Return a model with a call of the first function, and functions by their nodes."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    made = [helper.make_function("mine", name, ["a"], ["b"], nodes, opsets)
            for name, nodes in functions.items()]  # fmt: skip
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node(next(iter(functions)), ["x"], ["y"], domain="mine")], "g",
        [info("x", TensorProto.FLOAT, [1, 3])], [info("y", TensorProto.FLOAT, [1, 3])],
    )  # fmt: skip
    model = helper.make_model(graph, functions=made, opset_imports=opsets, ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def twice(name):
    return [node(name, ["a"], ["t"], domain="mine"), node(name, ["t"], ["b"], domain="mine")]


def test_functions_that_double_at_each_level(tmp_path, faults_of):
    functions = {f"f{i}": twice(f"f{i + 1}") for i in range(60)}
    functions["f60"] = [node("Relu", ["a"], ["b"])]
    (fault,) = faults_of(with_functions(tmp_path / "m.onnx", functions))
    assert fault.code == "unsupported-model"
    assert "unfold" in fault.what


def test_functions_that_call_each_other(tmp_path, faults_of):
    (fault,) = faults_of(with_functions(tmp_path / "m.onnx", {"f": twice("g"), "g": twice("f")}))
    assert fault.code == "broken-model"
    assert "call each other" in fault.what


def test_functions_that_repeat_a_large_constant(tmp_path, faults_of):
    value = helper.make_tensor("v", TensorProto.FLOAT, [2**16], bytes(2**18), raw=True)
    functions = {f"f{i}": twice(f"f{i + 1}") for i in range(14)}
    functions["f14"] = [
        node("Constant", [], ["c"], value=value),
        node("ReduceMax", ["c"], ["m"]),
        node("Add", ["a", "m"], ["b"]),
    ]
    (fault,) = faults_of(with_functions(tmp_path / "m.onnx", functions))
    assert "unfold" in fault.what
