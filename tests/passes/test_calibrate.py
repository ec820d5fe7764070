from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import frontend, target
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.design import Bus, Design, Lanes, Rename
from memxc.ir.stages import Circuit
from memxc.ir.windows import ints, lanewise
from memxc.ops.lower import lower
from memxc.passes import parse
from memxc.passes.calibrate import Calibrate, round_up


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (1.23, 1.23),
        (1.2300000000000002, 1.23),
        (1.2301, 1.24),
        (0.0999, 0.0999),
        (0.09991, 0.1),
        (123456.0, 124000.0),
        (1.0, 1.0),
        (9.999, 10.0),
    ],
)
def test_round_up(value, rounded):
    assert round_up(value) == rounded


def _with_relu(design):
    """conv -> relu -> half of its lanes by wires -> conv, so that both wires and lanes occur."""
    y = design.buses["y"]
    half = y.width // 2
    buses = {**design.buses, "r": Bus("r", y.shape), "h": Bus("h", (1, half))}
    stages = (
        *design.stages,
        Lanes(
            "relu",
            ("y",),
            "r",
            (lanewise(np.arange(y.width)),),
            "max(x0,0)",
            Circuit("relu"),
            keeps_scale=True,
        ),
        Rename("half", ("r",), "h", ints(np.arange(half))),
    )
    return Design("net", ("x",), ("h",), buses, stages)


def test_joined_buses_share_a_scale_and_the_read_voltage_is_reached(convolution):
    design = _with_relu(convolution(3, 4, 7, 9))
    x = np.random.default_rng(0).uniform(0, 3, (5, 3, 7, 9))
    done = Calibrate().run(design, Context(target.load("paper-128"), {"x": x})).ir
    assert done.buses["y"].scale == done.buses["r"].scale == done.buses["h"].scale
    volts = evaluate.run(done, {"x": x})
    assert 0.198 < np.abs(volts["x"]).max() <= 0.2


def test_only_what_drives_memristors_is_limited(convolution):
    design = _with_relu(convolution(3, 4, 7, 9))
    x = np.random.default_rng(0).uniform(0, 3, (5, 3, 7, 9))
    done = Calibrate().run(design, Context(target.load("paper-128"), {"x": x})).ir
    assert {name: bus.limit for name, bus in done.buses.items()} == {
        "x": 0.25,
        "y": None,
        "r": None,
        "h": None,
    }
    ideal = Calibrate().run(design, Context(target.load("ideal"), {"x": x})).ir
    assert all(bus.limit is None for bus in ideal.buses.values())


@pytest.mark.parametrize("large", [0, 1])
def test_a_limiter_clips_no_lane_that_goes_elsewhere(tmp_path, large):
    """One half of a bus drives memristors, the other half an output. Both must fit the limiter."""
    value, node = helper.make_tensor_value_info, helper.make_node
    k = np.ones((5, 3, 1, 1), dtype=np.float32)
    k[large * 3 : large * 3 + 2] *= 7
    weights = {"k": k, "at": np.array([3, 2]), "w": np.ones((4, 2, 1, 1), dtype=np.float32)}
    made = helper.make_graph(
        [node("Conv", ["x", "k"], ["c"]), node("Split", ["c", "at"], ["a", "b"], axis=1),
         node("Conv", ["b", "w"], ["o"])],
        "net", [value("x", TensorProto.FLOAT, (1, 3, 4, 2))],
        [value("a", TensorProto.FLOAT, (1, 3, 4, 2)), value("o", TensorProto.FLOAT, (1, 4, 4, 2))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    design = lower(frontend.load(tmp_path / "net.onnx"))
    x = {"x": np.random.default_rng(0).uniform(0, 3, (5, 3, 4, 2))}
    done = Calibrate().run(design, Context(target.load("paper-128"), x)).ir
    assert done.buses["c"].limit == 0.25
    wanted, found = (evaluate.outputs(one, x) for one in (design, done))
    for name in ("a", "o"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12)


def test_assumed_inputs_keep_a_margin(convolution):
    x = np.ones((1, 3, 7, 9))
    ctx = Context(target.load("paper-128"), {"x": x}, assumed_inputs=True)
    assert Calibrate().run(convolution(3, 4, 7, 9), ctx).ir.buses["x"].scale == pytest.approx(0.1)


def test_a_large_bias_takes_several_lines(convolution):
    design = convolution(1, 2, 5, 6)
    kernel = design.stages[0].kernels[0]
    kernel.values[:] = 1.0
    kernel.bias[:] = [[3.5, 0.5]]
    ctx = Context(target.load("paper-128"), {"x": np.ones((1, 1, 5, 6))})
    done = Calibrate().run(design, ctx).ir
    # x = 1 is 0.2 V, so a bias of 3.5 at 0.2 V is 3.5 times the largest weight.
    assert done.stages[0].kernels[0].bias_lines == 4


@pytest.mark.parametrize(("rows", "lines"), [(128, 7), (28, 7), (12, 3), (3, 1)])
def test_a_bias_takes_at_most_a_quarter_of_the_rows(convolution, rows, lines):
    """A bias of 6.5 times the largest weight needs 7 lines. A small crossbar has fewer."""
    design = convolution(1, 2, 5, 6)
    kernel = design.stages[0].kernels[0]
    kernel.values[:] = 1.0
    kernel.bias[:] = [[6.5, 0.5]]
    chosen = target.load("paper-128").with_tile(rows, 64)
    done = Calibrate().run(design, Context(chosen, {"x": np.ones((1, 1, 5, 6))})).ir
    assert done.stages[0].kernels[0].bias_lines == lines


@pytest.mark.parametrize("size", [1e-25, 1e-29, 1e-40])
def test_samples_near_zero_give_a_finite_number_of_bias_lines(convolution, size):
    design = convolution(1, 2, 5, 6)
    (kernel,) = design.stages[0].kernels
    faint = replace(
        kernel,
        values=np.full(kernel.values.shape, 1e-20, np.float32),
        bias=np.array([[3.5e12, 0.5]], np.float32),
    )
    design = replace(design, stages=(replace(design.stages[0], kernels=(faint,)),))
    ctx = Context(target.load("paper-128"), {"x": np.full((1, 1, 5, 6), size)})
    # The largest number of bias lines.
    assert Calibrate().run(design, ctx).ir.stages[0].kernels[0].bias_lines == 8


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bus_with_values_beyond_any_voltage_is_named(convolution, value):
    design = _with_relu(convolution(3, 4, 7, 9))
    x = np.random.default_rng(0).uniform(0, 3, (5, 3, 7, 9))
    x[2, 1, 3, 4] = value
    with pytest.raises(MemxcError) as caught:
        Calibrate().run(design, Context(target.load("paper-128"), {"x": x}))
    faults = caught.value.faults
    assert {fault.code for fault in faults} == {"bad-samples"}
    assert faults[0].where == "x"
    assert f"reaches {value:g}" in faults[0].what
    assert "--samples" in faults[0].hint


@pytest.mark.parametrize("margin", ["0.5", "0", "-2", "nan", "inf", "1e4"])
def test_a_margin_that_clips_or_leaves_nothing(margin):
    with pytest.raises(MemxcError) as caught:
        parse(f"calibrate{{margin={margin}}},program")
    (fault,) = caught.value.faults
    assert fault.code == "usage"
    assert "between 1 and 1000" in fault.what
    assert parse("calibrate{margin=1},calibrate{margin=1000}")[0].margin == 1


def test_the_squares_of_the_volts_are_those_of_what_weights_read_and_drive(convolution):
    design = _with_relu(convolution(3, 4, 7, 9))
    x = np.random.default_rng(0).uniform(-1, 3, (5, 3, 7, 9))
    ctx = Context(target.load("paper-128"), {"x": x}, assumed_inputs=True)
    done = Calibrate().run(design, ctx).ir
    known = {name: bus.mean_square for name, bus in done.buses.items()}
    dst = done.stages[0].dst
    assert {name for name, square in known.items() if square is not None} == {"x", dst}
    volts = evaluate.run(done, {"x": x})
    for name in ("x", dst):
        assert known[name] == pytest.approx((volts[name] ** 2).mean(axis=0), rel=1e-12)
