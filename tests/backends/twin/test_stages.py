"""The twin against evaluate: onnxruntime runs it, numpy in double precision says what is right."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from memxc import target
from memxc.backends import twin
from memxc.backends.twin.graph_builder import Sheet
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model, steps
from memxc.evaluation import evaluate
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Array, Circuit, Digital, Lanes, Linear, Rename
from memxc.ir.windows import DISCARD, GROUND, Windows, identity_windows, ints, lanewise

TESTS = Path(__file__).parents[2]
MSCCNN = TESTS.parent / "models" / "msccnn_fashion.onnx"
CLOSE = 1e-5


def operators(design: Design) -> list[str]:
    return [node.op_type for node in twin.proto(design).graph.node]


def drawn(*shape, seed=3):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


# the hand design: every stage kind, amplifiers that differ from lane to lane


@pytest.mark.parametrize("gain", [float("inf"), 300.0])
@pytest.mark.parametrize("count", [1, 5])
def test_hand_design(apart, design, gain, count):
    stages = [replace(s, gain=gain) if isinstance(s, Array) else s for s in design.stages]
    assert apart(design.with_stages(stages), {"x": drawn(count, 2, 3, 4)}) < CLOSE


def test_limiters_clip_in_units(apart, design):
    """3.1 units at 0.1 V a unit are over the 0.25 V of bus a; 5 units are over it at the input."""
    buses = {**design.buses, "x": replace(design.buses["x"], limit=0.5)}
    held = replace(design, buses=buses, outputs=("b",), stages=design.stages[:3])
    inputs = {"x": 10 * drawn(6, 2, 3, 4)}
    assert apart(held, inputs) < CLOSE
    free = replace(held, buses={k: replace(v, limit=None) for k, v in buses.items()})
    least = evaluate.outputs(free, inputs)["b"].max() / evaluate.outputs(held, inputs)["b"].max()
    assert least > 1.5


def test_names_of_the_network_are_kept_apart_from_those_of_the_twin(apart, design):
    """An input and an output that are called what nodes and constants of the twin are called."""
    proto = twin.proto(design)
    names = [node.name for node in proto.graph.node if node.op_type != "Identity"]
    names += [tensor.name for tensor in proto.graph.initializer]
    assert len(names) > 5
    for name in names:
        buses = {**design.buses, name: replace(design.buses["x"], name=name)}
        stages = [
            replace(s, src=name) if getattr(s, "src", "") == "x" else s for s in design.stages
        ]
        stages = [replace(s, srcs=(name,)) if s.srcs == ("x",) else s for s in stages]
        del buses["x"]
        order = {name: buses.pop(name), **buses}
        renamed = replace(design, inputs=(name,), buses=order, stages=tuple(stages))
        assert apart(renamed, {name: drawn(3, 2, 3, 4)}) < CLOSE


@pytest.mark.parametrize("expr", ["max(x0,x2)", "min(x1,x2)", "max(x0,max(x1,x2))"])
def test_a_function_of_some_lanes_of_a_window(apart, expr):
    """Windows of three lanes, of which two are read, or all."""
    taps = Windows(ints(range(12)), ints([0, 3, 6, 9]), ints([0]), ints([0, 1, 2]))
    stage = Lanes("some", ("x",), "y", (taps,), expr, Circuit("some"))
    buses = {"x": Bus("x", (1, 12)), "y": Bus("y", (1, 4))}
    design = Design("n", ("x",), ("y",), buses, (stage,))
    design.verify()
    assert apart(design, {"x": drawn(9, 12)}) < CLOSE


def test_a_node_is_drawn_once_for_each_of_its_settings():
    sheet = Sheet(frozenset({"x"}))
    one = sheet.op("Transpose", "x", perm=[0, 2, 1])
    assert sheet.op("Transpose", "x", perm=[0, 2, 1]) == one
    assert sheet.op("Transpose", "x", perm=[0, 1, 2]) != one
    assert [list(node.attribute[0].ints) for node in sheet.nodes] == [[0, 2, 1], [0, 1, 2]]


# small networks, every layout


LAYOUTS = list(product(("none", "packed", "paper"), ("parallel", "sequential")))


@pytest.mark.parametrize(("partition", "schedule"), LAYOUTS)
@pytest.mark.parametrize("tile", [(128, 128), (24, 10)])
def test_layouts(apart, model, partition, schedule, tile):
    chosen = target.load("paper-128").with_tile(*tile)
    compiled = compile_model(Options(model, chosen, partition=partition, schedule=schedule))
    assert apart(compiled.design, compiled.samples) < CLOSE


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("name", ["ideal", "ideal-finite-gain"])
def test_signs_and_gains(apart, model, signed, name):
    compiled = compile_model(Options(model, target.load(name).with_tile(24, 10), signed=signed))
    assert apart(compiled.design, compiled.samples) < CLOSE


def test_every_step_of_the_compiler(apart, model):
    inputs = {"x": drawn(4, 2, 6, 5)}
    names = []
    for name, design in steps(Options(model, target.load("paper-128").with_tile(24, 10))):
        if isinstance(design, Design):
            assert apart(design, inputs) < CLOSE, name
            names.append(name)
    assert {"lower", "calibrate", "partition", "tile", "program"} <= set(names)


@pytest.mark.parametrize("partition", ["none", "packed", "paper"])
def test_depthwise_and_pointwise(apart, small, partition):
    chosen = target.load("paper-128").with_tile(16, 12)
    compiled = compile_model(Options(small, chosen, partition=partition))
    assert apart(compiled.design, compiled.samples) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("partition", ["none", "packed", "paper"])
def test_msccnn(apart, partition):
    compiled = compile_model(Options(MSCCNN, target.load("paper-128"), partition=partition))
    assert apart(compiled.design, compiled.samples) < CLOSE


@pytest.mark.parametrize("path", sorted(TESTS.glob("exporters/*.onnx")), ids=lambda p: p.stem)
def test_exported(apart, path):
    compiled = compile_model(Options(path, target.load("paper-128")))
    assert apart(compiled.design, compiled.samples) < CLOSE


# the file


def test_same_design_same_bytes(model):
    made = [compile_model(Options(model, target.load("ideal"))).design for _ in range(2)]
    assert twin.model(made[0]) == twin.model(made[1])


def test_opset_and_free_batch(model):
    made = twin.proto(compile_model(Options(model, target.load("ideal"))).design)
    assert made.ir_version == 8
    assert [(entry.domain, entry.version) for entry in made.opset_import] == [("", 17)]
    for value in (*made.graph.input, *made.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"


# single stages


def bus(name, *shape):
    return Bus(name, (1, *shape))


def one(stage, *buses):
    """A design of one stage, its last bus the output."""
    made = Design("one", stage.srcs, (stage.dst,), {b.name: b for b in buses}, (stage,))
    made.verify()
    return made


def lanes(text, *taps, shape=(3, 4)):
    names = tuple("uvw"[: len(taps)])
    stage = Lanes("f", names, "y", taps, text, Circuit("f"))
    widths = {"u": (3, 4), "v": (3, 1), "w": (5,)}
    return one(stage, *(bus(name, *widths[name]) for name in names), bus("y", *shape))


TWELVE = lanewise(np.arange(12))
ROWS = lanewise(np.repeat([0, 1, 2], 4))


@pytest.mark.parametrize(
    "text",
    [
        "x0", "-x0", "0-x0*x0", "abs(x0)+sgn(x0)", "exp(x0)", "tanh(2*x0)", "floor(4*x0)",
        "ln(max(x0,0.1))", "sqrt(max(x0,0))", "round(3*x0)", "erf(x0)", "max(0,min(1,0.2*x0+0.5))",
        "max(x0,0)", "min(x0,0.3)", "1/(1.5+x0)", "0.25",
    ],
)  # fmt: skip
def test_functions(apart, text):
    assert apart(lanes(text, TWELVE), {"u": drawn(5, 3, 4)}) < CLOSE


@pytest.mark.parametrize("text", ["x0*x1", "x1+x0", "x0-x1", "max(x0,x1)"])
def test_broadcast(apart, text):
    inputs = {"u": drawn(5, 3, 4), "v": drawn(5, 3, 1, seed=4)}
    made = lanes(text, TWELVE, ROWS)
    assert apart(made, inputs) < CLOSE
    assert "Gather" not in operators(made)
    assert apart(lanes("x1", TWELVE, ROWS), inputs) < CLOSE
    stage = Lanes("f", ("v", "u"), "y", (ROWS, TWELVE), text, Circuit("f"))
    assert apart(one(stage, bus("v", 3, 1), bus("u", 3, 4), bus("y", 3, 4)), inputs) < CLOSE


def test_a_function_that_only_broadcasts(apart):
    stage = Lanes("f", ("v",), "y", (ROWS,), "exp(x0)", Circuit("f"))
    assert apart(one(stage, bus("v", 3, 1), bus("y", 3, 4)), {"v": drawn(5, 3, 1)}) < CLOSE


def test_lanes_that_are_gathered_and_grounded(apart):
    mixed = lanewise([3, GROUND, 1, 0, 4, 4, 2, GROUND, 0, 1, 2, 3])
    inputs = {"u": drawn(5, 3, 4), "v": drawn(5, 3, 1, seed=4), "w": drawn(5, 5, seed=5)}
    assert apart(lanes("x0*x1-x2", TWELVE, ROWS, mixed), inputs) < CLOSE


def wires(index, *shapes, shape):
    names = tuple("uvw"[: len(shapes)])
    buses = (bus(name, *each) for name, each in zip(names, shapes, strict=True))
    stage = Rename("w", names, "y", ints(np.asarray(index).reshape(-1)))
    return one(stage, *buses, bus("y", *shape))


CHW = np.arange(24).reshape(2, 3, 4)
RENAMED = {
    "flatten": (CHW, (24,), set()),
    "transpose": (CHW.transpose(2, 0, 1), (4, 2, 3), {"Transpose"}),
    "flat transpose": (CHW.transpose(2, 1, 0), (24,), {"Transpose"}),
    "slice of channels": (CHW[1:], (1, 3, 4), {"Slice"}),
    "slice of columns": (CHW[:, :, 1:3], (2, 3, 2), {"Slice"}),
    "every other column": (CHW[:, :, 1::2], (2, 3, 2), {"Slice"}),
    "pad": (np.pad(CHW, ((0, 0), (1, 0), (0, 2)), constant_values=-1), (2, 4, 6), {"Pad"}),
    "channels twice": (CHW[[1, 0, 1]], (3, 3, 4), {"Gather"}),
    "one lane": (CHW[1, 1, 1], (1,), {"Slice", "Gather"}),
    "backwards": (CHW[::-1, ::-1, ::-1], (2, 3, 4), {"Gather"}),
    "grounds within": (np.where(CHW % 5 == 0, -1, CHW), (2, 3, 4), {"Pad", "Gather"}),
    "nothing": (np.full(6, -1), (6,), {"Pad", "Gather"}),
}


@pytest.mark.parametrize("case", RENAMED)
def test_wires(apart, case):
    index, shape, allowed = RENAMED[case]
    made = wires(index, (2, 3, 4), shape=shape)
    assert apart(made, {"u": drawn(5, 2, 3, 4)}) == 0
    assert set(operators(made)) <= {*allowed, "Reshape", "Identity"}


def test_concat(apart):
    made = wires(np.arange(32), (2, 3, 4), (2, 4), shape=(32,))
    assert apart(made, {"u": drawn(5, 2, 3, 4), "v": drawn(5, 2, 4, seed=4)}) == 0


def test_interleaved(apart):
    index = np.concatenate([CHW.reshape(2, 12), 24 + np.arange(8).reshape(2, 4)], axis=1)
    made = wires(index, (2, 3, 4), (2, 4), shape=(2, 16))
    assert apart(made, {"u": drawn(5, 2, 3, 4), "v": drawn(5, 2, 4, seed=4)}) == 0


def windows(space, kernel, stride, begin, dilation=(1, 1), maps=2):
    """MaxPool as the lowering makes it: what is in the border repeats a tap of the window."""
    count = [
        (n + 2 * b - (k - 1) * d - 1) // s + 1
        for n, k, s, b, d in zip(space, kernel, stride, begin, dilation, strict=True)
    ]
    inner = []
    for n, k, s, b, d, c in zip(space, kernel, stride, begin, dilation, count, strict=True):
        at = np.arange(-b, (c - 1) * s + (k - 1) * d + 1 - b)
        at = np.where(at < 0, at % d, at)
        inner.append(np.where(at >= n, n - 1 - (n - 1 - at) % d, at))
    frame = np.arange(maps * space[0] * space[1]).reshape(maps, *space)
    frame = ints(frame[np.ix_(range(maps), *inner)])
    wide = frame.shape[2]
    plane = frame.shape[1] * wide
    origin = [
        y * stride[0] * wide + x * stride[1] for y in range(count[0]) for x in range(count[1])
    ]
    offset = [
        y * dilation[0] * wide + x * dilation[1] for y in range(kernel[0]) for x in range(kernel[1])
    ]
    taps = Windows(frame, ints(origin), ints([plane * m for m in range(maps)]), ints(offset))
    return taps, (maps, *count)


@pytest.mark.parametrize("word", ["max", "min"])
@pytest.mark.parametrize(
    "geometry",
    [
        ((6, 9), (2, 3), (2, 3), (0, 0)),
        ((7, 5), (3, 2), (2, 1), (1, 0)),
        ((7, 6), (3, 3), (2, 2), (1, 1)),
        ((9, 8), (2, 2), (1, 2), (0, 0), (3, 2)),
    ],
)
def test_pools(apart, word, geometry):
    taps, out = windows(*geometry)
    text = f"{word}({','.join(f'x{k}' for k in range(taps.lines))})"
    stage = Lanes("pool", ("u",), "y", (taps,), text, Circuit("max"), keeps_scale=True)
    made = one(stage, bus("u", 2, *geometry[0]), bus("y", *out))
    assert apart(made, {"u": drawn(5, 2, *geometry[0]) - 2}) < CLOSE
    assert ("MaxPool" in operators(made)) == (word == "max")


def test_a_border_of_zeros_is_no_max_pool(apart):
    """Zero wins over negative signals: the pool must not leave the border out."""
    taps, out = windows((7, 6), (3, 3), (2, 2), (1, 1))
    frame = np.array(taps.frame)
    frame[:, 0], frame[:, :, 0] = GROUND, GROUND
    text = f"max({','.join(f'x{k}' for k in range(9))})"
    grounded = replace(taps, frame=ints(frame))
    made = one(Lanes("pool", ("u",), "y", (grounded,), text, Circuit("max")),
               bus("u", 2, 7, 6), bus("y", *out))  # fmt: skip
    assert apart(made, {"u": drawn(5, 2, 7, 6) - 2}) < CLOSE


@pytest.mark.parametrize(
    ("function", "options", "shape"),
    [
        ("softmax", {"axes": (1,)}, (3, 4)),
        ("softmax", {"axes": (1, 2)}, (3, 4)),
        ("log-softmax", {"axes": (2,)}, (3, 4)),
        ("argmax", {"axis": 1, "keepdims": True, "last": False}, (1, 4)),
        ("argmax", {"axis": 2, "keepdims": False, "last": True}, (3,)),
    ],
)
def test_digital(apart, function, options, shape):
    stage = Digital("d", ("u",), "y", function, {"shape": (1, 3, 4), **options})
    inputs = {"u": np.round(3 * drawn(6, 3, 4))}
    assert apart(one(stage, bus("u", 3, 4), bus("y", *shape)), inputs) < CLOSE


def linear(kernels, src, dst):
    return one(Linear("l", "u", "y", kernels), bus("u", *src), bus("y", *dst))


def test_row_parts_add_and_a_missing_lane_is_zero(apart):
    whole, some = identity_windows(7), identity_windows(5)
    rng = np.random.default_rng(1)
    upper = Kernel(rng.normal(size=(1, 15)), None, None, whole.cut(slice(0, 3)),
                   some.cut(slice(0, 5)), (1,))  # fmt: skip
    lower = Kernel(rng.normal(size=(1, 12)), None, rng.normal(size=(1, 3)),
                   whole.cut(slice(3, 7)), some.cut(slice(0, 3)), (1,))  # fmt: skip
    assert apart(linear((upper, lower), (7,), (5,)), {"u": drawn(4, 7)}) < CLOSE
    assert apart(linear((lower,), (7,), (5,)), {"u": drawn(4, 7)}) < CLOSE


def test_nothing_but_a_bias(apart):
    kernel = Kernel(np.zeros((1, 0)), None, np.array([[1.5, -2.0, 0.25]]),
                    identity_windows(7).cut(slice(0, 0)), identity_windows(3), (1,))  # fmt: skip
    assert apart(linear((kernel,), (7,), (3,)), {"u": drawn(4, 7)}) < CLOSE


def test_discarded_lanes_of_any_place(apart):
    frame = ints([[0, DISCARD, 1], [2, 3, DISCARD]])
    kernel = Kernel(np.arange(1.0, 9.0).reshape(1, 8), None, None,
                    Windows(ints(np.arange(6)), ints([0, 1, 2]), ints([0]), ints([0, 1, 2, 3])),
                    Windows(frame, ints([0, 1, 2]), ints([0]), ints([0, 3])), (3,))  # fmt: skip
    assert apart(linear((kernel,), (6,), (4,)), {"u": drawn(4, 6)}) < CLOSE


def test_biases_of_two_places_add_up_on_one_lane(apart):
    """A pruned kernel has no rows left; its two places reach lanes 0, 1 and 1, 2."""
    taps = Windows(ints([GROUND]), ints([0, 0]), ints([0]), ints([]))
    sinks = Windows(ints(range(3)), ints([0, 1]), ints([0]), ints([0, 1]))
    bias = np.array([[0.5, -0.25]])
    kernel = Kernel(np.zeros((1, 0)), None, bias, taps, sinks, (2,))
    stage = Linear("dense", "x", "y", (kernel,))
    buses = {"x": Bus("x", (1, 4)), "y": Bus("y", (1, 3))}
    design = Design("net", ("x",), ("y",), buses, (stage,))
    x = drawn(2, 4)
    assert evaluate.outputs(design, {"x": x})["y"][0].tolist() == [0.5, 0.25, -0.25]
    assert apart(design, {"x": x}) < CLOSE
