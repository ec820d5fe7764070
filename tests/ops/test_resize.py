"""Resize and Upsample against onnxruntime and ONNX's reference, on sizes drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from memxc.errors import MemxcError
from memxc.evaluation import reference
from memxc.ir.stages import Linear, Rename
from memxc.ops.lower import lower

X = np.random.default_rng(0).normal(size=(1, 2, 4, 5)).astype(np.float32)
TRANSFORMS = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners",
              "half_pixel_symmetric")  # fmt: skip
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


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
                session = reference.session(model.SerializeToString())
                wanted = session.run(None, {"x": x, **constants})[0]
            else:
                wanted = ReferenceEvaluator(model).run(None, {"x": x, **constants})[0]
            assert found.shape == wanted.shape, oracle
            assert case_error(found, wanted) < bound, oracle
        return list(lower(graph).stages)

    return compare


side = st.integers(1, 9)
SIDES = st.tuples(side, side, side, side)


def drawn(sides):
    height, width, high, wide = sides
    x = np.random.default_rng(sum(sides)).normal(size=(1, 2, height, width)).astype(np.float32)
    return x, (1, 2, high, wide)


@given(SIDES, st.sampled_from(TRANSFORMS), st.sampled_from(ROUNDINGS))
def test_nearest_is_wires(check, sides, transform, rounding):
    x, sizes = drawn(sides)
    attrs = {"coordinate_transformation_mode": transform, "nearest_mode": rounding}
    (stage,) = check(x, sizes=sizes, mode="nearest", **attrs)
    assert isinstance(stage, Rename)


@given(SIDES, st.sampled_from(TRANSFORMS))
def test_linear(check, sides, transform):
    x, sizes = drawn(sides)
    check(x, sizes=sizes, mode="linear", coordinate_transformation_mode=transform)


@given(SIDES, st.sampled_from(TRANSFORMS), st.integers(0, 1), st.sampled_from([-0.75, -0.5]))
def test_cubic(check, sides, transform, exclude, a):
    x, sizes = drawn(sides)
    attrs = {"coordinate_transformation_mode": transform, "exclude_outside": exclude}
    check(x, sizes=sizes, mode="cubic", cubic_coeff_a=a, bound=3e-5, **attrs)


@given(SIDES, st.sampled_from(TRANSFORMS), st.sampled_from(["linear", "cubic"]), st.integers(0, 1))
def test_antialias(check, sides, transform, mode, exclude):
    x, sizes = drawn(sides)
    attrs = {"coordinate_transformation_mode": transform, "exclude_outside": exclude}
    check(x, sizes=sizes, mode=mode, antialias=1, **attrs)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("transform", ["half_pixel", "asymmetric", "half_pixel_symmetric"])
@pytest.mark.parametrize("scales", [(2, 3), (0.5, 0.6), (1.3, 2.7), (1, 0.9)])
def test_scales(check, mode, transform, scales):
    attrs = {"mode": mode, "coordinate_transformation_mode": transform}
    check(X, scales=(1, 1, *scales), oracles=("onnxruntime", "reference"), **attrs)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("roi", [(0, 0, 0.4, 0.6, 1, 1, 0.6, 0.8), (0, 0, -0.2, 0.1, 1, 1, 1.1, 2)])
def test_crop_and_resize(check, mode, roi):
    attrs = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": -1.5}
    stages = check(X, roi=roi, sizes=(1, 2, 3, 7), mode=mode, **attrs)
    assert len(stages) == (2 if mode == "nearest" and roi[2] < 0 else 1)
    check(X, roi=roi, sizes=(1, 2, 1, 1), mode=mode, **attrs)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller", "stretch"])
@pytest.mark.parametrize("axes", [(2, 3), (3, 2), (-1,)])
def test_axes_and_aspect(check, policy, axes):
    attrs = {"axes": axes, "keep_aspect_ratio_policy": policy, "mode": "linear"}
    oracles = ("onnxruntime",) if min(axes) >= 0 else ()  # it reads a negative axis as a large one
    check(X, sizes=(7, 9)[: len(axes)], oracles=oracles, **attrs)
    if len(axes) == 2:
        roi = (0.2, 0.4, 1, 0.8)
        attrs = {"axes": axes, "coordinate_transformation_mode": "tf_crop_and_resize"}
        check(X, roi=roi, sizes=(7, 9), mode="linear", **attrs)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(2, 3), (1, 2.5), (0.6, 0.5)])
def test_before_opset_11(check, mode, scales):
    check(X, opset=10, scales=(1, 1, *scales), mode=mode)
    if min(scales) >= 1:
        check(X, "Upsample", 9, scales=(1, 1, *scales), mode=mode)


def test_upsample_with_scales_as_an_attribute(check_node):
    graph = check_node("Upsample", {"x": X}, opset=8, scales=[1.0, 1.0, 2.0, 3.0], mode="nearest")
    assert graph.shapes["y0"] == (1, 2, 8, 15)


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_later_opsets(check, opset):
    check(X, opset=opset, roi=[], scales=(1, 1, 2, 3), mode="linear")
    if opset == 11:
        attrs = {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}
        check(X, opset=11, roi=[], scales=(1, 1, 2, 3), **attrs)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (1, 2, 3, 4, 5)])
def test_other_ranks(check, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    sizes = [n + 1 if n > 2 else n for n in shape]
    check(x, sizes=sizes, mode="linear")
    check(x, sizes=sizes, mode="nearest", coordinate_transformation_mode="align_corners")


def test_phases_are_places_of_one_kernel(check):
    (stage,) = check(X, scales=(1, 1, 2, 2), mode="linear")
    assert stage.cell == "resistor"
    # 2 x 2 phases of 2 x 2 taps: every pixel of every channel is a place
    assert [(k.rows, k.groups, k.places) for k in stage.kernels] == [(4, 1, 2 * 4 * 5)] * 4
    assert sorted(np.round(k.values.max(), 4) for k in stage.kernels) == [0.5625] * 4


def test_an_axis_without_phases_is_blocks(check):
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 31)).astype(np.float32)
    (stage,) = check(x, sizes=(1, 2, 8, 23), mode="linear")
    # of the 23 the middle one looks at a pixel, 22 between two; 2 phases of the height
    assert sorted((k.rows, k.groups, k.places) for k in stage.kernels) == [
        (2, 1, 8),
        (2, 1, 8),
        (4, 22, 8),
        (4, 22, 8),
    ]


def test_rounding_does_not_split_phases(check):
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 9)).astype(np.float32)
    (stage,) = check(x, sizes=(1, 2, 3, 21), mode="linear")
    # 7 outputs on 3 pixels, one of them on a pixel
    assert sorted((k.rows, k.places) for k in stage.kernels) == [(1, 18)] + [(2, 18)] * 6


@pytest.mark.parametrize(
    ("size", "out", "attrs"),
    [
        (14, 19, {"nearest_mode": "round_prefer_floor"}),
        (14, 39, {"nearest_mode": "round_prefer_ceil"}),
        (
            7,
            2,
            {
                "nearest_mode": "round_prefer_ceil",
                "coordinate_transformation_mode": "asymmetric",
            },
        ),
    ],
)
def test_ties_that_float32_misses_are_ties(check, size, out, attrs):
    x = np.arange(2 * size, dtype=np.float32).reshape(1, 2, 1, size)
    check(x, sizes=(1, 2, 1, out), mode="nearest", **attrs)


def test_whole_pixels_are_wires(check):
    attrs = {"coordinate_transformation_mode": "align_corners", "mode": "linear"}
    (stage,) = check(X, sizes=(1, 2, 4, 3), **attrs)
    assert isinstance(stage, Rename)
    (stage,) = check(X, sizes=(1, 2, 4, 9), **attrs)
    assert isinstance(stage, Linear)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"scales": (1, 1, 0.6, 1), "coordinate_transformation_mode": "align_corners"},
            "place the last one differently",
        ),
        (
            {
                "sizes": (1, 2, 4, 3),
                "roi": (0, 0, 0.2, 0, 1, 1, 0.9, 1),
                "coordinate_transformation_mode": "tf_crop_and_resize",
            },
            "onnxruntime leaves the axis",
        ),
        ({"scales": (1, 1, 2, 2), "coordinate_transformation_mode": "odd"}, "odd"),
        ({"scales": (1, 1, 2, 2), "mode": "lanczos"}, "lanczos"),
        ({"scales": (1, 1, 2, 2), "nearest_mode": "even"}, "even"),
        ({"sizes": (1, 2, 3, 3), "coordinate_transformation_mode": "tf_crop_and_resize"}, "roi"),
    ],
)
def test_what_is_refused(check, options, words):
    with pytest.raises(MemxcError, match=words):
        check(X, **options)


def test_sizes_computed_at_run_time_are_refused(hand_graph, faults_of):
    inputs = {"x": (1, 2, 4, 5), "roi": (8,), "scales": (4,)}
    (fault,) = faults_of(hand_graph("Resize", inputs, {}, {"y": (1, 2, 8, 5)}))
    assert "scales is computed at run time" in fault.what


@pytest.mark.parametrize("a", [3e38, -3e38, 1e30])
@pytest.mark.parametrize("exclude", [0, 1])
def test_a_cubic_coefficient_that_rounds_all_weights_away_is_refused(
    a, exclude, hand_graph, faults_of
):
    attrs = {"mode": "cubic", "cubic_coeff_a": a, "exclude_outside": exclude}
    weights = {"r": np.zeros(0, np.float32), "s": np.array([1, 1, 1.7, 2.3], np.float32)}
    graph = hand_graph("Resize", {"x": X.shape}, weights, {"y": (1, 2, 6, 11)}, attrs, 19)
    (fault,) = faults_of(graph)
    assert "cubic_coeff_a" in fault.what
