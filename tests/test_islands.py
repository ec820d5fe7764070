"""Parts of a network that stay digital: from check to the twin, against onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import memxc
from memxc.errors import MemxcError
from memxc.evaluation import reference

RNG = np.random.default_rng(7)


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(path, nodes, inputs, outputs, opset=17, **weights):
    constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", opset)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(made)
    onnx.save(made, path)
    return path


def node(kind, inputs, outputs, **attrs):
    return helper.make_node(kind, inputs.split(), outputs.split(), outputs.split()[0], **attrs)


def drawn(*shape):
    return RNG.normal(size=shape).astype(np.float32)


GRID = np.stack(np.meshgrid(np.linspace(-0.9, 0.8, 3), np.linspace(-0.8, 0.9, 2)), -1)[None]


@pytest.fixture(scope="module")
def middle(tmp_path_factory):
    """A convolution, a Relu, an operator without a circuit, and a convolution."""
    nodes = [
        node("Conv", "x w1", "c1"),
        node("Relu", "c1", "r1"),
        node("GridSample", "r1 grid", "sample"),
        node("Conv", "sample w2", "y"),
    ]
    folder = tmp_path_factory.mktemp("middle")
    ends = [floats("x", "N", 2, 5, 4)], [floats("y", "N", 4, 1, 2)]
    grid = GRID.astype(np.float32)
    return model(
        folder / "middle.onnx", nodes, *ends, w1=drawn(3, 2, 2, 2), w2=drawn(4, 3, 2, 2), grid=grid
    )


@pytest.fixture(scope="module")
def samples():
    return RNG.random((3, 2, 5, 4), dtype=np.float32)


@pytest.fixture(scope="module")
def build(middle, samples):
    return memxc.compile(middle, target="ideal", samples=samples, digital=("auto",))


def test_a_refusal_says_what_auto_would_do(middle):
    with pytest.raises(MemxcError) as caught:
        memxc.compile(middle, target="ideal")
    (fault,) = caught.value.faults
    assert fault.code == "unsupported-op"
    # 3 maps of 4 x 3 go in, 3 maps of 2 x 3 come out.
    assert "--digital auto keeps it digital, in an island of 1 node behind 36 ADCs" in fault.hint
    assert "18 DACs" in fault.hint


def test_verify_goes_through_an_island(build, middle, samples):
    done = build.verify(count=2)
    assert done.ok
    assert [stage.name for stage in done.stages] == ["c1", "r1", "y"]
    assert done.outputs.max_rel_error < 1e-5


def test_lvs_knows_the_ports_of_an_island(build, tmp_path):
    assert build.lvs().ok
    top = build.folder / "netlist" / "middle.cir"
    text = top.read_text()
    assert "* output 1 to s02_island_1, lanes 0 to 35: n2_0 to n2_35," in text
    assert "* input from s02_island_1, lanes 0 to 17: n3_0 to n3_17," in text
    edited = memxc.load(build.save(tmp_path / "edited"))
    top = edited.folder / "netlist" / "middle.cir"
    top.write_text(
        text.replace(
            "input from s02_island_1, lanes 0 to 17: n3_0",
            "input from s02_island_1, lanes 0 to 17: n3_1",
        )
    )
    assert [each.where for each in edited.lvs().differences] == [
        "input from s02_island_1, lanes 0 to 17 nets"
    ]


def test_the_circuit_answers_as_the_network_does(build, middle, samples):
    answers = reference.run(middle, {"x": samples})["y"]
    assert np.abs(build.predict(samples)["y"] - answers).max() < 1e-4 * np.abs(answers).max()
    twin = build.twin().SerializeToString()
    # In one batch: the nodes of an island compute one sample, so a Scan goes through them.
    (found,) = reference.session(twin).run(None, {"x": samples})
    assert np.abs(found - answers).max() < 1e-4 * np.abs(answers).max()
