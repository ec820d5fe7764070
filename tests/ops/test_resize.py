"""Resize and Upsample against onnxruntime and ONNX's reference, on sizes drawn at random."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from memxc.errors import MemxcError
from memxc.ir.stages import Linear, Wires
from memxc.lower import lower

X = np.random.default_rng(0).normal(size=(1, 2, 4, 5)).astype(np.float32)
TRANSFORMS = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners",
              "half_pixel_symmetric")  # fmt: skip
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)


def model_of(x, op="Resize", opset=19, *, roi=None, scales=None, sizes=None, **attrs):
    """A model of one node, and its inputs that are no signal."""
    given = {
        "roi": None if roi is None else np.array(roi, np.float32),
        "scales": None if scales is None else np.array(scales, np.float32),
        "sizes": None if sizes is None else np.array(sizes, np.int64),
    }
    names = [name if value is not None else "" for name, value in given.items()]
    names = names[1:2] if opset < 11 else names
    while names and not names[-1]:
        names.pop()
    constants = {name: value for name, value in given.items() if value is not None}
    node = helper.make_node(op, ["x", *names], ["y"], name="the_node", **attrs)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    for name, value in constants.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        inputs.append(helper.make_tensor_value_info(name, kind, value.shape))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "one", inputs, [output])
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), constants


@pytest.fixture(scope="session")
def check(case_graph, case_run, case_error):
    """One node against onnxruntime, and ONNX's reference where asked for; gives its stages."""

    def compare(x, *args, oracles=("onnxruntime",), bound=1e-5, **options):
        model, constants = model_of(x, *args, **options)
        graph = case_graph(model, constants)
        found = case_run(graph, {"x": x})["y"]
        for oracle in oracles:
            if oracle == "onnxruntime":
                session = onnxruntime.InferenceSession(
                    model.SerializeToString(), providers=["CPUExecutionProvider"]
                )
                wanted = session.run(None, {"x": x, **constants})[0]
            else:
                wanted = ReferenceEvaluator(model).run(None, {"x": x, **constants})[0]
            assert found.shape == wanted.shape, oracle
            assert case_error(found, wanted) < bound, oracle
        return [stage for stage in lower(graph).stages]

    return compare


side = st.integers(1, 9)
SIDES = st.tuples(side, side, side, side)


def drawn(sides):
    height, width, high, wide = sides
    x = np.random.default_rng(sum(sides)).normal(size=(1, 2, height, width)).astype(np.float32)
    return x, (1, 2, high, wide)


@SETTINGS
@given(SIDES, st.sampled_from(TRANSFORMS), st.sampled_from(ROUNDINGS))
def test_nearest_is_wires(check, sides, transform, rounding):
    x, sizes = drawn(sides)
    attrs = {"coordinate_transformation_mode": transform, "nearest_mode": rounding}
    (stage,) = check(x, sizes=sizes, mode="nearest", **attrs)
    assert isinstance(stage, Wires)


@SETTINGS
@given(SIDES, st.sampled_from(TRANSFORMS))
def test_linear(check, sides, transform):
    x, sizes = drawn(sides)
    check(x, sizes=sizes, mode="linear", coordinate_transformation_mode=transform)


@SETTINGS
@given(SIDES, st.sampled_from(TRANSFORMS), st.integers(0, 1), st.sampled_from([-0.75, -0.5]))
def test_cubic(check, sides, transform, exclude, a):
    x, sizes = drawn(sides)
    attrs = {"coordinate_transformation_mode": transform, "exclude_outside": exclude}
    check(x, sizes=sizes, mode="cubic", cubic_coeff_a=a, bound=3e-5, **attrs)


@SETTINGS
@given(SIDES, st.sampled_from(TRANSFORMS), st.sampled_from(["linear", "cubic"]), st.integers(0, 1))
def test_antialias(check, sides, transform, mode, exclude):
    x, sizes = drawn(sides)
    attrs = {"coordinate_transformation_mode": transform, "exclude_outside": exclude}
    check(x, sizes=sizes, mode=mode, antialias=1, **attrs)
