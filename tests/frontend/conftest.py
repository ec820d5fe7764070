"""`build`: a small ONNX file from its nodes; `faults_of`: what `load` says about a file."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.errors import MemxcError
from memxc.frontend import load


@pytest.fixture
def build(tmp_path):
    """build(nodes, weights={name: array}, x=shape, out=names, opset=17, ir=10) -> path."""

    def make(nodes, weights=None, x=(1, 3, 4, 5), out=("y",), opset=17, ir=10, **more):
        weights = weights or {}
        inits = [numpy_helper.from_array(np.asarray(v), n) for n, v in weights.items()]
        info = helper.make_tensor_value_info
        inputs = [info(name, TensorProto.FLOAT, s) for name, s in {"x": x, **more}.items()]
        if ir < 4:
            inputs += [info(t.name, t.data_type, t.dims) for t in inits]
        outputs = [info(name, TensorProto.FLOAT, None) for name in out]
        graph = helper.make_graph(nodes, "net", inputs, outputs, inits)
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=ir)
        path = tmp_path / "net.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def faults_of():
    """faults_of(path) -> the faults, each with the file before its place."""

    def call(path, shapes=None):
        with pytest.raises(MemxcError) as caught:
            load(path, shapes)
        assert caught.value.exit_code == 3 or shapes
        for fault in caught.value.faults:
            assert fault.where.startswith((str(path), "--shape"))
        return caught.value.faults

    return call
