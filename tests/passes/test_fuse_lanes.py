"""fuse-lanes: activations as exporters write them, compared with onnxruntime, SPICE and counts.

The expected parts are those of the textbook blocks: a multiplier, a pair of two op-amps, ...
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from memxc.cli._main import _run
from memxc.evaluation import evaluate, reference
from memxc.ir.stages import Lanes, Linear
from memxc.ops.lower import load_graph, lower
from memxc.passes.fuse_lanes import FuseLanes

SHAPE = (1, 3, 2, 5)


def build(folder, lines, constants, outputs=("y",)):
    """Save a network of lines "output = Op input input ...", of float32 constants."""
    nodes = []
    for line in lines:
        output, (op, *inputs) = line.split(" = ")[0], line.split(" = ")[1].split()
        nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{output}"))
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.array(v, np.float32), n) for n, v in constants.items()],
    )  # fmt: skip
    path = folder / "net.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def fused(path):
    """Return the lowered design, and the same after the pass; both give onnxruntime's answers."""
    before = lower(load_graph(path))
    after = FuseLanes().run(before, None).ir
    after.verify()
    inputs = {"x": np.random.default_rng(3).normal(0, 3, SHAPE)}
    whole = evaluate.outputs(before, inputs)
    for name, want in reference.run(path, {"x": inputs["x"].astype(np.float32)}).items():
        found = evaluate.outputs(after, inputs)[name]
        np.testing.assert_allclose(found, whole[name], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
    return before, after


HARD_SWISH = ["a = Add x three", "c = Clip a zero six", "m = Mul x c", "y = Div m six"]
SILU = ["s = Sigmoid x", "y = Mul s x"]
GELU = ["d = Div x root", "e = Erf d", "a = Add e one", "m = Mul x a", "y = Mul m half"]
GELU_BY_TANH = [
    "p = Pow x three", "q = Mul p bend", "r = Add x q", "s = Mul r slope", "t = Tanh s",
    "u = Add t one", "v = Mul x u", "y = Mul half v",
]  # fmt: skip
CONSTANTS = {
    "three": 3, "zero": 0, "six": 6, "root": 2**0.5, "one": 1, "half": 0.5, "bend": 0.044715,
    "slope": 0.7978846,
}  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "opamps", "diodes", "multipliers"),
    [
        (HARD_SWISH, 2, 4, 1),  # two limiters and a product
        (SILU, 2, 0, 1),  # a pair and a product
        (GELU, 2, 0, 1),
        (GELU_BY_TANH, 4, 0, 3),  # two products for the cube, an adder, a pair, a product
    ],
)
def test_a_written_out_activation_is_one_lane(tmp_path, lines, opamps, diodes, multipliers):
    read = {word for line in lines for word in line.split()}
    used = {name: value for name, value in CONSTANTS.items() if name in read}
    before, after = fused(build(tmp_path, lines, used))
    (lane,) = after.stages
    assert len(before.stages) > 1
    assert isinstance(lane, Lanes)
    assert lane.srcs == ("x",)
    circuit = lane.circuit
    assert (circuit.opamps, circuit.diodes, circuit.multipliers) == (opamps, diodes, multipliers)


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        # A limiter takes a constant on both sides, also one that turns it over.
        (["a = Mul x bend", "c = Clip a zero six", "d = Mul c minus", "y = Add d one"], "L"),
        # An exponential has no summing node in front, and a logarithm none behind.
        (["a = Mul x half", "e = Exp a", "y = Mul e half"], "CL"),
        (["s = Sigmoid x", "l = Log s", "y = Mul l half"], "LLC"),
        # A maximum of two signals has no summing node, a product has one.
        (["r = Relu x", "m = Max x r", "y = Mul m half"], "LLC"),
        (["r = Relu x", "n = Neg x", "m = Mul r n", "y = Mul m half"], "L"),
        (["r = Relu x", "y = Sub x r"], "L"),
        # A signal that is read twice stays.
        (["s = Sigmoid x", "z = Mul s half", "y = Mul s x"], "LCL"),
    ],
)
def test_a_constant_goes_where_the_lane_has_a_summing_node(tmp_path, lines, kinds):
    constants = CONSTANTS | {"minus": -1}
    read = {word for line in lines for word in line.split()}
    used = {name: value for name, value in constants.items() if name in read}
    outputs = ("y", "z") if any(line.startswith("z") for line in lines) else ("y",)
    _, after = fused(build(tmp_path, lines, used, outputs))
    found = ["C" if isinstance(stage, Linear) else "L" for stage in after.stages]
    assert "".join(found) == kinds


def test_gains_that_differ_stay_a_stage(tmp_path):
    lines = ["m = Mul x each", "y = Sigmoid m"]
    _, after = fused(build(tmp_path, lines, {"each": np.array([1, 2, 3]).reshape(1, 3, 1, 1)}))
    assert [type(stage) for stage in after.stages] == [Linear, Lanes]


def test_a_network_with_all_of_them_in_spice(tmp_path, ngspice, capsys):
    lines = [
        "h0 = Conv x kernel bias", "a = Add h0 three", "c = Clip a zero six", "m = Mul h0 c",
        "h1 = Div m six", "h2 = Conv h1 kernel", "s = Sigmoid h2", "h3 = Mul h2 s",
        "h4 = Conv h3 kernel", "d = Div h4 root", "e = Erf d", "a1 = Add e one",
        "m1 = Mul h4 a1", "y = Mul m1 half",
    ]  # fmt: skip
    rng = np.random.default_rng(5)
    kernel = {"kernel": rng.normal(0, 0.6, (3, 3, 1, 1)), "bias": rng.normal(0, 0.6, 3)}
    constants = {n: v for n, v in CONSTANTS.items() if n not in ("bend", "slope")}
    path = build(tmp_path, lines, constants | kernel)
    assert _run(["compile", str(path), "-o", str(tmp_path / "out"), "--target", "ideal"]) == 0
    assert _run(["verify", str(tmp_path / "out")]) == 0
    assert _run(["lvs", str(tmp_path / "out")]) == 0
    assert "6 of 6 stages" in capsys.readouterr().out
