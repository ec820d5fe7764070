"""Pad against onnxruntime, in the modes and opsets that write it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from memxc.errors import MemxcError
from memxc.evaluation import reference
from memxc.ir.stages import Linear, Rename
from memxc.ops.lower import lower

X = np.random.default_rng(0).normal(size=(1, 2, 4, 5)).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_as_an_attribute_or_an_input(check_node, mode):
    pads = [0, 1, 2, 0, 0, 0, 1, 3]
    pads = [0, *pads[1:]] if mode != "reflect" else [0, 0, 2, 0, 0, 1, 1, 3]
    check_node("Pad", {"x": X}, opset=10, pads=pads, mode=mode)
    check_node("Pad", {"x": X, "pads": ints(*pads)}, ["pads"], 13, mode=mode)


def test_wrap(check_node):
    check_node("Pad", {"x": X, "pads": ints(0, 1, 3, 0, 0, 0, 1, 4)}, ["pads"], 19, mode="wrap")


def test_some_axes_and_negative_pads(check_node):
    inputs = {
        "x": X,
        "pads": ints(-1, 2, -2, -1),
        "value": np.float32(0),
        "axes": ints(-1, 2),
    }
    graph = check_node("Pad", inputs, list(inputs)[1:], 18)
    (stage,) = lower(graph).stages
    assert sorted(set(stage.index.tolist()))[0] == -1


@pytest.mark.parametrize(
    ("weights", "attrs", "words"),
    [
        ({"pads": ints(0, 1, 0, 1), "value": np.float32(-1e30)}, {}, "the network's output reads"),
        ({"pads": ints(0, 1, 0, 1), "value": np.float32(1e30)}, {}, "holds the number 1e+30"),
        ({"pads": ints(0, 1, 1)}, {}, "has to be 4 numbers"),
        ({"pads": ints(0, 1, 0, 1)}, {"mode": "mirror"}, "mirror"),
        ({"pads": ints(1, 1, 0, 1)}, {"mode": "reflect"}, "needs a map"),
    ],
)
def test_what_has_no_wires_is_refused(weights, attrs, words, hand_graph, faults_of):
    graph = hand_graph("Pad", {"x": (1, 3)}, weights, {"y": (1, 5)}, attrs)
    (fault,) = faults_of(graph)
    assert words in fault.what


@pytest.mark.parametrize("value", [0.5, -3.0])
def test_another_constant_is_one_held_voltage(check_node, value):
    graph = check_node("Pad", {"x": X}, opset=10, pads=[0, 1, 2, 0, 0, 0, -1, 3], value=value)
    inputs = {"x": X, "pads": ints(0, 1, 2, 0, 0, 0, -1, 3), "value": np.float32(value)}
    graph = check_node("Pad", inputs, ["pads", "value"], 13)
    (held,) = [stage for stage in lower(graph).stages if isinstance(stage, Linear)]
    assert [(k.rows, k.columns, k.places) for k in held.kernels] == [(0, 1, 1)]


def pooled(pads, value, pools, x):
    """A Pad in front of MaxPools that all read it."""
    nodes = [helper.make_node("Pad", ["x", "p", "v"], ["m"], name="border")]
    nodes += [
        helper.make_node("MaxPool", ["m"], [f"y{i}"], name=f"pool{i}", **attrs)
        for i, attrs in enumerate(pools)
    ]
    outputs = [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, None)
               for i in range(len(pools))]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "pools",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        outputs,
        [numpy_helper.from_array(ints(*pads), "p"), numpy_helper.from_array(value, "v")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 7)),
    pads=st.tuples(*[st.integers(-1, 3)] * 4),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    value=st.sampled_from([-np.inf, -1e30, np.finfo(np.float32).min, -65504.0]),
)
def test_minus_infinity_in_front_of_a_max_pool(
    case_graph, case_run, case_error, size, pads, kernel, stride, dilation, value
):
    x = (np.random.default_rng(sum(size)).normal(size=(1, 2, *size)) - 5).astype(np.float32)
    attrs = {"kernel_shape": kernel, "strides": stride, "dilations": dilation}
    whole = [0, 0, *pads[:2], 0, 0, *pads[2:]]
    room = [n + b + e for n, b, e in zip(size, pads[:2], pads[2:], strict=True)]
    cut = [n + min(b, 0) + min(e, 0) for n, b, e in zip(size, pads[:2], pads[2:], strict=True)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    assume(min(cut) > 0 and all(n >= k for n, k in zip(room, reach, strict=True)))
    model = pooled(whole, np.float32(value), [attrs], x)
    wanted = reference.session(model.SerializeToString()).run(None, {"x": x})[0]
    graph = case_graph(model, {})
    if wanted.min() <= -65504:
        with pytest.raises(MemxcError, match="lies wholly in the border"):
            case_run(graph, {"x": x})
        return
    assert case_error(case_run(graph, {"x": x})["y0"], wanted) < 1e-6


def test_two_pools_behind_one_border(case_graph, case_run):
    attrs = {"kernel_shape": [3, 2]}
    pools = [attrs | {"dilations": [1, 2]}, attrs | {"dilations": [1, 2], "strides": [2, 1]}]
    pads, value = [0, 0, 1, 2, 0, 0, 1, 2], np.float32(-np.inf)
    model = pooled(pads, value, pools, X)
    wanted = reference.session(model.SerializeToString()).run(None, {"x": X})
    found = case_run(case_graph(model, {}), {"x": X})
    assert all(np.allclose(found[f"y{i}"], wanted[i]) for i in range(2))
    for pool in ({"kernel_shape": [3, 3]}, {"kernel_shape": [3, 3], "dilations": [2, 2]}):
        model = pooled(pads, value, [pools[0], pool], X)
        with pytest.raises(MemxcError, match="different dilations"):
            case_run(case_graph(model, {}), {"x": X})


@pytest.mark.parametrize(
    ("pads", "words"),
    [([0, 1, 0, 0, 0, 0, 0, 0], "around channels"), ([0, 0, 2, 0, 0, 0, 0, 0], "wholly in")],
)
def test_a_border_that_a_max_pool_could_choose_is_refused(case_graph, case_run, pads, words):
    model = pooled(pads, np.float32(-1e30), [{"kernel_shape": [2, 1]}], X)
    with pytest.raises(MemxcError, match=words):
        case_run(case_graph(model, {}), {"x": X})


def test_a_border_of_no_width_is_none(check_node):
    """Whatever would have stood in it, and whoever reads it."""
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    inputs = {"x": x, "p": np.zeros(6, np.int64), "v": np.float32(-np.inf)}
    (stage,) = lower(check_node("Pad", inputs, ["p", "v"])).stages
    assert isinstance(stage, Rename)
