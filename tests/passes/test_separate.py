"""separate: exact for a kernel of that rank, and the nearest pair on the samples otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc import passes, target
from memxc.analysis import separable
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.evaluation.samples import Samples
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower
from memxc.passes import separate
from memxc.passes.separate import Separate

RNG = np.random.default_rng


def low_rank(filters, channels, taps, rank, seed=0):
    """A kernel that is a sum of `rank` pairs of a pointwise and a depthwise kernel."""
    rng = RNG(seed)
    pointwise = rng.normal(size=(filters, channels, rank))
    depthwise = rng.normal(size=(channels, rank, *taps))
    return np.einsum("ncr,cr...->nc...", pointwise, depthwise)


def network(layers, size=(9, 7)):
    """Convolutions in a chain with a Relu between each two: (weight, bias or None, attributes)."""
    nodes, weights, shapes = [], {}, {"x": (1, layers[0][0].shape[1], *size)}
    src = "x"
    for number, (weight, bias, attrs) in enumerate(layers):
        inputs = [src, f"w{number}"]
        weights[f"w{number}"] = weight
        if bias is not None:
            weights[f"b{number}"] = bias
            inputs.append(f"b{number}")
        stride, pads = attrs.get("strides", (1, 1)), attrs.get("pads", (1, 1, 1, 1))
        dilation = attrs.get("dilations", (1, 1))
        size = tuple(
            (n + pads[i] + pads[i + 2] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i]
            + 1
            for i, n in enumerate(size)
        )
        shapes[f"y{number}"] = shapes[f"r{number}"] = (1, len(weight), *size)
        slide = {"pads": pads, **attrs}
        nodes.append(Node(f"conv{number}", "Conv", tuple(inputs), (f"y{number}",), slide))
        nodes.append(Node(f"relu{number}", "Relu", (f"y{number}",), (f"r{number}",)))
        src = f"r{number}"
    nodes.pop()
    shapes |= {name: value.shape for name, value in weights.items()}
    del shapes[src]
    return Graph("net", ("x",), (f"y{len(layers) - 1}",), tuple(nodes), shapes, weights, 17)


def images(count, channels, size=(9, 7), seed=1, smooth=True):
    """Return smooth pictures with correlated channels, as in a network."""
    noise = RNG(seed).normal(size=(count, channels, size[0] + 4, size[1] + 4))
    if smooth:
        mixed = noise + 2 * noise.mean(axis=1, keepdims=True)
        noise = sum(np.roll(mixed, (i, j), (2, 3)) for i in range(3) for j in range(4))
    return noise[:, :, 2:-2, 2:-2].astype(np.float32)


def context(x, labels=None):
    return Context(target.load("paper-128"), {"x": x}, judged=Samples({"x": x}, labels))


def answers(graph, x):
    graph.verify()
    return evaluate.outputs(lower(graph), {"x": x})[graph.outputs[0]]


def error(graph, changed, x):
    right = answers(graph, x)
    return float(np.square(answers(changed, x) - right).mean() / right.var())


SLIDES = [
    {},
    {"strides": (2, 1)},
    {"pads": (0, 2, 1, 0)},
    {"dilations": (2, 1), "pads": (2, 0, 1, 1)},
    {"strides": (1, 3), "pads": (0, 0, 0, 0)},
]


@pytest.mark.parametrize("slide", SLIDES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rank", [1, 2])
def test_kernels_of_that_rank_are_found_exactly(slide, bias, rank):
    weight = low_rank(5, 3, (3, 2), rank)
    graph = network([(weight, RNG(5).normal(size=5) if bias else None, slide)])
    x = images(20, 3)
    changed = Separate(rank=rank).run(graph, context(x)).ir
    depthwise, pointwise = changed.nodes
    assert (depthwise.attrs["group"], changed.weights[depthwise.inputs[1]].shape) == (
        3,
        (3 * rank, 1, 3, 2),
    )
    assert changed.weights[pointwise.inputs[1]].shape == (5, 3 * rank, 1, 1)
    assert error(graph, changed, x) < 1e-10
    # Also on pictures that it was not fitted to, unlike those.
    assert error(graph, changed, images(3, 3, seed=9, smooth=False)) < 1e-9


def test_a_layer_of_higher_rank_is_not_found_by_a_lower_one():
    graph = network([(low_rank(5, 3, (3, 2), 2), None, {})])
    x = images(20, 3)
    assert error(graph, Separate(rank=1).run(graph, context(x)).ir, x) > 1e-3


def weights_alone(weight):
    """The nearest rank 1 kernel by the weights, channel by channel."""
    filters, channels = weight.shape[:2]
    found = np.empty((filters, channels, weight[0, 0].size))
    for c in range(channels):
        u, s, v = np.linalg.svd(weight[:, c].reshape(filters, -1), full_matrices=False)
        found[:, c] = s[0] * np.outer(u[:, 0], v[0])
    return found.reshape(weight.shape)


def near_low_rank(filters, channels, taps, seed, far=0.5):
    """A kernel that a pair comes near to."""
    rest = RNG(seed).normal(size=(filters, channels, *taps))
    return low_rank(filters, channels, taps, 1, seed) + far * rest


@pytest.mark.parametrize("seed", range(4))
def test_fitting_activations_beats_fitting_weights(seed):
    # A third of the error gone at least, on pictures of the same kind that were not fitted to.
    weight = near_low_rank(8, 6, (3, 3), seed)
    graph, plain = network([(weight, None, {})]), network([(weights_alone(weight), None, {})])
    changed = Separate().run(graph, context(images(60, 6, seed=seed))).ir
    fresh = images(40, 6, seed=seed + 50)
    assert error(graph, changed, fresh) < error(graph, plain, fresh) / 1.5


def test_a_kernel_a_thousandth_as_large_is_fitted_alike():
    weight, x = near_low_rank(6, 4, (3, 2), 0), images(20, 4)
    one, small = (
        answers(Separate().run(network([(share * weight, None, {})]), context(x)).ir, x)
        for share in (1.0, 1e-3)
    )
    assert np.abs(1e3 * small - one).max() < 1e-9 * np.abs(one).max()


def test_a_system_with_too_many_unknowns_is_not_solved(monkeypatch):
    """Depthwise kernels of 3 channels, rank 2 and 6 taps are 36 unknowns."""
    graph, x = network([(near_low_rank(6, 3, (3, 2), 0), None, {})]), images(20, 3)
    missed = []
    for most in (36, 35):
        monkeypatch.setattr(separable, "_MOST", most)
        missed.append(error(graph, Separate(rank=2).run(graph, context(x)).ir, x))
    assert missed[0] < 0.9 * missed[1]


def test_a_fit_uses_as_many_samples_as_its_bound_allows(monkeypatch):
    """The output is the widest bus: 6 channels of 9 x 8 numbers a sample."""
    graph, x = network([(near_low_rank(6, 4, (3, 2), 0), None, {})]), images(20, 4)
    wanted = Separate().run(graph, context(x[:3])).ir.weights
    monkeypatch.setattr(separate, "_FITTED", 4 * 6 * 9 * 8 - 1)
    found = Separate().run(graph, context(x)).ir.weights
    assert all((found[name] == wanted[name]).all() for name in wanted)


def test_later_layers_make_up_for_earlier_ones():
    # Fitting the second layer to the true inputs, and not to the changed ones, is worse.
    layers = [(near_low_rank(6, 6, (3, 3), seed), None, {}) for seed in range(2)]
    graph, x = network(layers), images(80, 6)
    both = Separate().run(graph, context(x)).ir
    first = Separate().run(network(layers[:1]), context(x)).ir
    middle = np.maximum(answers(network(layers[:1]), x), 0).astype(np.float32)
    second = Separate().run(network(layers[1:]), context(middle)).ir
    alone = answers(second, np.maximum(answers(first, x), 0).astype(np.float32))
    right = answers(graph, x)
    assert error(graph, both, x) < 0.95 * np.square(alone - right).mean() / right.var()


def test_a_bias_is_kept_and_one_comes_where_the_mean_needs_it():
    graph = network([(RNG(3).normal(size=(7, 4, 3, 3)), None, {})])
    x = images(50, 4) + 3
    changed = Separate().run(graph, context(x)).ir
    apart = answers(changed, x) - answers(graph, x)
    assert abs(apart.mean()) < 1e-9 * np.abs(apart).max()
    assert np.abs(apart.mean(axis=(0, 2, 3))).max() < 1e-9 * np.abs(apart).max()


def test_a_sum_takes_up_the_error_of_what_it_is_added_to():
    # z = conv0(x) + conv1(x): what conv0 of rank 2 misses as a pair, conv1 can give, for it is
    # nothing by itself.
    first = low_rank(5, 3, (3, 2), 2)
    graph = network([(first, None, {})])
    second = Node("conv1", "Conv", ("x", "w1"), ("y1",), {"pads": (1, 1, 1, 1)})
    nodes = (*graph.nodes, second, Node("sum", "Add", ("y0", "y1"), ("z",)))
    shapes = {**graph.shapes, "w1": first.shape} | dict.fromkeys(("y1", "z"), graph.shapes["y0"])
    weights = {**graph.weights, "w1": 0 * first}
    summed = Graph("net", ("x",), ("z",), nodes, shapes, weights, 17)
    x = images(30, 3)
    alone = error(graph, Separate().run(graph, context(x)).ir, x)
    assert error(summed, Separate().run(summed, context(x)).ir, x) < alone / 3


def rectified(graph):
    """The same network with a Relu at its end."""
    nodes = (*graph.nodes, Node("relu", "Relu", graph.outputs, ("z",)))
    shapes = {**graph.shapes, "z": graph.shapes[graph.outputs[0]]}
    return Graph("net", graph.inputs, ("z",), nodes, shapes, graph.weights, 17)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_rectifier_hides_is_not_fitted(seed):
    # Pictures of two kinds, with upright and with lying stripes, for which one channel would need
    # two kernels. For those with lying ones another channel keeps all answers below zero.
    rng = RNG(seed)
    weight = np.zeros((8, 2, 3, 3))
    weight[:, 0, 1, 0], weight[:, 0, 1, 2] = -(across := rng.normal(size=8)), across
    weight[:, 0, 0, 1], weight[:, 0, 2, 1] = -(down := rng.normal(size=8)), down
    weight[:, 1, 1, 1] = -50
    x = np.zeros((60, 2, 9, 7), np.float32)
    x[:30, 0] = rng.normal(size=(30, 1, 7))
    x[30:, 0] = rng.normal(size=(30, 9, 1))
    x[30:, 1] = 1
    plain, ctx = network([(weight, None, {"pads": (0, 0, 0, 0)})]), context(x)
    graph = rectified(plain)
    found = error(graph, Separate().run(graph, ctx).ir, x)
    assert found < 0.75 * error(graph, rectified(Separate().run(plain, ctx).ir), x)


def test_layers_that_save_nothing_are_told():
    graph, ctx = chain(), context(images(10, 6))
    (warning,) = Separate(ratio=0.5).run(graph, ctx).warnings
    assert "2 of 2 layers take no fewer unit crossbars" in warning
    ctx = context(images(10, 6))
    assert Separate(ratio=0.5, partition="paper").run(graph, ctx).warnings == ()


def test_nothing_changes_without_a_share_or_a_layer_that_can_be():
    graph = network([(low_rank(5, 3, (3, 3), 1), None, {})])
    x = images(4, 3)
    assert Separate(ratio=0.0).run(graph, context(x)).ir is graph
    assert Separate(rank=5).run(graph, context(x)).ir is graph


def test_layers_that_are_separate_already_stay_as_they_are():
    layers = [
        (RNG(0).normal(size=(4, 1, 3, 3)), None, {"group": 4}),
        (RNG(1).normal(size=(6, 4, 1, 1)), RNG(2).normal(size=6), {"pads": (0, 0, 0, 0)}),
        (RNG(3).normal(size=(5, 6, 3, 2)), None, {}),
    ]
    layers[0] = (layers[0][0].repeat(1, axis=1), None, layers[0][2])
    graph = network(layers)
    graph = Graph(
        graph.name, graph.inputs, graph.outputs, graph.nodes,
        {**graph.shapes, "x": (1, 4, 9, 7)}, graph.weights, 17,
    )  # fmt: skip
    changed = Separate().run(graph, context(images(20, 4))).ir
    assert changed.nodes[:4] == graph.nodes[:4]
    assert all(changed.weights[name] is graph.weights[name] for name in ("w0", "w1", "b1"))
    assert [node.name for node in changed.nodes[4:]] == ["conv2/depthwise", "conv2/pointwise"]
    assert "w2" not in changed.weights


def separated(changed):
    return [node.name for node in changed.nodes if node.name.endswith("/depthwise")]


def chain(count=4, easy=2):
    """Layers of equal size, one of them nearly of rank 1."""
    weights = [near_low_rank(6, 6, (3, 3), seed) / 5 for seed in range(count)]
    weights[easy] = low_rank(6, 6, (3, 3), 1, seed=8) / 5 + 1e-3 * weights[easy]
    return network([(weight, None, {}) for weight in weights])


def test_the_layer_of_least_error_comes_first():
    graph, x = chain(), images(30, 6)
    found = separated(Separate(ratio=0.25, partition="paper").run(graph, context(x)).ir)
    assert found == ["conv2/depthwise"]


@pytest.mark.parametrize(("ratio", "layers"), [(0.24, 0), (0.5, 2), (0.74, 2), (1.0, 4)])
def test_a_share_of_the_layers(ratio, layers):
    changed = Separate(ratio=ratio).run(chain(), context(images(10, 6))).ir
    assert len(separated(changed)) == layers


def test_of_equal_error_the_one_that_saves_more_crossbars_comes_first():
    # The second layer slides in steps of two: a quarter of the crossbars.
    weight = RNG(0).normal(size=(6, 6, 3, 3))
    graph = network([(weight, None, {}), (weight, None, {"strides": (2, 2)})], size=(21, 18))
    ctx = context(images(10, 6, (21, 18)))
    assert separated(Separate(ratio=0.5, partition="paper").run(graph, ctx).ir) == [
        "conv0/depthwise"
    ]


def test_a_layer_whose_places_take_turns_saves_no_crossbars():
    """One crossbar computes all places of such a layer, and separated it would need two."""
    weight = RNG(0).normal(size=(6, 6, 3, 3))
    graph = network([(weight, None, {}), (weight, None, {"strides": (2, 2)})], size=(21, 18))
    ctx = replace(context(images(10, 6, (21, 18))), stage_set={"conv0": {"schedule": "sequential"}})
    first = Separate(ratio=0.5, partition="paper").run(graph, ctx)
    assert separated(first.ir) == ["conv1/depthwise"]
    assert first.warnings == ()
    sequential = Separate(partition="paper", schedule="sequential").run(graph, ctx)
    assert "2 of 2 layers take no fewer unit crossbars" in sequential.warnings[0]


def test_no_more_is_lost_than_wanted():
    graph, x = chain(), images(30, 6)
    right = answers(graph, x)
    worst = 0
    for loss, least, most in ((1e-6, 0, 0), (0.2, 1, 3), (1e9, 4, 4)):
        changed = Separate(loss=loss, partition="paper").run(graph, context(x)).ir
        apart = np.abs(answers(changed, x) - right).reshape(len(x), -1).max(axis=1)
        lost = (apart / np.abs(right).reshape(len(x), -1).max(axis=1)).mean()
        assert lost <= loss
        assert least <= len(separated(changed)) <= most
        worst = max(worst, lost)
    assert worst > 0.2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_layers_as_the_loss_allows(count):
    graph, x = chain(), images(30, 6)
    right = answers(graph, x).reshape(len(x), -1)
    first = Separate(ratio=count / 4, partition="paper").run(graph, context(x)).ir
    apart = np.abs(answers(first, x).reshape(len(x), -1) - right).max(axis=1)
    lost = (apart / np.abs(right).max(axis=1)).mean()
    changed = Separate(loss=1.01 * lost, partition="paper").run(graph, context(x)).ir
    assert separated(changed) == separated(first)
    assert len(separated(changed)) == count


def test_the_same_bytes_twice():
    graph, x = chain(), images(12, 6)
    one, two = (Separate(ratio=0.5).run(graph, context(x)).ir for _ in range(2))
    assert one.weights.keys() == two.weights.keys()
    assert all(one.weights[n].tobytes() == two.weights[n].tobytes() for n in one.weights)


def test_samples_of_zeros_fit_the_weights():
    weight = low_rank(5, 3, (3, 2), 1)
    graph = network([(weight, None, {})])
    changed = Separate().run(graph, context(np.zeros((2, 3, 9, 7), np.float32))).ir
    assert error(graph, changed, images(4, 3)) < 1e-10


def test_names_that_are_taken():
    graph = network([(low_rank(5, 3, (3, 2), 1), None, {}), (np.ones((2, 5, 1, 1)), None, {})])
    nodes = [
        Node(n.name, n.op, tuple(_taken(i) for i in n.inputs), tuple(map(_taken, n.outputs)),
             n.attrs) for n in graph.nodes
    ]  # fmt: skip
    shapes = {_taken(name): shape for name, shape in graph.shapes.items()}
    graph = Graph("n", ("x",), ("y1",), tuple(nodes), shapes, graph.weights, 17)
    x = images(6, 3)
    assert error(graph, Separate().run(graph, context(x)).ir, x) < 1e-10


def _taken(name):
    return "y0/depthwise" if name == "r0" else name


@pytest.mark.parametrize(
    "text", ["ratio=1.5", "ratio=-1", "rank=0", "loss=-1", "loss=nan", "partition=best", "ratio=x"]
)
def test_options_that_make_no_sense(text):
    with pytest.raises(MemxcError) as caught:
        passes.parse(f"separate{{{text}}}")
    assert caught.value.faults[0].code == "usage"
