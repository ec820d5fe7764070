"""drop-dead-channels, compared with the network with zeroed weights in onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from memxc import frontend, target
from memxc.compiler.ladder import distance
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context
from memxc.ops.lower import lower
from memxc.passes.drop_dead import DropDeadChannels

CTX = Context(target.load("ideal"), {})
node = helper.make_node


def weight(*shape, seed=1):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def save(path, nodes, weights, shape=(1, 3, 7, 5), outputs=("y",)):
    """A network from x to its outputs as a file."""
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(w), name) for name, w in weights.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(made, strict_mode=True), path)
    return path


def dropped(path):
    """The graph without its dead channels, which does what onnxruntime makes of the file."""
    graph = frontend.load(path, {})
    changed = DropDeadChannels().run(graph, CTX).ir
    changed.verify()
    shape = graph.shapes["x"][1:]
    x = {"x": np.random.default_rng(4).normal(size=(3, *shape)).astype(np.float32)}
    ours, exact = (evaluate.outputs(lower(g), x) for g in (changed, graph))
    for name, theirs in reference.run(path, x).items():
        assert distance(ours[name], theirs)[1] < 2e-6
        assert distance(ours[name], exact[name])[1] < 1e-12
    return changed


def shapes(graph):
    """The weights of the layers by the place of their node."""
    ops = ("Conv", "ConvTranspose", "Gemm", "MatMul")
    return [graph.shapes[n.inputs[1]] for n in graph.nodes if n.op in ops]


def separable(activation, *, k=1, pads=(0, 0, 0, 0), behind=(), **more):
    """Pointwise 3 -> 6, activation, depthwise 3x2, activation, k x k 6 -> 4."""
    nodes = [
        node("Conv", ["x", "a", "ab"], ["p"], name="a"),
        *activated("p", "q", activation),
        node("Conv", ["q", "d", "db"], ["r"], name="d", group=6, pads=[1, 0, 1, 1]),
        *activated("r", "s", activation),
        *behind,
        node("Conv", [more.pop("src", "s"), "c", "cb"], ["y"], name="c", pads=pads),
    ]
    weights = {
        "a": weight(6, 3, 1, 1), "ab": weight(6), "d": weight(6, 1, 3, 2), "db": weight(6, seed=2),
        "c": weight(4, 6, k, k), "cb": weight(4), **more,
    }  # fmt: skip
    return nodes, weights


def activated(src, dst, op):
    return [node(op or "Identity", [src], [dst], name=f"{op} {dst}")]


@pytest.mark.parametrize("activation", ["Relu", "HardSwish", "Sigmoid", None])
def test_dead_depthwise_channels(tmp_path, activation):
    """Their crossbars, the columns that lead there and the rows that follow are gone."""
    nodes, weights = separable(activation)
    weights["d"][[1, 4]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(4, 3, 1, 1), (4, 1, 3, 2), (4, 4, 1, 1)]
    assert [n.op for n in changed.nodes].count("Gather") == 0


SAME = {"two": np.float32(2.0), "tenth": np.float32(0.1), "nine": np.uint8(9)}
PADS = {"around": np.array([0, 0, 1, 0, 0, 0, 0, 2])}
SIZES = {"long": np.array([1, 6, 35]), "wide": np.array([1, 6, 5, 7])}
HALVES = {"halves": np.array([1, 1, 0.5, 0.5], np.float32)}


@pytest.mark.parametrize(
    ("nodes", "more"),
    [
        *(([node(op, ["s"], ["t"])], {}) for op in ("Ceil", "Floor", "Round", "Shrink", "Sign")),
        ([node("Abs", ["s"], ["u"]), node("Sqrt", ["u"], ["t"])], {}),
        ([node("Exp", ["s"], ["u"]), node("Log", ["u"], ["t"])], {}),
        ([node("Exp", ["s"], ["u"]), node("Reciprocal", ["u"], ["t"])], {}),
        ([node("Pow", ["s", "two"], ["t"])], SAME),
        ([node("Mul", ["s", "three"], ["t"])], {"three": weight(6, 1, 1)}),
        ([node("Mul", ["four", "s"], ["t"])], {"four": weight(1, 6, 1, 1)}),
        ([node("PRelu", ["s", "q0"], ["t"])], {}),
        ([node("LpPool", ["s"], ["t"], kernel_shape=[2, 1])], {}),
        ([node("GlobalLpPool", ["s"], ["t"])], {}),
        ([node("ReduceMean", ["s"], ["t"], axes=[3])], {}),
        ([node("ReduceMax", ["s"], ["t"], axes=[2, 3])], {}),
        ([node("Pad", ["s", "around"], ["t"], mode="edge")], PADS),
        ([node("Reshape", ["s", "long"], ["u"]), node("Reshape", ["u", "wide"], ["t"])], SIZES),
        ([node("Resize", ["s", "", "halves"], ["t"])], HALVES),
        (
            [
                node("QuantizeLinear", ["s", "tenth", "nine"], ["u"]),
                node("DequantizeLinear", ["u", "tenth", "nine"], ["t"]),
            ],
            SAME,
        ),
        (
            [node("Greater", ["s", "tenth"], ["u"]), node("Where", ["u", "s", "q0"], ["t"])],
            SAME,
        ),
        (
            [
                node("Greater", ["s", "tenth"], ["u"]),
                node("Not", ["u"], ["v"]),
                node("Cast", ["v"], ["t"], to=TensorProto.FLOAT),
            ],
            SAME,
        ),
    ],
    ids=lambda value: "-".join(part.op_type for part in value) if isinstance(value, list) else "",
)
def test_dead_channels_go_through_what_works_on_each_channel(tmp_path, nodes, more):
    nodes, weights = separable("Tanh", behind=nodes, src="t", **more)
    # As large as the depthwise convolution's output, for what takes two signals.
    nodes.insert(2, node("Conv", ["q", "g"], ["q0"], name="g", group=6, pads=[1, 0, 1, 1]))
    weights["g"] = weight(6, 1, 3, 2, seed=8)
    weights["d"][[1, 4]] = weights["g"][[1, 4]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed)[-1] == (4, 4, 1, 1)
    assert (4, 1, 3, 2) in shapes(changed)


def test_what_a_mean_over_the_map_leaves_out(tmp_path):
    """The mean without its axes, as torch writes it, in front of the last layer."""
    nodes, weights = separable("HardSwish")
    nodes[-1:] = [
        node("ReduceMean", ["s"], ["t"], axes=[2, 3], keepdims=0),
        node("Gemm", ["t", "c"], ["y"]),
    ]
    weights["c"] = weight(6, 4)
    weights["d"][[1, 4]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(4, 3, 1, 1), (4, 1, 3, 2), (4, 4)]


def test_a_border_takes_no_constant_but_zero(tmp_path):
    """Zeros around the map are not act(bias): such a channel stays. One of zero is dropped."""
    nodes, weights = separable("Relu", k=3, pads=(1, 1, 1, 1))
    weights["d"][[1, 4]] = 0
    weights["db"][[1, 4]] = 0.5, -0.5
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(5, 3, 1, 1), (5, 1, 3, 2), (4, 5, 3, 3)]
    nodes, weights = separable("Relu", k=3)
    weights["d"][[1, 4]] = 0
    changed = dropped(save(tmp_path / "m.onnx", nodes, weights))
    assert shapes(changed) == [(4, 3, 1, 1), (4, 1, 3, 2), (4, 4, 3, 3)]


def squeeze(src, dst):
    """Squeeze and excitation over 6 channels."""
    return [
        node("GlobalAveragePool", [src], ["e0"], name="e0"),
        node("Conv", ["e0", "e", "eb"], ["e1"], name="e1"),
        node("Relu", ["e1"], ["e2"], name="e2"),
        node("Conv", ["e2", "f", "fb"], ["e3"], name="e3"),
        node("HardSigmoid", ["e3"], ["e4"], name="e4"),
        node("Mul", [src, "e4"], [dst], name="scale"),
    ]


@pytest.mark.parametrize("bias", [-0.7, 0.7])
def test_squeeze_and_excitation(tmp_path, bias):
    """A channel of zero is scaled to zero and goes; a constant one is scaled, so it stays."""
    more = {"e": weight(2, 6, 1, 1), "eb": weight(2), "f": weight(6, 2, 1, 1), "fb": weight(6)}
    nodes, weights = separable("Relu", behind=squeeze("s", "t"), src="t", **more)
    weights["d"][2] = 0
    weights["db"][2] = bias
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    left = 5 if bias < 0 else 6
    # The excitation reads the constant as a part of its bias either way.
    assert shapes(changed) == [
        (left, 3, 1, 1), (left, 1, 3, 2), (2, 5, 1, 1), (left, 2, 1, 1), (4, left, 1, 1)
    ]  # fmt: skip


def test_a_residual_keeps_what_its_other_side_needs(tmp_path):
    """The shortcut is needed whole; a depthwise branch beside it loses its own channels."""
    nodes = [
        node("Conv", ["x", "a", "ab"], ["p"], name="a"),
        node("Conv", ["p", "d", "db"], ["q"], name="d", group=6),
        node("Relu", ["q"], ["r"], name="relu"),
        node("Conv", ["r", "c", "cb"], ["s"], name="c"),
        node("Add", ["p", "s"], ["y"], name="add"),
    ]
    weights = {
        "a": weight(6, 3, 1, 1), "ab": weight(6), "d": weight(6, 1, 1, 1), "db": weight(6, seed=2),
        "c": weight(6, 6, 1, 1), "cb": weight(6),
    }  # fmt: skip
    weights["d"][[0, 3, 5]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(6, 3, 1, 1), (3, 1, 1, 1), (6, 3, 1, 1)]
    assert [n.op for n in changed.nodes].count("Gather") == 1


def test_both_sides_of_an_addition_lose_a_channel(tmp_path):
    nodes = [
        node("Conv", ["x", "a", "ab"], ["p"], name="a"),
        node("Conv", ["x", "b", "bb"], ["q"], name="b"),
        node("Add", ["p", "q"], ["r"], name="add"),
        node("Conv", ["r", "c"], ["y"], name="c"),
    ]
    weights = {
        "a": weight(6, 3, 1, 1), "ab": weight(6), "b": weight(6, 3, 1, 1, seed=3), "bb": weight(6),
        "c": weight(2, 6, 1, 1),
    }  # fmt: skip
    weights["a"][[1, 2]] = weights["b"][[2, 3]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(5, 3, 1, 1), (5, 3, 1, 1), (2, 5, 1, 1)]


def test_concat_split_and_flatten(tmp_path):
    """Parts side by side and apart again; a dense layer behind runs of pixels."""
    nodes = [
        node("Conv", ["x", "a", "ab"], ["p"], name="a"),
        node("Conv", ["x", "b", "bb"], ["q"], name="b"),
        node("Concat", ["p", "q"], ["r"], name="cat", axis=1),
        node("BatchNormalization", ["r", "g", "h", "m", "v"], ["n"], name="bn"),
        node("Split", ["n", "sizes"], ["s", "t"], name="split", axis=1),
        node("MaxPool", ["s"], ["u"], name="pool", kernel_shape=[7, 4]),
        node("Flatten", ["u"], ["f"], name="flat"),
        node("Gemm", ["f", "w", "wb"], ["y"], name="dense", alpha=0.5),
        node("Conv", ["t", "c"], ["z"], name="c"),
    ]
    weights = {
        "a": weight(4, 3, 1, 1), "ab": weight(4), "b": weight(5, 3, 1, 1), "bb": weight(5),
        "g": weight(9), "h": weight(9, seed=2), "m": weight(9, seed=3), "v": weight(9) ** 2 + 1,
        "sizes": np.array([6, 3]), "w": weight(12, 3), "wb": weight(3), "c": weight(2, 3, 1, 1),
    }  # fmt: skip
    weights["a"][0] = weights["b"][[1, 3]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights, outputs=("y", "z")))
    assert shapes(changed) == [(3, 3, 1, 1), (3, 3, 1, 1), (8, 3), (2, 2, 1, 1)]


def test_a_signal_concatenated_with_itself(tmp_path):
    """At each of its places, other channels of it are dead."""
    nodes = [
        node("Conv", ["x", "a"], ["p"], name="a"),
        node("Concat", ["p", "p"], ["r"], name="cat", axis=1),
        node("Conv", ["r", "c"], ["y"], name="c"),
    ]
    weights = {"a": weight(4, 3, 1, 1), "c": weight(2, 8, 1, 1)}
    weights["c"][:, [0, 5, 3, 7]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(3, 3, 1, 1), (2, 4, 1, 1)]


def test_a_branch_of_which_nothing_is_left(tmp_path):
    nodes = [
        node("Conv", ["x", "a"], ["p"], name="a"),
        node("Conv", ["x", "b"], ["q"], name="b"),
        node("Relu", ["q"], ["s"], name="relu"),
        node("Concat", ["p", "s"], ["r"], name="cat", axis=1),
        node("Conv", ["r", "c"], ["y"], name="c"),
    ]
    weights = {"a": weight(4, 3, 1, 1), "b": weight(5, 3, 1, 1), "c": weight(2, 9, 1, 1)}
    weights["c"][:, 4:] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(4, 3, 1, 1), (2, 4, 1, 1)]


def test_a_part_of_a_split_that_nobody_reads(tmp_path):
    nodes = [
        node("Conv", ["x", "a"], ["p"], name="a"),
        node("Split", ["p", "sizes"], ["s", "t"], name="split", axis=1),
        node("Conv", ["t", "c"], ["y"], name="c"),
    ]
    weights = {"a": weight(7, 3, 1, 1), "sizes": np.array([4, 3]), "c": weight(2, 3, 1, 1)}
    weights["c"][:, 1] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed)[-1] == (2, 2, 1, 1)


def test_a_transposed_convolution(tmp_path):
    """Its border pixels have fewer taps: only a constant of zero goes; its dead output does."""
    nodes = [
        node("Conv", ["x", "a", "ab"], ["p"], name="a"),
        node("Relu", ["p"], ["q"], name="relu"),
        node("ConvTranspose", ["q", "t", "tb"], ["r"], name="t", strides=[2, 2]),
        node("Conv", ["r", "c"], ["y"], name="c"),
    ]
    weights = {
        "a": weight(6, 3, 1, 1), "ab": weight(6), "t": weight(6, 5, 3, 2), "tb": weight(5),
        "c": weight(2, 5, 1, 1),
    }  # fmt: skip
    weights["a"][[1, 2]] = 0
    weights["ab"][[1, 2]] = -0.5, 0.5
    weights["t"][:, 3] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(5, 3, 1, 1), (5, 4, 3, 2), (2, 4, 1, 1)]


def test_a_part_of_a_signal_of_bools_is_one_of_bools(tmp_path):
    """Two readers of one comparison that need different channels of it."""
    nodes = [
        node("Conv", ["x", "a"], ["p"], name="a"),
        node("Greater", ["p", "zero"], ["u"]),
        *(node("Cast", ["u"], [f"f{i}"], to=TensorProto.FLOAT) for i in (1, 2)),
        *(node("Conv", [f"f{i}", f"c{i}"], [f"y{i}"], name=f"c{i}") for i in (1, 2)),
    ]
    weights = {"a": weight(6, 3, 1, 1), "zero": np.float32(0.0)}
    weights |= {"c1": weight(2, 6, 1, 1), "c2": weight(5, 6, 1, 1)}
    weights["c1"][:, [0, 3]] = weights["c2"][:, [3, 4]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights, outputs=("y1", "y2")))
    assert shapes(changed) == [(5, 3, 1, 1), (2, 4, 1, 1), (5, 4, 1, 1)]
    parts = [n.outputs[0] for n in changed.nodes if n.op == "Gather"]
    assert [changed.kinds[name] for name in parts] == ["bool", "bool"]


def test_channels_that_nothing_reads_are_dropped(tmp_path):
    """Rows of zeros: the columns that lead there are not needed."""
    nodes, weights = separable("Relu")
    weights["c"][:, [0, 2, 5]] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(3, 3, 1, 1), (3, 1, 3, 2), (4, 3, 1, 1)]


def test_a_shuffle_is_not_crossed(tmp_path):
    nodes = [
        node("Conv", ["x", "a", "ab"], ["p"], name="a"),
        node("Reshape", ["p", "two"], ["q"], name="r1"),
        node("Transpose", ["q"], ["r"], name="t", perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["r", "one"], ["s"], name="r2"),
        node("Conv", ["s", "c"], ["y"], name="c"),
    ]
    weights = {
        "a": weight(6, 3, 1, 1), "ab": weight(6), "two": np.array([1, 2, 3, 7, 5]),
        "one": np.array([1, 6, 7, 5]), "c": weight(2, 6, 1, 1),
    }  # fmt: skip
    weights["a"][1] = 0
    weights["c"][:, 4] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    # The row behind it goes, the column before it stays.
    assert shapes(changed) == [(6, 3, 1, 1), (2, 5, 1, 1)]


def test_a_network_without_dead_channels_is_returned_unchanged(tmp_path):
    graph = frontend.load(save(tmp_path / "n.onnx", *separable("Relu")), {})
    assert DropDeadChannels().run(graph, CTX).ir is graph


def test_a_constant_network_keeps_one_channel_of_each_signal(tmp_path):
    """A constant network keeps one channel of each signal."""
    nodes, weights = separable("Relu")
    weights["d"][:] = 0
    changed = dropped(save(tmp_path / "n.onnx", nodes, weights))
    assert shapes(changed) == [(1, 3, 1, 1), (1, 1, 3, 2), (4, 1, 1, 1)]


channels = st.lists(st.integers(0, 5), max_size=5)


@settings(max_examples=40)
@given(
    a=channels, d=channels, rows=channels, act=st.sampled_from(["Relu", "HardSwish", None]),
    bias=st.booleans(), border=st.booleans(), residual=st.booleans(),
)  # fmt: skip
def test_random_masks_keep_the_meaning(tmp_path_factory, a, d, rows, act, bias, border, residual):
    k, pads = (3, (1, 0, 1, 2)) if border else (1, (0, 0, 0, 0))
    end = [node("Add", ["s", "q1"], ["t"], name="add")] if residual else []
    nodes, weights = separable(act, k=k, pads=pads, behind=end, src="t" if residual else "s")
    if residual:
        nodes.insert(2, node("Conv", ["q", "g"], ["q1"], name="g", pads=[0, 0, 0, 0]))
        weights["g"] = weight(6, 6, 1, 1, seed=8)
    weights["a"][a] = weights["d"][d] = 0
    weights["c"][:, rows] = 0
    if not bias:
        weights["ab"][:] = weights["db"][:] = 0
    path = save(tmp_path_factory.mktemp("m") / "n.onnx", nodes, weights)
    dropped(path)
