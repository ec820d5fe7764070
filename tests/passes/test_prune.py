"""Pruning: the chosen weights, counted by hand, and ONNX networks with the same zeros."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from memxc import frontend, target
from memxc.analysis.layer import layers_of, with_layers
from memxc.compiler import pruning
from memxc.compiler.record import counts, macs
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.evaluation.samples import Samples
from memxc.interfaces import Context
from memxc.ops.lower import lower
from memxc.passes import available
from memxc.passes.prune_ckf import PruneCkf, _uses, masks
from memxc.passes.prune_lines import PruneLines

node = helper.make_node
X = np.random.default_rng(5).normal(size=(12, 3, 7, 5)).astype(np.float32)
IDEAL = target.load("ideal")
CTX = Context(IDEAL, {"x": X})


def weight(*shape, seed=1):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


#: 3 -> 6 by 3x2 with stride 2, relu, depthwise 6 by 3x3, relu, 6 -> 4 by 1x1, up by 4x4, mean.
NODES = [
    node("Conv", ["x", "a", "ab"], ["p"], name="a", strides=[2, 1], pads=[1, 0, 1, 0]),
    node("Relu", ["p"], ["q"], name="relu1"),
    node("Conv", ["q", "d", "db"], ["r"], name="d", group=6, pads=[1, 1, 1, 1]),
    node("Relu", ["r"], ["s"], name="relu2"),
    node("Conv", ["s", "c", "cb"], ["t"], name="c"),
    node("ConvTranspose", ["t", "u", "ub"], ["v"], name="u", strides=[2, 2], pads=[1, 1, 1, 1]),
    node("GlobalAveragePool", ["v"], ["g"], name="mean"),
    node("Flatten", ["g"], ["f"], name="flat"),
    node("Gemm", ["f", "w", "wb"], ["y"], name="dense"),
]
WEIGHTS = {
    "a": weight(6, 3, 3, 2), "ab": weight(6), "d": weight(6, 1, 3, 3), "db": weight(6, seed=2),
    "c": weight(4, 6, 1, 1), "cb": weight(4), "u": weight(4, 5, 4, 4), "ub": weight(5),
    "w": weight(5, 3), "wb": weight(3),
}  # fmt: skip
#: Output pixels of each layer, input pixels of the transposed one, that a weight is used at.
MAPS = {"a": 4 * 4, "d": 4 * 4, "c": 4 * 4, "u": 4 * 4, "w": 1}


def save(path, nodes=NODES, weights=WEIGHTS, shape=(1, 3, 7, 5)):
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(w), name) for name, w in weights.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(made, strict_mode=True), path)
    return path


@pytest.fixture
def graph(tmp_path):
    return frontend.load(save(tmp_path / "net.onnx"), {})


def layers(graph):
    """The weights of the layers by the names they were given."""
    ops = ("Conv", "ConvTranspose", "Gemm")
    return {n.name: graph.weights[n.inputs[1]] for n in graph.nodes if n.op in ops}


NAMES = {"a": "a", "d": "d", "c": "c", "u": "u", "dense": "w"}


def zeroed(tmp_path, pruned, name="zeroed.onnx"):
    """onnxruntime on the file whose weights are zero where the pruned graph's are."""
    kept = {NAMES[layer]: w != 0 for layer, w in layers(pruned).items()}
    weights = {n: np.where(kept[n], w, np.float32(0)) if n in kept else w
               for n, w in WEIGHTS.items()}  # fmt: skip
    return reference.run(save(tmp_path / name, weights=weights), {"x": X})["y"]


def close(ours, theirs):
    return np.abs(ours - theirs).max() <= 3e-6 * np.abs(theirs).max()


# --- counts


def test_multiplications_are_weights_that_are_not_zero_times_their_map(graph):
    pruned = PruneCkf(share=0.4).run(graph, CTX).ir
    found = counts(lower(pruned))
    by_hand = sum(int((w != 0).sum()) * MAPS[NAMES[n]] for n, w in layers(pruned).items())
    assert found["multiplications"] == by_hand
    whole = sum(w.size * MAPS[NAMES[n]] for n, w in layers(graph).items())
    assert counts(lower(graph))["multiplications"] == macs(lower(graph)) == whole
    assert macs(lower(pruned)) == whole
    # Each of the four phases of the transposed convolution has its bias.
    biases = sum(w.size for n, w in WEIGHTS.items() if n.endswith("b")) + 3 * WEIGHTS["ub"].size
    left = sum(int((w != 0).sum()) for w in layers(pruned).values())
    assert found["parameters"] == left + biases


def test_a_loop_over_kernel_elements_is_the_transposed_convolution(tmp_path):
    """Kernel elements first: one product with the whole map for each weight that is not zero."""
    w = weight(2, 3, 4, 3)
    w[np.random.default_rng(2).random(w.shape) < 0.6] = 0
    nodes = [node("ConvTranspose", ["x", "w"], ["y"], name="t", strides=[2, 3])]
    path = save(tmp_path / "t.onnx", nodes, {"w": w}, (1, 2, 5, 4))
    x = np.random.default_rng(1).normal(size=(1, 2, 5, 4)).astype(np.float32)
    y, products = np.zeros((1, 3, 12, 12)), 0
    for c, n, u, v in zip(*np.nonzero(w), strict=True):
        y[:, n, u : u + 10 : 2, v : v + 12 : 3] += float(w[c, n, u, v]) * x[:, c]
        products += x[0, 0].size
    assert close(y[0], reference.run(path, {"x": x})["y"][0])
    design = lower(frontend.load(path, {}))
    assert close(evaluate.outputs(design, {"x": x})["y"], y)
    # Two more rows than twice the map: one phase has a row of outputs more than inputs.
    assert counts(design)["multiplications"] >= products == np.count_nonzero(w) * 20


@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
@pytest.mark.parametrize("zeros", ["absent", "parked"])
@pytest.mark.parametrize("partition", ["none", "packed"])
def test_counts_before_and_after_programming(graph, signed, zeros, partition):
    pruned = PruneCkf(share=0.5).run(graph, CTX).ir
    ctx = Context(target.load("paper-128"), {"x": X}, signed=signed, zeros=zeros)
    design = lower(pruned)
    for name in ("calibrate", "schedule", "partition", "tile"):
        options = {"policy": partition} if name == "partition" else {}
        design = available()[name](**options).run(design, ctx).ir
    before = counts(design, zeros)
    programmed = available()["program"]().run(design, ctx).ir
    assert counts(programmed, zeros) == before
    crossbars = [c for s in programmed.arrays if s.cell == "memristor" for c in s.crossbars]
    devices = sum(int((c.conductance() > 0).sum()) * c.places for c in crossbars)
    assert devices == before["memristors"]


# --- kernel elements


def test_masks_against_a_sort_by_hand():
    weights = {"a": weight(3, 4), "b": weight(5, 2, 2) * 10}
    kept = masks(weights, 0.3)
    scaled = np.concatenate(
        [np.abs(w).ravel() / math.sqrt(np.mean(w**2)) for w in weights.values()]
    )
    gone = np.concatenate([~kept[n].ravel() for n in weights])
    assert gone.sum() == round(0.3 * 32)
    assert scaled[gone].max() <= scaled[~gone].min()
    each = masks(weights, 0.25, "layer")
    assert [(~k).sum() for k in each.values()] == [3, 5]
    uses = masks(weights, 0.5, uses={"a": 1, "b": 100})
    multiplied = (~uses["a"]).sum() + 100 * (~uses["b"]).sum()
    assert abs(multiplied - 0.5 * 2012) <= 50


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.floats(-9, 9), min_size=1, max_size=8), min_size=1, max_size=4),
    st.floats(0.01, 0.99), st.sampled_from(["all", "layer"]),
)  # fmt: skip
def test_a_mask_removes_the_share_that_was_asked(rows, share, scope):
    weights = {str(i): np.array(row) for i, row in enumerate(rows)}
    kept = masks(weights, share, scope)
    parts = kept.values() if scope == "layer" else [np.concatenate(list(kept.values()))]
    for part in parts:
        assert abs((~part).sum() - share * part.size) <= 0.5 + 1e-9
    more = masks(weights, min(share + 0.2, 0.99), scope)
    assert all((kept[n] | ~more[n]).all() for n in kept)


@pytest.mark.parametrize(
    "options", [{"share": 0.5}, {"share": 0.3, "scope": "layer"}, {"threshold": 0.4}]
)
def test_kernel_elements_that_are_zero(graph, tmp_path, options):
    pruned = PruneCkf(**options).run(graph, CTX).ir
    sizes = np.concatenate([w.ravel() for w in layers(pruned).values()])
    if "threshold" in options:
        assert np.abs(sizes[sizes != 0]).min() > 0.4
        assert (sizes == 0).sum() == sum((np.abs(w) <= 0.4).sum() for w in layers(graph).values())
    else:
        assert (sizes == 0).sum() == pytest.approx(options["share"] * sizes.size, abs=2.5)
    ours = evaluate.outputs(lower(pruned), {"x": X})["y"]
    assert close(ours, zeroed(tmp_path, pruned))


def test_a_share_of_the_multiplications(graph):
    pruned = PruneCkf(share=0.6, count="multiplications").run(graph, CTX).ir
    before, after = (counts(lower(g))["multiplications"] for g in (graph, pruned))
    assert 1 - after / before == pytest.approx(0.6, abs=0.01)


def test_every_multiplication_of_one_layer_is_counted_alike(graph):
    """If one layer is pruned alone, its share of all multiplications is pruned."""
    total = macs(lower(graph))
    layer = {n.name: i for i, n in enumerate(graph.nodes)}
    found = layers_of(graph)
    for name, index in layer.items():
        if index in found:
            assert _uses(found[index], graph) == MAPS[NAMES[name]]
            one = with_layers(graph, {index: replace(found[index], weight=np.zeros_like(
                found[index].weight))})  # fmt: skip
            gone = found[index].weight.size * MAPS[NAMES[name]]
            assert counts(lower(one))["multiplications"] == total - gone


def test_the_samples_rank_a_weight_by_what_passes_through_it(tmp_path):
    """A large weight on a channel that hardly changes is pruned before a small important one."""
    nodes = [node("Conv", ["x", "w", "b"], ["y"], name="c")]
    w = np.array([[3.0, 0.5], [0.1, -2.0]], np.float32).reshape(2, 2, 1, 1)
    path = save(tmp_path / "n.onnx", nodes, {"w": w, "b": weight(2)}, (1, 2, 3, 4))
    graph = frontend.load(path, {})
    x = np.random.default_rng(3).normal(size=(9, 2, 3, 4))
    x[:, 0] = 5 + 0.001 * x[:, 0]
    ctx = Context(IDEAL, {"x": x})
    pruned = PruneCkf(share=0.5, score="samples").run(graph, ctx).ir
    assert (layers(pruned)["c"][:, 0] == 0).all()
    # Its mean is in the bias, so the outputs hardly change.
    old, new = (evaluate.outputs(lower(g), {"x": x})["y"] for g in (graph, pruned))
    assert np.abs(new - old).max() < 0.02
    kept = PruneCkf(share=0.5).run(graph, ctx).ir
    assert (layers(kept)["c"] != 0).reshape(2, 2).tolist() == [[True, False], [False, True]]


# --- lines and crossbars


@pytest.mark.parametrize("unit", ["crossbar", "word-line", "bit-line"])
def test_lines_and_what_is_left(graph, tmp_path, unit):
    pruned = PruneLines(unit=unit, share=0.3).run(graph, CTX).ir
    ours = evaluate.outputs(lower(pruned), {"x": X})["y"]
    assert close(ours, zeroed(tmp_path, pruned))
    left = available()["drop-dead-channels"]().run(pruned, CTX).ir
    again = evaluate.outputs(lower(left), {"x": X})["y"]
    assert np.abs(again - ours).max() <= 1e-12 * np.abs(ours).max()
    if unit != "word-line":
        assert counts(lower(left))["crossbars"] <= counts(lower(graph))["crossbars"]
        assert counts(lower(left))["memristors"] < counts(lower(graph))["memristors"]


def test_depthwise_crossbars_of_the_smallest_norm(graph):
    """2 of 6; they go with the columns that lead there and the rows that follow."""
    pruned = PruneLines(share=0.3).run(graph, CTX).ir
    norm = np.abs(WEIGHTS["d"]).sum(axis=(1, 2, 3))
    gone = (layers(pruned)["d"] == 0).all(axis=(1, 2, 3))
    assert set(np.flatnonzero(gone)) == set(np.argsort(norm)[:2])
    left = layers(available()["drop-dead-channels"]().run(pruned, CTX).ir)
    assert [left[n].shape for n in "adc"] == [(4, 3, 3, 2), (4, 1, 3, 3), (4, 4, 1, 1)]


@pytest.mark.parametrize("score", ["l1", "samples"])
def test_a_depthwise_crossbar_has_all_filters_of_its_channel(tmp_path, score):
    """Three channels of two filters each: a crossbar goes with both, or not at all."""
    d = weight(6, 1, 3, 2)
    d[[0, 3]] *= 0.01  # the smallest filters are of two crossbars; the smallest crossbar is 2
    d[4:] *= 0.1
    nodes = [node("Conv", ["x", "d"], ["q"], name="d", group=3),
             node("Conv", ["q", "c"], ["y"], name="c")]  # fmt: skip
    path = save(tmp_path / "m.onnx", nodes, {"d": d, "c": weight(4, 6, 1, 1)})
    pruned = PruneLines(share=0.34, score=score).run(frontend.load(path, {}), CTX).ir
    gone = (layers(pruned)["d"] == 0).all(axis=(1, 2, 3))
    assert gone.tolist() == [False] * 4 + [True] * 2
    left = available()["drop-dead-channels"]().run(pruned, CTX).ir
    assert layers(left)["d"].shape == (4, 1, 3, 2)


def test_word_lines_are_taps_of_a_channel(graph):
    pruned = PruneLines(unit="word-line", share=0.2).run(graph, CTX).ir
    total = 3 * 3 * 2 + 6 + 4 * 4 * 4 + 5
    rows = {"a": (0, None), "c": (0, None), "u": (1, None), "dense": (1, None)}
    dead = sum(int((layers(pruned)[n] == 0).all(axis=axis).sum()) for n, (axis, _) in rows.items())
    assert dead == round(0.2 * total)
    assert (layers(pruned)["d"] != 0).all()


def test_bit_lines_of_the_outputs_are_never_pruned(graph):
    """Bit lines of the last layer are the answers: they are no candidates."""
    done = PruneLines(unit="bit-line", share=0.9).run(graph, CTX)
    pruned = done.ir
    assert (layers(pruned)["dense"] != 0).all()
    (warning,) = done.warnings
    assert "fewer than the share of 0.9" in warning
    assert all((w != 0).any() for w in layers(pruned).values())


def test_channels_of_a_residual_addition_stay(tmp_path):
    nodes = [
        node("Conv", ["x", "a", "ab"], ["p"], name="a"),
        node("Conv", ["p", "d", "db"], ["q"], name="d", group=6),
        node("Add", ["p", "q"], ["r"], name="add"),
        node("Conv", ["r", "c"], ["y"], name="c"),
    ]
    weights = {"a": weight(6, 3, 1, 1), "ab": weight(6), "d": weight(6, 1, 1, 1), "db": weight(6),
               "c": weight(4, 6, 1, 1)}  # fmt: skip
    graph = frontend.load(save(tmp_path / "r.onnx", nodes, weights), {})
    done = PruneLines(share=0.5).run(graph, CTX)
    assert (layers(done.ir)["d"] != 0).all()
    assert "0 of 6 units (crossbar) can go" in done.warnings[0]


def test_by_the_scale_of_the_normalisation(tmp_path):
    """The channels of the smallest |gamma|, whatever their weights are."""
    norm = [node("BatchNormalization", ["r", "gm", "bt", "mn", "vr"], ["rn"], name="bn")]
    nodes = [*NODES[:3], *norm, node("Relu", ["rn"], ["s"], name="relu2"), *NODES[4:]]
    more = {"gm": np.array([3, -0.1, 2, 0.2, -4, 1], np.float32), "bt": weight(6),
            "mn": weight(6, seed=4), "vr": weight(6) ** 2 + 1}  # fmt: skip
    graph = frontend.load(save(tmp_path / "b.onnx", nodes, {**WEIGHTS, **more}), {})
    pruned = PruneLines(share=0.34, score="bn").run(graph, CTX).ir
    gone = (layers(pruned)["d"] == 0).all(axis=(1, 2, 3))
    assert np.flatnonzero(gone).tolist() == [1, 3]
    left = available()["drop-dead-channels"]().run(pruned, CTX).ir
    assert layers(left)["d"].shape == (4, 1, 3, 3)


# --- wanted losses


@pytest.mark.parametrize("method", ["ckf-loss", "crossbar-loss", "word-line-loss", "bit-line-loss"])
@pytest.mark.parametrize("labels", [True, False])
def test_a_wanted_loss_is_kept(graph, method, labels):
    truth = evaluate.outputs(lower(graph), {"x": X})["y"]
    y = truth.argmax(axis=1) if labels else None
    ctx = Context(IDEAL, {"x": X}, judged=Samples({"x": X}, y))
    wanted = 0.25
    pruned = pruning.parse(f"{method}:{wanted}").run(graph, ctx).ir
    found = evaluate.outputs(lower(pruned), {"x": X})["y"]
    if labels:
        lost = 1 - (found.argmax(axis=1) == y).mean()
    else:
        lost = (np.abs(found - truth).max(axis=1) / np.abs(truth).max(axis=1)).mean()
    assert lost <= wanted
    assert any((w == 0).any() for w in layers(pruned).values())
    again = pruning.parse(f"{method}:{wanted}").run(graph, ctx).ir
    assert all((layers(again)[n] == w).all() for n, w in layers(pruned).items())


@pytest.mark.parametrize(("wanted", "told"), [(0.05, True), (0.1, False)])
def test_a_wanted_loss_below_one_sample_is_a_warning(graph, wanted, told):
    judged = Samples({"x": X}, np.arange(12) % 3)
    ctx = Context(IDEAL, {"x": X}, judged=judged)
    warnings = pruning.parse(f"ckf-loss:{wanted}").run(graph, ctx).warnings
    assert [("less than one of the 12 samples" in text) for text in warnings] == [True] * told


def test_a_larger_loss_lets_more_go(graph):
    shares = []
    for wanted in (0.02, 0.1, 0.4):
        pruned = PruneCkf(loss=wanted, score="samples").run(graph, CTX).ir
        shares.append(sum(int((w == 0).sum()) for w in layers(pruned).values()))
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


@pytest.mark.parametrize("method", ["crossbar-samples:0.2", "ckf-loss:0.1", "ckf:0.3"])
def test_pruning_by_generated_samples_is_a_warning(graph, method):
    made_up = Context(IDEAL, {"x": X}, assumed_inputs=True)
    warnings = pruning.parse(method).run(graph, made_up).warnings
    assert bool(warnings) == (method != "ckf:0.3")


# --- words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("magnitude:0.5", "methods are ckf, ckf-layer"),
        ("ckff:0.5", r"no method 'ckff' \(did you mean 'ckf'\?\); methods are ckf, "),
        ("ckf", "ckf:AMOUNT"),
        ("ckf:many", "ckf:AMOUNT"),
        ("ckf:0", "share = 0 is not above 0 and below 1"),
        ("crossbar:1", "share = 1 is not"),
        ("ckf-threshold:-1", "above 0"),
        ("bit-line-loss:nan", "loss = nan is not"),
    ],
)
def test_what_makes_no_sense(text, words):
    with pytest.raises(ValueError, match=words):
        pruning.parse(text)
    with pytest.raises(MemxcError) as caught:
        pruning.passes_for([text, "nothing:1"])
    assert [fault.code for fault in caught.value.faults] == ["usage", "usage"]


@pytest.mark.parametrize(
    "change",
    [
        PruneCkf(), PruneCkf(share=0.1, loss=0.1), PruneCkf(share=1.5), PruneLines(share=-0.5),
        PruneLines(unit="word-line", share=0.1, score="bn"), PruneLines(share=0.1, score="bn"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(graph, change):
    with pytest.raises(MemxcError) as caught:
        change.run(graph, CTX)
    assert {fault.code for fault in caught.value.faults} == {"usage"}


def test_every_method_is_a_pass(graph):
    for method in pruning.METHODS:
        change = pruning.parse(f"{method}:0.2")
        if not pruning.before_folding(change):
            change.run(graph, CTX).ir.verify()


def test_no_depthwise_layer(tmp_path):
    nodes = [node("Conv", ["x", "c"], ["y"], name="c")]
    graph = frontend.load(save(tmp_path / "n.onnx", nodes, {"c": weight(4, 3, 1, 1)}), {})
    with pytest.raises(MemxcError, match="no depthwise convolution that could lose a crossbar"):
        PruneLines(share=0.2).run(graph, CTX)
