"""What operators declare of themselves, each claim against onnxruntime or ONNX's own reference."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from memxc import ops
from memxc.evaluation import reference
from memxc.ir.stages import Lanes
from memxc.ops.lower import lower

#: As many channels as axes, so that a setting of one number an axis is not taken for one a channel.
SHAPE = (1, 4, 6, 5)
RNG = np.random.default_rng(3)
X, Z = (RNG.normal(size=SHAPE).astype(np.float32) for _ in range(2))
EACH = RNG.normal(size=(4, 1, 1)).astype(np.float32)
BOOLS = X > 0, Z > 0.3
SCALES = np.array([1, 1, 2, 3], np.float32)

TWO = ("Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "PRelu")
COMPARED = ("Greater", "Less", "GreaterOrEqual", "LessOrEqual")
#: (inputs, attributes): the first input is a signal, and so are others in the signal's shape.
CASES = {
    **{op: [([X, Z], {}), ([X, EACH], {})] for op in (*TWO, *COMPARED)},
    "Equal": [([X, np.where(Z > 0, X, Z)], {}), ([np.where(Z > 0, EACH, X), EACH], {})],
    **{op: [([*BOOLS], {}), ([BOOLS[0], EACH > 0], {})] for op in ("And", "Or", "Xor")},
    "Not": [([BOOLS[0]], {})],
    "Where": [([BOOLS[0], X, Z], {}), ([BOOLS[0], X, EACH], {})],
    "Pow": [([np.abs(X), np.float32(1.5)], {}), ([X, np.full((4, 1, 1), 2, np.float32)], {})],
    "BatchNormalization": [([X, *RNG.uniform(1, 2, size=(4, 4)).astype(np.float32)], {})],
    "Clip": [([X, np.float32(-0.5), np.float32(1.0)], {})],
    "Cast": [([7 * X], {"to": TensorProto.INT8})],
    "CastLike": [([X > 0, np.zeros(4, np.float32)], {})],
    "QuantizeLinear": [([X, np.float32(0.1), np.uint8(9)], {})],
    "DequantizeLinear": [([(9 * X).astype(np.int8), np.float32(0.1)], {})],
    "MaxPool": [([X], {"kernel_shape": (3, 2)})],
    "AveragePool": [([X], {"kernel_shape": (3, 2), "pads": (1, 0, 1, 1)})],
    "LpPool": [([X], {"kernel_shape": (3, 2)})],
    "Resize": [([X, np.zeros(0, np.float32), SCALES], {"mode": "linear"})],
    "Upsample": [([X, SCALES], {})],
    "CumSum": [([X, np.int64(-1)], {})],
    "Pad": [([X, np.array([0, 0, 1, 0, 0, 0, 2, 1]), np.float32(0.5)], {})],
    "Log": [([np.abs(X)], {})],
    "Sqrt": [([np.abs(X)], {})],
    "ReduceLogSum": [([np.abs(X)], {"axes": (2, 3)})],
    "ReduceSum": [([X, np.array([2, 3])], {"keepdims": 0})],
}
#: Nodes of these operators that do not work on each channel alone.
OTHERS = {
    "ReduceMean": [([X], {"axes": (1, 2)})],
    "ReduceMax": [([X], {})],
    "CumSum": [([X, np.int64(1)], {})],
    "QuantizeLinear": [([X, np.float32([0.1, 0.2, 0.3, 0.4])], {"axis": 1})],
    "DequantizeLinear": [([(9 * X).astype(np.int8), np.float32([0.1, 0.2, 0.3, 0.4])], {})],
    "Resize": [([X, np.zeros(0, np.float32), np.zeros(0, np.float32), np.array([1, 4, 3, 7])], {})],
    "Pad": [
        ([X, np.array([0, 1, 1, 0, 0, 0, 2, 1])], {}),
        ([X, np.array([0, 0, 1, 0, 0, 0, 2, 1]), np.float32(-np.inf)], {}),
    ],
}
OPSETS = {"Upsample": 9, "Mish": 18, "Gelu": 20, "Swish": 24}


def cases(op):
    reduced = [([X], {"axes": (2, 3)}), ([X], {"axes": (-1,), "keepdims": 0})]
    return CASES.get(op, reduced if op.startswith("Reduce") else [([X], {})])


def model(op, inputs, attrs):
    values = dict(zip("abcdefgh", inputs, strict=False))
    node = helper.make_node(
        op, [n if np.size(v) else "" for n, v in values.items()], ["y"], **attrs
    )
    types = {n: helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype) for n, v in values.items()}
    graph = helper.make_graph(
        [node], "one",
        [helper.make_tensor_value_info(n, types[n], np.shape(v)) for n, v in values.items()],
        [onnx.ValueInfoProto(name="y")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", OPSETS.get(op, 17))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), values


def answer(op, inputs, attrs):
    """What onnxruntime makes of a node; of one that is too new for it, ONNX's reference."""
    made, values = model(op, inputs, attrs)
    fed = {name: np.asarray(value) for name, value in values.items()}
    if OPSETS.get(op, 0) > 20:
        return ReferenceEvaluator(made).run(None, fed)[0]
    made = onnx.shape_inference.infer_shapes(made)
    return reference.session(made.SerializeToString()).run(None, fed)[0]


def graph_of(op, inputs, attrs, to_graph):
    """The node in a Graph, in which every input of the signal's shape is a signal."""
    made, values = model(op, inputs, attrs)
    return to_graph(made, {n: np.asarray(v) for n, v in values.items() if np.shape(v) != SHAPE})


def cut(inputs, keep, further):
    """The inputs of fewer channels, as the trait says that they are to be cut."""
    for number, value in enumerate(inputs):
        shape = np.shape(value)
        if shape == SHAPE:
            yield value[:, keep]
        elif number and further == "vectors":
            yield value[keep]
        else:
            yield value[keep] if further == "operands" and shape == (4, 1, 1) else value


CHANNELWISE = [name for name, column in ops.available().items() if column.channelwise]


@pytest.mark.parametrize("op", CHANNELWISE)
def test_a_channelwise_operator_gives_each_channel_alone(op, case_graph):
    for inputs, attrs in cases(op):
        graph = graph_of(op, inputs, attrs, case_graph)
        trait = ops.channelwise(graph.nodes[0], graph)
        assert trait is not None
        whole = answer(op, inputs, attrs)
        assert len(np.unique(whole)) > 1, "an output that says nothing"
        for keep in ([1], [0, 2, 3]):
            part = answer(op, list(cut(inputs, keep, trait.further)), attrs)
            np.testing.assert_allclose(part, whole[:, keep], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", OTHERS)
def test_a_node_that_mixes_channels_or_counts_them_is_not_channelwise(op, case_graph):
    for inputs, attrs in OTHERS[op]:
        graph = graph_of(op, inputs, attrs, case_graph)
        assert ops.channelwise(graph.nodes[0], graph) is None


@pytest.mark.parametrize("op", ["Softmax", "LRN", "DepthToSpace", "Transpose", "Concat", "Conv"])
def test_an_operator_that_mixes_channels_claims_nothing(op):
    assert ops.column(op).channelwise is None


ABSORBING = [name for name, column in ops.available().items() if column.zero_absorbs]


def test_the_claims_are_these():
    """An operator that lost its claim would leave the tests of claims in silence."""
    assert set(ABSORBING) == {"And", "Mul"}
    assert {n for n, column in ops.available().items() if column.keeps_order} == set(ORDERED)
    assert {"Add", "AveragePool", "BatchNormalization", "MaxPool", "Relu", "Where"} < set(
        CHANNELWISE
    )
    assert len(CHANNELWISE) == 75


@pytest.mark.parametrize("op", ABSORBING)
def test_a_zero_absorbs_the_other_signal(op):
    ((one, other), _), *_ = cases(op)
    for inputs in ((np.zeros_like(one), other), (one, np.zeros_like(other))):
        assert not answer(op, inputs, {}).any()


ORDERED = {
    "Flatten": ([X], {"axis": 2}), "Reshape": ([X, np.array([3, 1, 40])], {}),
    "Squeeze": ([X, np.array([0])], {}), "Unsqueeze": ([X, np.array([1])], {}),
}  # fmt: skip


@pytest.mark.parametrize("op", [n for n, column in ops.available().items() if column.keeps_order])
def test_the_order_of_elements_is_kept(op):
    found = answer(op, *ORDERED[op])
    assert found.shape != SHAPE
    assert np.array_equal(found.reshape(-1), X.reshape(-1))


def lane_stage(op, inputs, attrs, to_graph):
    (stage,) = lower(graph_of(op, inputs, attrs, to_graph)).stages
    return stage if isinstance(stage, Lanes) else None


RECTIFYING = {
    "Relu": {}, "Clip": {"min": 0.0, "max": 6.0}, "ThresholdedRelu": {"alpha": 0.5},
    "LeakyRelu": {"alpha": 0.0},
}  # fmt: skip
BENT = {
    "Clip": {"min": -1.0, "max": 6.0}, "ThresholdedRelu": {"alpha": -0.5}, "LeakyRelu": {},
    **{op: {} for op in ("HardSwish", "Elu", "Mish", "Gelu", "Softplus", "Sigmoid", "Abs", "Neg")},
}  # fmt: skip


@pytest.mark.parametrize(
    ("op", "attrs", "claim"),
    [(op, attrs, True) for op, attrs in RECTIFYING.items()]
    + [(op, attrs, False) for op, attrs in BENT.items()],
)
def test_what_rectifies_is_0_for_all_that_is_not_above_0(op, attrs, claim, case_graph):
    below = -np.abs(X)
    inputs = [below, *map(np.float32, attrs.values())] if op == "Clip" else [below]
    attrs = {} if op == "Clip" else attrs
    assert lane_stage(op, inputs, attrs, case_graph).rectifies == claim
    assert answer(op, inputs, attrs).any() != claim


ON_LANES = [
    "Relu",
    "Abs",
    "Neg",
    "LeakyRelu",
    "Max",
    "Min",
    "MaxPool",
    "GlobalMaxPool",
    "ReduceMax",
]


@pytest.mark.parametrize("op", ON_LANES)
def test_what_keeps_the_scale_is_never_larger_than_its_inputs(op, case_graph):
    inputs, attrs = cases(op)[0]
    assert lane_stage(op, inputs, attrs, case_graph).keeps_scale
    assert np.abs(answer(op, inputs, attrs)).max() <= max(np.abs(part).max() for part in inputs)


@pytest.mark.parametrize(("op", "attrs"), [("LeakyRelu", {"alpha": 2.0}), ("Exp", {}), ("Add", {})])
def test_what_can_be_larger_than_its_inputs_does_not_keep_the_scale(op, attrs, case_graph):
    inputs, _ = cases(op)[0]
    assert not lane_stage(op, inputs, attrs, case_graph).keeps_scale
    assert np.abs(answer(op, inputs, attrs)).max() > max(np.abs(part).max() for part in inputs)
