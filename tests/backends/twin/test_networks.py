"""Whole networks as twins: every layout, wires, finite gain, draws; hand-made and exported nets."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import simulate, target
from memxc.backends import twin
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model

TESTS = Path(__file__).parents[2]
MSCCNN = TESTS.parent / "models" / "msccnn_fashion.onnx"
CLOSE = 1e-5

Node = helper.make_node


def constant(name, *shape):
    seed = sum(name.encode())
    values = np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    return numpy_helper.from_array(values.astype(np.float32), name)


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def excited():
    """Strides, a residual, squeeze and excitation, a transposed convolution, both pools, a tail."""
    nodes = [
        Node("Conv", ["x", "w1", "b1"], ["a"], strides=[2, 1], pads=[1, 1, 1, 0]),
        Node("LeakyRelu", ["a"], ["l"], alpha=0.2),
        Node("Conv", ["l", "w2"], ["c"], group=2, dilations=[1, 2], pads=[1, 2, 1, 2]),
        Node("Add", ["c", "l"], ["r"]),
        Node("GlobalAveragePool", ["r"], ["g"]),
        Node("Conv", ["g", "w3", "b3"], ["s"]),
        Node("HardSigmoid", ["s"], ["h"]),
        Node("Mul", ["r", "h"], ["m"]),
        Node("ConvTranspose", ["m", "w4", "b4"], ["t"], strides=[2, 2], pads=[1, 0, 0, 1],
             output_padding=[1, 0]),
        Node("Relu", ["t"], ["u"]),
        Node("MaxPool", ["u"], ["p"], kernel_shape=[2, 3], strides=[2, 2], pads=[0, 1, 0, 1]),
        Node("AveragePool", ["p"], ["q"], kernel_shape=[2, 2]),
        Node("Flatten", ["q"], ["f"]),
        Node("Gemm", ["f", "w5", "b5"], ["d"]),
        Node("Softmax", ["d"], ["y"]),
    ]  # fmt: skip
    constants = [
        constant("w1", 4, 2, 3, 2), constant("b1", 4), constant("w2", 4, 2, 3, 3),
        constant("w3", 4, 4, 1, 1), constant("b3", 4), constant("w4", 4, 3, 3, 2),
        constant("b4", 3), constant("w5", 45, 5), constant("b5", 5),
    ]  # fmt: skip
    return nodes, [value("x", (1, 2, 7, 6))], [value("y", (1, 5))], constants


def along_time():
    """Convolutions over one axis, cut into windows that overlap."""
    nodes = [
        Node("Conv", ["x", "w1", "b1"], ["a"], strides=[2], pads=[2, 1]),
        Node("Relu", ["a"], ["r"]),
        Node("Conv", ["r", "w2"], ["c"], group=3, pads=[1, 1]),
        Node("Conv", ["c", "w3"], ["y"]),
    ]
    constants = [constant("w1", 3, 2, 5), constant("b1", 3), constant("w2", 3, 1, 3),
                 constant("w3", 4, 3, 1)]  # fmt: skip
    return nodes, [value("x", (1, 2, 19))], [value("y", (1, 4, 9))], constants


def through_space():
    """Convolutions over three axes."""
    nodes = [
        Node("Conv", ["x", "w1", "b1"], ["a"], strides=[1, 2, 1], pads=[1, 0, 1, 0, 1, 0]),
        Node("Relu", ["a"], ["r"]),
        Node("MaxPool", ["r"], ["p"], kernel_shape=[1, 2, 2], strides=[1, 1, 2]),
        Node("Conv", ["p", "w2"], ["y"]),
    ]
    constants = [constant("w1", 3, 2, 3, 2, 3), constant("b1", 3), constant("w2", 2, 3, 2, 1, 1)]
    return nodes, [value("x", (1, 2, 3, 5, 6))], [value("y", (1, 2, 1, 2, 2))], constants


def two_and_two():
    """Two inputs of different shapes, two outputs, one of them whole numbers."""
    nodes = [
        Node("Conv", ["x", "w1"], ["a"]),
        Node("Flatten", ["a"], ["f"]),
        Node("Gemm", ["z", "w2", "b2"], ["g"]),
        Node("Concat", ["f", "g"], ["c"], axis=1),
        Node("Tanh", ["c"], ["t"]),
        Node("Gemm", ["t", "w3"], ["y"]),
        Node("ArgMax", ["y"], ["k"], axis=1, keepdims=0),
    ]
    constants = [constant("w1", 2, 3, 2, 2), constant("w2", 7, 4), constant("b2", 4),
                 constant("w3", 16, 3)]  # fmt: skip
    outputs = [value("y", (1, 3)), value("k", (1,), TensorProto.INT64)]
    return nodes, [value("x", (1, 3, 4, 3)), value("z", (1, 7))], outputs, constants


NETWORKS = {f.__name__: f for f in (excited, along_time, through_space, two_and_two)}
LAYOUTS = list(
    product(
        ("none", "packed", "paper"),
        ("parallel", "sequential"),
        ("differential", "inverted-inputs"),
    )
)
WIRES = ("wire.r_source=3", "wire.r_word_line=1", "wire.r_bit_line=0.5", "wire.r_neuron=2")
EFFECTS = ("device.sigma=0.1", "device.r_on_sigma=0.05", "device.stuck_at_hrs=0.05")
#: What is simulated: settings, and what has a draw of its own.
CIRCUITS = {
    "programmed": (("wire.r_word_line=0", "wire.r_bit_line=0"), "definition"),
    "wires": (WIRES, "definition"),
    "draws": ((*WIRES, *EFFECTS), "definition"),
    "draws of every placement": ((*WIRES, *EFFECTS), "placement"),
}


@pytest.fixture(params=NETWORKS)
def network(request, tmp_path):
    nodes, inputs, outputs, constants = NETWORKS[request.param]()
    graph = helper.make_graph(nodes, request.param, inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, tmp_path / "net.onnx")
    rng = np.random.default_rng(5)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in inputs}
    np.savez(
        tmp_path / "net.samples.npz",
        **{name: rng.uniform(-1, 1, (6, *shape[1:])) for name, shape in shapes.items()},
    )
    return tmp_path / "net.onnx"


def compiled(path, partition, schedule, signed):
    chosen = target.load("paper-128").with_tile(40, 14).with_set("amplifier.gain=1000")
    options = Options(path, chosen, partition=partition, schedule=schedule, signed=signed)
    return compile_model(options)


@pytest.mark.parametrize(("partition", "schedule", "signed"), LAYOUTS)
def test_every_layout_and_circuit(apart, network, partition, schedule, signed):
    made = compiled(network, partition, schedule, signed)
    for name, (settings, draw_per) in CIRCUITS.items():
        chosen = target.load("paper-128").with_set("amplifier.gain=1000", *settings)
        circuit = simulate.circuit(made.design, chosen, seed=2, draw_per=draw_per)
        assert apart(circuit, made.samples) < CLOSE, name


@pytest.mark.parametrize("partition", ["none", "packed"])
@pytest.mark.parametrize("stem", ["shufflenet_script17", "sefcn_plain13"])
def test_exported_with_wires(apart, stem, partition):
    made = compiled(TESTS / "exporters" / f"{stem}.onnx", partition, "sequential", "differential")
    chosen = target.load("paper-128").with_set(*WIRES, *EFFECTS)
    assert apart(simulate.circuit(made.design, chosen, 7, "placement"), made.samples) < CLOSE


def test_bundles_of_different_channels(apart):
    """A kernel cut by tiles into blocks that no weight joins, the later channels in another one."""
    path = TESTS / "exporters" / "shufflenet_dynamo20.onnx"
    chosen = target.load("paper-128")
    options = Options(path, chosen, schedule="sequential", signed="inverted-inputs")
    made = compile_model(options)
    circuit = simulate.circuit(made.design, chosen.with_set(*WIRES))
    assert apart(circuit, made.samples) < CLOSE


@pytest.mark.parametrize(
    "network", [pytest.param(MSCCNN, id="msccnn", marks=pytest.mark.slow), "small"]
)
@pytest.mark.parametrize("partition", ["none", "packed"])
def test_depthwise_with_wires(apart, small, network, partition):
    """Depthwise stages are one crossbar a channel, each with weights of its own at every output."""
    path, tile = (small, (64, 12)) if network == "small" else (network, (128, 128))
    chosen = target.load("paper-128").with_set(*WIRES).with_tile(*tile)
    made = compile_model(Options(path, chosen, partition=partition))
    assert apart(simulate.circuit(made.design, chosen), made.samples) < CLOSE


def test_a_sigmoid_is_one_operator(apart, model):
    """Its lane function is a tanh with numbers around it."""
    network = onnx.load(model)
    network.graph.node[1].op_type = "Sigmoid"
    onnx.save(network, model)
    made = compiled(model, "none", "parallel", "differential")
    kinds = [node.op_type for node in twin.proto(made.design).graph.node]
    assert "Sigmoid" in kinds
    assert "Tanh" not in kinds
    assert apart(made.design, made.samples) < CLOSE


def test_twins_of_different_circuits_differ(network):
    """Wires and draws are in the twin: without them it would be another model."""
    made = compiled(network, "packed", "parallel", "differential")
    chosen = target.load("paper-128").with_set("amplifier.gain=1000")
    files = {
        twin.model(simulate.circuit(made.design, chosen.with_set(*settings), 2, draw_per))
        for settings, draw_per in CIRCUITS.values()
    }
    assert len(files) == len(CIRCUITS)
