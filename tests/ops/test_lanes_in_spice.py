"""Every circuit of lane functions and reductions, through both engines to onnxruntime's answer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import lvs, target, verify
from memxc.backends import netlist
from memxc.backends.cost import resources
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context
from memxc.ops.lower import lower
from memxc.passes import parse

PASSES = "calibrate,schedule,partition,tile,program,share"
SHAPE = (2, 3, 4)
AXIS = np.array([3], np.int64)


def random(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).uniform(-2, 2, shape).astype(np.float32)


SLOPES, OTHER = random(2, 1, 1), random(3, 1)
LEVELS = np.array([[0.5], [0.0], [-0.25]], np.float32)

#: Operator, its inputs ("x" and "z" are signals, arrays constants), attributes, opset, and what the
#: lanes in their order are made of: (circuit, op-amps, diodes, multipliers) of one lane.
CASES = [
    ("Abs", ["x"], {}, 13, [("abs", 2, 2, 0)]),
    ("Sign", ["x"], {}, 13, [("sign", 1, 2, 0)]),
    ("Floor", ["x"], {}, 13, [("floor", 0, 0, 0)]),
    ("Ceil", ["x"], {}, 13, [("ceil", 0, 0, 0)]),
    ("Round", ["x"], {}, 13, [("round", 0, 0, 0)]),
    ("ThresholdedRelu", ["x"], {"alpha": 0.75}, 13, [("thresholded_relu", 1, 2, 1)]),
    ("Shrink", ["x"], {"bias": 0.5, "lambd": 0.5}, 13, [("soft_shrink", 4, 4, 0)]),
    ("Shrink", ["x"], {"bias": 0.25, "lambd": 0.5}, 13, [("hard_shrink", 4, 4, 2)]),
    ("LeakyRelu", ["x"], {"alpha": 0.125}, 13, [("leaky_relu", 2, 4, 0)]),
    ("PRelu", ["x", np.full((3, 1), 0.25, np.float32)], {}, 13, [("leaky_relu", 2, 4, 0)]),
    ("PRelu", ["x", SLOPES], {}, 13, [("rectifier", 1, 2, 0), ("rectifier", 1, 2, 0)]),
    ("PRelu", ["x", OTHER], {}, 13, [("rectifier", 1, 2, 0), ("rectifier", 1, 2, 0)]),
    ("PRelu", ["x", "z"], {}, 13, [("prelu", 4, 4, 1)]),
    ("Exp", ["x"], {}, 13, [("exp", 1, 1, 0)]),
    ("Log", ["z"], {}, 13, [("log", 1, 1, 0)]),
    ("Sqrt", ["z"], {}, 13, [("sqrt", 1, 1, 1)]),
    ("Reciprocal", ["z"], {}, 13, [("inverse_power", 1, 0, 1)]),
    ("Pow", ["x", np.float32(2)], {}, 13, [("square", 0, 0, 1)]),
    ("Pow", ["x", np.full((1, 1), 5, np.int64)], {}, 13, [("whole_power", 0, 0, 4)]),
    ("Pow", ["x", np.float32(-3)], {}, 13, [("inverse_power", 1, 0, 3)]),
    ("Pow", ["z", np.float32(0.3)], {}, 13, [("power", 2, 2, 0)]),
    ("Pow", ["z", np.float32(-1.7)], {}, 13, [("power", 2, 2, 0)]),
    ("Erf", ["x"], {}, 13, [("erf", 2, 0, 0)]),
    ("Softplus", ["x"], {}, 13, [("softplus", 2, 2, 0)]),
    ("Softsign", ["x"], {}, 13, [("softsign", 3, 2, 1)]),
    ("Swish", ["x"], {"alpha": 1.5}, 24, [("swish", 2, 0, 1)]),
    ("Mish", ["x"], {}, 18, [("mish", 4, 2, 1)]),
    ("Gelu", ["x"], {}, 20, [("gelu", 2, 0, 1)]),
    ("Gelu", ["x"], {"approximate": "tanh"}, 20, [("gelu_by_tanh", 4, 0, 3)]),
    ("Elu", ["x"], {"alpha": 0.75}, 13, [("elu", 5, 5, 0)]),
    ("Celu", ["x"], {"alpha": 0.75}, 13, [("celu", 5, 5, 0)]),
    ("Selu", ["x"], {}, 13, [("selu", 5, 5, 0)]),
    ("Div", ["x", "z"], {}, 13, [("div", 1, 0, 1)]),
    ("Div", [OTHER, "z"], {}, 13, [("div", 1, 0, 1)]),
    ("Sum", ["x", "z", np.float32(0.5), OTHER], {}, 13, [("add", 2, 0, 0)]),
    ("Mean", ["x", "z", np.float32(0.5)], {}, 13, [("mean", 2, 0, 0)]),
    ("Max", ["x", "z"], {}, 13, [("max", 2, 2, 0)]),
    ("Max", ["x", "z", LEVELS], {}, 13, [("max", 3, 3, 0)]),
    ("Min", ["x", LEVELS], {}, 13, [("min", 2, 2, 0)]),
    ("Min", ["x", np.float32(0.5)], {}, 13, [("min", 2, 2, 0)]),
    ("ReduceSum", ["x", AXIS], {}, 18, []),
    ("ReduceMax", ["x", AXIS], {}, 18, [("max", 4, 4, 0)]),
    ("ReduceMin", ["x", AXIS], {"keepdims": 0}, 18, [("min", 4, 4, 0)]),
    ("ReduceProd", ["x", AXIS], {}, 18, [("product", 0, 0, 3)]),
    ("ReduceL1", ["x", AXIS], {}, 18, [("abs", 2, 2, 0)]),
    ("ReduceL2", ["x", AXIS], {}, 18, [("square", 0, 0, 1), ("sqrt", 1, 1, 1)]),
    ("ReduceSumSquare", ["x", AXIS], {"keepdims": 0}, 18, [("square", 0, 0, 1)]),
    ("ReduceLogSum", ["z", AXIS], {}, 18, [("log", 1, 1, 0)]),
    (
        "ReduceLogSumExp",
        ["x", AXIS],
        {},
        18,
        [("max", 4, 4, 0), ("exponential_below", 2, 1, 0), ("logarithm_above", 3, 1, 0)],
    ),
    ("Einsum", ["x", "z"], {"equation": "abij,abkj->abik"}, 13, [("mul", 0, 0, 1)]),
    (
        "LayerNormalization",
        ["x", random(3, 4, seed=2), random(3, 4, seed=3)],
        {"axis": -2},
        17,
        [("sub", 1, 0, 0), ("square", 0, 0, 1), ("sqrt", 1, 1, 1), ("div", 1, 0, 1)],
    ),
    (
        "InstanceNormalization",
        ["x", random(2, seed=2), random(2, seed=3)],
        {},
        13,
        [("sub", 1, 0, 0), ("square", 0, 0, 1), ("sqrt", 1, 1, 1), ("div", 1, 0, 1)],
    ),
    (
        "LpNormalization",
        ["x"],
        {"axis": 2, "p": 1},
        13,
        [("abs", 2, 2, 0), ("div", 1, 0, 1)],
    ),
    ("GlobalLpPool", ["x"], {"p": 3}, 13, [("odd_power", 2, 2, 2), ("power", 2, 2, 0)]),
    (
        "LpPool",
        ["x"],
        {"p": 2, "kernel_shape": [3, 2], "pads": [1, 0, 0, 1]},
        13,
        [("square", 0, 0, 1), ("sqrt", 1, 1, 1)],
    ),
    (
        "LRN",
        ["x"],
        {"size": 3, "alpha": 1.5, "beta": 0.6, "bias": 0.5},
        13,
        [("square", 0, 0, 1), ("lrn", 4, 2, 1)],
    ),
]


def named(case):
    op, inputs, attrs, *_ = case
    words = [str(getattr(i, "shape", i)) for i in inputs]
    return f"{op}({', '.join(words)}) {attrs or ''}".strip()


def model_of(op, inputs, attrs, opset):
    """A node behind signals x and z, which is positive; the arrays are initialisers."""
    names = [name if isinstance(name, str) else f"c{i}" for i, name in enumerate(inputs)]
    signals = [name for name in names if name in ("x", "z")]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], name="node", **attrs)],
        "net",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, *SHAPE)) for n in signals],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(v), n)
            for n, v in zip(names, inputs, strict=True)
            if n not in signals
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), signals


@pytest.fixture(scope="module", params=CASES, ids=named)
def programmed(request, case_graph, tmp_path_factory):
    """A case lowered and programmed, its netlist, its samples and onnxruntime's answers."""
    op, inputs, attrs, opset, lanes = request.param
    if opset > onnx.defs.onnx_opset_version():
        pytest.skip(f"onnx {onnx.__version__} has no opset {opset}")
    model, signals = model_of(op, inputs, attrs, opset)
    session = reference.session(model.SerializeToString())
    x = {"x": random(3, *SHAPE), "z": np.abs(random(3, *SHAPE, seed=1)) + np.float32(0.125)}
    x = {name: x[name] for name in signals}
    one_by_one = ({name: v[k : k + 1] for name, v in x.items()} for k in range(3))
    wanted = np.concatenate([session.run(None, one)[0] for one in one_by_one])
    chosen = target.load("ideal").with_tile(24, 16)
    design, ctx = lower(case_graph(model, {})), Context(chosen, x)
    for change in parse(PASSES):
        design = change.run(design, ctx).ir
        design.verify()
    top = netlist.write(design, tmp_path_factory.mktemp("case"), "net")[0]
    return SimpleNamespace(
        design=design, target=chosen, top=top, x=x, wanted={"y": wanted}, lanes=lanes
    )


def test_the_design_equals_onnxruntime(programmed):
    found = evaluate.outputs(programmed.design, programmed.x)["y"]
    assert found == pytest.approx(programmed.wanted["y"], rel=2e-5, abs=1e-5)


def test_the_netlist_read_back_is_the_design(programmed):
    assert lvs.compare(programmed.design, programmed.top).differences == ()


@pytest.mark.spice
@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
def test_spice_equals_the_design(programmed, engine, ngspice):
    plan = verify.Plan(engine=engine)
    found = verify.verify(
        programmed.design, programmed.target, programmed.top.parent, programmed.x,
        programmed.wanted, plan,
    )  # fmt: skip
    assert found.ok, found.stages
    assert found.outputs.max_rel_error < 1e-5


def test_each_function_is_counted_by_its_parts(programmed):
    stages = [stage for stage in programmed.design.stages if hasattr(stage, "circuit")]
    found = [stage.circuit for stage in stages]
    assert [(c.name, c.opamps, c.diodes, c.multipliers) for c in found] == programmed.lanes
    g_min = programmed.target.device.g_min
    bills = resources.measure(programmed.design, g_min, lambda stage: (24, 16))
    for stage, circuit in zip(stages, found, strict=True):
        (bill,) = [bill for bill in bills if bill.stage == stage.name]
        assert bill.resources.diodes == circuit.diodes * programmed.design.buses[stage.dst].width
        assert bill.resources.converters == 2 * (circuit.name in ("floor", "ceil", "round")) * 24
