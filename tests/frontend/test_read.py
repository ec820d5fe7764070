"""Files that are not models, and broken models: what is wrong and where, never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.errors import MemxcError
from memxc.frontend import load

node = helper.make_node
RELU = [node("Relu", ["x"], ["y"])]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (PNG, "PNG"),
        (b"PK\x03\x04" + bytes(50), "zip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "LFS"),
        (b'{"irVersion": "8"}', "not an ONNX model"),
        (bytes(range(256)) * 9, "not an ONNX model"),
        (b"\x08\x08", "opset"),
        (b"\x10\x01", "IR version"),
    ],
)
def test_files_that_are_something_else(tmp_path, faults_of, data, what):
    (tmp_path / "m.onnx").write_bytes(data)
    (fault,) = faults_of(tmp_path / "m.onnx")
    assert fault.code in ("broken-model", "unsupported-model")
    assert what in fault.what


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes(tmp_path, faults_of, seed):
    (tmp_path / "m.onnx").write_bytes(np.random.default_rng(seed).bytes(50 + 300 * seed))
    assert faults_of(tmp_path / "m.onnx")[0].code == "broken-model"


def test_paths_that_are_no_files(tmp_path, faults_of):
    assert "no such file" in faults_of(tmp_path / "missing.onnx")[0].what
    assert "folder" in faults_of(tmp_path)[0].what
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "pipe" in faults_of(tmp_path / "pipe.onnx")[0].what
    (tmp_path / "circle.onnx").symlink_to(tmp_path / "circle.onnx")
    assert faults_of(tmp_path / "circle.onnx")[0].code == "broken-model"
    assert faults_of(Path("a\0b.onnx"))[0].code == "broken-model"
    assert faults_of(tmp_path / ("x" * 300))[0].code == "broken-model"


def change(path, edit):
    model = onnx.load(path, load_external_data=False)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("edit", "code", "what"),
    [
        (lambda m: m.graph.ClearField("node"), "broken-model", "no nodes"),
        (lambda m: m.graph.ClearField("output"), "broken-model", "no outputs"),
        (lambda m: m.ClearField("graph"), "broken-model", "no nodes"),
        (lambda m: m.ClearField("ir_version"), "broken-model", "IR version"),
        (lambda m: m.ClearField("opset_import"), "unsupported-model", "which opset"),
        (lambda m: setattr(m, "ir_version", 1000), "unsupported-model", "IR version 1000"),
        (lambda m: setattr(m.opset_import[0], "version", 5), "unsupported-model", "opset 5"),
        (lambda m: setattr(m.opset_import[0], "version", 999), "unsupported-model", "opset 999"),
    ],
)
def test_versions_and_empty_models(build, faults_of, edit, code, what):
    (fault,) = faults_of(change(build(RELU), edit))
    assert fault.code == code
    assert what in fault.what


@pytest.mark.parametrize(
    ("dims", "raw", "what"),
    [
        ([2**40], b"1234", "claims the shape"),
        ([2**40, 2**40], b"1234", "claims the shape"),
        ([3, 5], bytes(56), "holds 56 bytes"),
        ([3, 5], bytes(64), "holds 64 bytes"),
        ([-1, 5], bytes(60), "[-1, 5]"),
    ],
)
def test_weights_that_claim_what_they_do_not_hold(build, faults_of, dims, raw, what):
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=raw)
    path = change(
        build([node("Add", ["x", "w"], ["y"])]), lambda m: m.graph.initializer.append(tensor)
    )
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("broken-model", f"{path}:w")
    assert what in fault.what


@pytest.mark.parametrize("kind", [0, 99, TensorProto.STRING])
def test_weights_of_types_that_are_no_numbers(build, faults_of, kind):
    tensor = onnx.TensorProto(name="w", data_type=kind, dims=[1], raw_data=b"1234")
    path = change(
        build([node("Add", ["x", "w"], ["y"])]), lambda m: m.graph.initializer.append(tensor)
    )
    assert faults_of(path)


def test_typed_data_that_is_too_short(build, faults_of):
    tensor = onnx.TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[3, 5], float_data=[1.0] * 14
    )
    path = change(
        build([node("Add", ["x", "w"], ["y"])]), lambda m: m.graph.initializer.append(tensor)
    )
    assert faults_of(path)[0].where == f"{path}:w"


def test_nan_in_the_weights_names_each(build, faults_of):
    weights = {
        "good": np.ones(5),
        "bad": np.array([1, np.nan, 1, 1, 1]),
        "worse": np.full(5, np.nan),
    }
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    path = build([node("Sum", ["x", *weights], ["y"])], weights)
    assert [fault.where for fault in faults_of(path)] == [f"{path}:bad", f"{path}:worse"]


def test_infinity_is_a_number(build):
    weights = {"low": np.float32(-np.inf), "high": np.float32(6)}
    graph = load(build([node("Clip", ["x", "low", "high"], ["y"])], weights))
    assert graph.weights["low"] == -np.inf


def test_sparse_weights(build, faults_of):
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([2])), [5])
    path = change(build([node("Add", ["x", "w"], ["y"])]),
                  lambda m: m.graph.sparse_initializer.append(sparse))  # fmt: skip
    assert faults_of(path)[0].code == "unsupported-model"


@pytest.mark.parametrize("place", ["node", "tensor", "input", "attribute"])
def test_names_that_are_no_text(build, place):
    nodes = [
        node("LeakyRelu", ["x"], ["QQQQ"], name="nnnn", alpha=0.5),
        node("Add", ["QQQQ", "WWWW"], ["y"]),
    ]
    path = build(nodes, {"WWWW": np.ones(5, np.float32)})
    word = {"node": b"nnnn", "tensor": b"WWWW", "input": b"QQQQ", "attribute": b"alpha"}[place]
    path.write_bytes(path.read_bytes().replace(word, b"\xff\xfe\x80\xff\xfe"[: len(word)]))
    with pytest.raises(MemxcError, match="not UTF-8"):
        load(path)


def test_a_million_empty_nodes_are_refused_at_once(tmp_path):
    model = onnx.ModelProto(ir_version=8)
    model.graph.node.extend([onnx.NodeProto(op_type="Relu")] * 100_001)
    path = tmp_path / "many.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(MemxcError, match="more than 100,000 nodes") as caught:
        load(path)
    assert len(caught.value.faults) == 1
