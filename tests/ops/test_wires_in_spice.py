"""Short chains of nodes through SPICE to onnxruntime's answer: wires with constants among them,
what resamples, what compares and chooses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import lvs, target, verify
from memxc.backends import netlist
from memxc.backends.cost import power, resources
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context
from memxc.ops.lower import lower
from memxc.passes import parse

RNG = np.random.default_rng(0)
PASSES = "calibrate,schedule,partition,tile,program,share"


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def model_of(nodes, constants, shape):
    """Nodes (operator, inputs, attributes), each reading x or the node before as "_"."""
    made, last = [], "x"
    for number, (op, inputs, attrs) in enumerate(nodes):
        names = [last if name == "_" else name for name in inputs]
        last = f"t{number}"
        made.append(helper.make_node(op, names, [last], name=f"n{number}", **attrs))
    graph = helper.make_graph(
        made,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


CASES = {
    "gather": ([("Gather", ["_", "i"], {"axis": 1}), ("Relu", ["_"], {})], {"i": ints(2, 0)}),
    "concat": ([("Concat", ["_", "c"], {"axis": 1})], {"c": random(1, 2, 4, 5)}),
    "conv behind a concat": (
        [("Concat", ["c", "_"], {"axis": 1}), ("Conv", ["_", "w"], {})],
        {"c": np.full((1, 1, 4, 5), 0.25, np.float32), "w": random(2, 4, 2, 3)},
    ),
    "pad": (
        [("Pad", ["_", "p", "v"], {}), ("Relu", ["_"], {})],
        {"p": ints(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(0.5)},
    ),
    "lowest": (
        [("Pad", ["_", "p", "v"], {}), ("MaxPool", ["_"], {"kernel_shape": [2, 3]})],
        {"p": ints(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(-1e30)},
    ),
    "where": (
        [("Where", ["m", "_", "c"], {}), ("Relu", ["_"], {})],
        {"m": random(3, 4, 5) > 0, "c": np.float32(-0.75)},
    ),
    "bilinear": ([("Resize", ["_", "", "s"], {"mode": "linear"})],
                 {"s": np.array([1, 1, 2, 3], np.float32)}),
    "bilinear without phases": ([("Resize", ["_", "", "", "z"], {"mode": "linear"})],
                                {"z": ints(1, 3, 7, 8)}),
    "bicubic": ([("Resize", ["_", "", "", "z"], {"mode": "cubic"})], {"z": ints(1, 3, 3, 7)}),
    "crop": (
        [("Resize", ["_", "r", "", "z"], {
            "mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize",
            "extrapolation_value": -0.5})],
        {"r": np.array([0, 0, -0.3, 0.2, 1, 1, 0.7, 1.4], np.float32), "z": ints(1, 3, 5, 3)},
    ),
    "crop to ground": (
        [("Resize", ["_", "r", "", "z"], {
            "mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"})],
        {"r": np.array([0, 0, -0.3, 0.2, 1, 1, 0.7, 1.4], np.float32), "z": ints(1, 3, 5, 3)},
    ),
    "nearest": ([("Resize", ["_", "", "s"], {}), ("Relu", ["_"], {})],
                {"s": np.array([1, 1, 2, 0.5], np.float32)}),
    "einsum": ([("Einsum", ["_", "w"], {"equation": "bchw,cwk->bhck"})], {"w": random(3, 5, 2)}),
    "einsum of one": ([("Einsum", ["_"], {"equation": "bchw->bw"})], {}),
    "batched matmul": ([("MatMul", ["_", "w"], {})], {"w": random(3, 5, 2)}),
    "col2im": ([("Col2Im", ["_", "i", "k"], {"strides": [1, 2], "pads": [1, 0, 0, 1]})],
               {"i": ints(4, 5), "k": ints(2, 3)}, (1, 12, 8)),
    "col2im with gaps": ([("Col2Im", ["_", "i", "k"], {"strides": [2, 3]})],
                         {"i": ints(3, 5), "k": ints(1, 2)}, (1, 6, 4)),
    "gemm": ([("Flatten", ["_"], {"axis": 3}),
              ("Gemm", ["_", "w", "b"], {"alpha": 0.5, "beta": -2.0, "transA": 1})],
             {"w": random(12, 4), "b": random(5, 4)}),
    "deconv with empty phases": (
        [("ConvTranspose", ["_", "w", "b"], {"strides": [3, 2], "pads": [0, 1, 1, 0]})],
        {"w": random(3, 2, 2, 1), "b": random(2)},
    ),
    "max pool": ([("MaxPool", ["_"], {"kernel_shape": [2, 2], "dilations": [2, 3],
                                      "pads": [1, 1, 0, 1], "strides": [2, 1]})], {}),
    "average pool": ([("AveragePool", ["_"], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1],
                                              "ceil_mode": 1, "strides": [2, 2]})], {}),
    "conv over one axis": ([("Squeeze", ["_", "a"], {}), ("Conv", ["_", "w"], {"dilations": [2]})],
                           {"a": ints(2), "w": random(2, 3, 3)}, (1, 3, 1, 7)),
    "conv over three axes": (
        [("Conv", ["_", "w", "b"], {"strides": [1, 2, 1], "pads": [1, 0, 0, 0, 1, 1]})],
        {"w": random(3, 2, 2, 3, 2), "b": random(3)}, (1, 2, 3, 4, 5),
    ),
    "matmul from the left": ([("MatMul", ["w", "_"], {})], {"w": random(1, 3, 2, 4)}),
    # Half of the lanes are exactly at the tie: behind a ReLU, a MaxPool, a converter, an amplifier.
    "mask": ([("Relu", ["_"], {}), ("Greater", ["_", "c"], {}), ("Cast", ["_"], {"to": 1})],
             {"c": np.float32(0)}),
    "not zero": ([("Relu", ["_"], {}), ("Cast", ["_"], {"to": 9}), ("Where", ["_", "x", "c"], {})],
                 {"c": np.float32(-2)}),
    "local maxima": (
        [("MaxPool", ["_"], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
         ("Equal", ["_", "x"], {}), ("Cast", ["_"], {"to": 1}), ("Mul", ["_", "x"], {})], {},
    ),
    "at one": (
        [("Round", ["_"], {}), ("Add", ["_", "c"], {}), ("LessOrEqual", ["_", "z"], {}),
         ("Where", ["_", "x", "t1"], {})],
        {"c": np.float32(-1), "z": np.float32(0)},
    ),
    "two thresholds": (
        [("Greater", ["_", "a"], {}), ("GreaterOrEqual", ["b", "x"], {}), ("Xor", ["t0", "_"], {}),
         ("Less", ["x", "d"], {}), ("And", ["t2", "_"], {}), ("Not", ["_"], {}),
         ("Or", ["_", "t3"], {}), ("Where", ["_", "x", "c"], {})],
        {"a": np.float32(-0.5), "b": np.float32(0.25), "c": random(3, 1, 5),
         "d": np.array([[0.5], [0.0], [-0.25], [1.0]], np.float32)},
    ),
    # As torch 2.13 exports F.softplus and F.threshold.
    "softplus": (
        [("Mul", ["_", "b"], {}), ("Softplus", ["_"], {}), ("Div", ["_", "b"], {}),
         ("Greater", ["t0", "c"], {}), ("Where", ["_", "x", "t2"], {})],
        {"b": np.float32(2), "c": np.float32(1)},
    ),
    "threshold": ([("LessOrEqual", ["_", "c"], {}), ("Where", ["_", "v", "x"], {})],
                  {"c": np.float32(0.1), "v": np.float32(0.5)}),
    "softplus with a way out": (
        [("Exp", ["_"], {}), ("Add", ["_", "one"], {}), ("Log", ["_"], {}),
         ("Greater", ["x", "one"], {}), ("Where", ["_", "x", "t2"], {})],
        {"one": np.float32(1)},
    ),
    "division without nan": (
        [("Relu", ["_"], {}), ("Equal", ["_", "z"], {}), ("Div", ["x", "t0"], {}),
         ("Where", ["t1", "z", "_"], {})],
        {"z": np.float32(0)},
    ),
}  # fmt: skip


def programmed(design, x, name, tile=(24, 16), signed="differential"):
    chosen = target.load(name).with_tile(*tile)
    ctx = Context(chosen, {"x": x}, signed=signed)
    for change in parse(PASSES):
        design = change.run(design, ctx).ir
        design.verify()
    return design, chosen


@pytest.mark.parametrize("case", CASES)
def test_spice_equals_onnxruntime(tmp_path, case, case_graph, ngspice):
    nodes, constants, *shape = CASES[case]
    shape = shape[0] if shape else (1, 3, 4, 5)
    x = random(3, *shape[1:])
    model = model_of(nodes, constants, shape)
    session = reference.session(model.SerializeToString())
    wanted = np.stack([session.run(None, {"x": one[None]})[0] for one in x])
    design, chosen = programmed(lower(case_graph(model, {})), x, "ideal")
    (output,) = design.outputs
    answer = evaluate.outputs(design, {"x": x})[output]
    wanted = wanted.reshape(answer.shape)
    assert answer == pytest.approx(wanted, abs=1e-5)
    top = netlist.write(design, tmp_path, "net")[0]
    assert lvs.compare(design, top).differences == ()
    for engine in ("neospice", "ngspice"):
        plan = verify.Plan(engine=engine)
        found = verify.verify(design, chosen, tmp_path, {"x": x}, {output: wanted}, plan)
        assert found.ok, found.stages
        assert found.outputs.max_rel_error < 1e-5
    bills = resources.measure(design, chosen.device.g_min, lambda stage: (24, 16))
    volts = evaluate.run(design, {"x": x})
    buses = {
        name: replace(bus, mean_square=np.square(volts[name]).mean(axis=0))
        for name, bus in design.buses.items()
    }
    found = power.measure(replace(design, buses=buses), bills, 1e-3)
    assert all(row.crossbar_w >= 0 for row in found)


@pytest.mark.parametrize("case", ["conv behind a concat", "deconv with empty phases", "crop"])
def test_with_inverted_inputs(tmp_path, case, case_graph):
    nodes, constants = CASES[case]
    x = random(2, 3, 4, 5)
    lowered = lower(case_graph(model_of(nodes, constants, (1, 3, 4, 5)), {}))
    wanted = evaluate.outputs(lowered, {"x": x})
    design, chosen = programmed(lowered, x, "ideal", signed="inverted-inputs")
    netlist.write(design, tmp_path, "net")
    found = verify.verify(design, chosen, tmp_path, {"x": x}, wanted, verify.Plan())
    assert found.ok, found.stages
    assert found.outputs.max_rel_error < 1e-6
