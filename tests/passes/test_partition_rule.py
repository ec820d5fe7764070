"""The paper's rule, compared with numbers computed by hand (docs/papers.md), and its crossbars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc import target
from memxc.backends.cost import kernels, paper_rule
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ir.stages import Linear
from memxc.mapping import subimage
from memxc.mapping.layout import plan_layout
from memxc.ops.lower import lower
from memxc.passes.partition import Partition
from memxc.passes.tile import Tile


def context(rows, columns=None):
    return Context(target.load("ideal").with_tile(rows, columns or rows), {})


def built(design, ctx, policy):
    """Unit crossbars that a design really has, by stage."""
    for change in (Partition(policy), Tile()):
        design = change.run(design, ctx).ir
        design.verify()
    stages = [stage for stage in design.stages if isinstance(stage, Linear)]
    return {stage.name: sum(k.groups * k.places for k in stage.kernels) for stage in stages}


@pytest.mark.parametrize(
    ("tile", "policy", "sizes", "patch", "rows", "crossbars"),
    [
        # k = 3, stride 1, C = 3 and N = 5 on 33 x 44: t = 8 and S = 10, or t = 11 and S = 13.
        ((128, 128), "paper", {}, (8, 8), 100, 5 * 6 * 15),
        ((256, 256), "paper", {}, (11, 11), 169, 3 * 4 * 15),
        # 8 x 16 fits 256 x 256 exactly: 10 x 18 rows, 128 outputs.
        ((256, 256), "paper-rectangular", {"size": (16, 48)}, (8, 16), 180, 2 * 3 * 15),
        ((256, 256), "paper", {"size": (16, 48)}, (11, 11), 169, 2 * 5 * 15),
        # Stride 2 on 17 x 22 outputs: t = 5, S = 11; S = 2 t + 1 <= sqrt(256) is t = 7, S = 15.
        ((128, 128), "paper", {"stride": 2}, (5, 5), 121, 4 * 5 * 15),
        ((256, 256), "paper", {"stride": 2}, (7, 7), 225, 3 * 4 * 15),
        # k = 5 with its border: S = t + 4 <= 11 is t = 7.
        ((128, 128), "paper", {"k": 5, "pad": 2}, (7, 7), 121, 5 * 7 * 15),
        # More rows than columns need, and a patch no larger than the map.
        ((400, 32), "paper", {}, (4, 4), 36, 9 * 11 * 15),
        ((4000, 8000), "paper", {}, (33, 33), 35 * 35, 1 * 2 * 15),
    ],
)
def test_3d_kernels(convolution, tile, policy, sizes, patch, rows, crossbars):
    sizes = {**sizes}
    design = convolution(3, 5, *sizes.pop("size", (33, 44)), bias=False, **sizes)
    layout = plan_layout(design.stages[0].kernels[0], policy, (tile[0], tile[1] // 2))
    found = (layout.kind, layout.patch, layout.rows, layout.columns, layout.crossbars)
    assert found == ("3D", patch, rows, patch[0] * patch[1], crossbars)
    assert built(design, context(*tile), policy) == {"conv": crossbars}


@pytest.mark.parametrize(("tile", "crossbars"), [(128, 5 * 6 * 7), (256, 3 * 4 * 7)])
def test_2d_kernels_take_a_crossbar_a_channel(convolution, tile, crossbars):
    design = convolution(7, 7, 33, 44, groups=7, bias=False)
    assert built(design, context(tile), "paper") == {"conv": crossbars}
    (layout,) = paper_rule.layouts(design, "paper", context(tile))
    assert (layout.kind, layout.crossbars) == ("2D", crossbars)


@pytest.mark.parametrize(
    ("channels", "filters", "tile", "pixels", "parts", "lines"),
    [
        (16, 16, 128, 4, 1, (64, 64)),  # 64 outputs of 16 filters: 4 pixels, 64 of 128 rows
        (48, 6, 128, 2, 1, (96, 12)),  # the rows allow two, the columns ten
        (64, 64, 128, 1, 1, (64, 64)),
        (64, 64, 256, 2, 1, (128, 128)),
        (150, 7, 128, 1, 2, (128, 7)),  # two row parts
        (20, 200, 128, 1, 4, (20, 64)),  # four column parts
        (150, 200, 128, 1, 8, (128, 64)),
    ],
)
def test_1d_kernels_have_pixels_side_by_side(
    convolution, channels, filters, tile, pixels, parts, lines
):
    design = convolution(channels, filters, 9, 13, k=1, pad=0, bias=False)
    wanted = -(-9 * 13 // pixels) * parts
    assert built(design, context(tile), "paper") == {"conv": wanted}
    (layout,) = paper_rule.layouts(design, "paper", context(tile))
    assert (layout.kind, layout.patch, layout.crossbars) == ("1D", (pixels,), wanted)
    assert (layout.rows, layout.columns) == lines


@pytest.mark.parametrize(("filters", "kind"), [(1, "2D"), (4, "3D")])
def test_one_channel_with_one_filter_is_a_2d_kernel(convolution, filters, kind):
    """As `separate` leaves the depthwise half of a layer with one channel."""
    design = convolution(1, filters, 9, 7)
    (layout,) = paper_rule.layouts(design, "paper", context(128))
    assert layout.kind == kind


@pytest.mark.parametrize("policy", ["packed", "paper", "paper-rectangular", "none"])
def test_a_kernel_that_only_reads_the_border(convolution, policy):
    """1 x 1 at one place beyond the map: no word line reaches a net."""
    kernel = convolution(3, 4, 1, 2, k=1, stride=9, pad=4, bias=False).stages[0].kernels[0]
    assert plan_layout(kernel, policy, (128, 64)).crossbars >= 1


def test_a_kernel_with_empty_corners_has_the_inputs_of_its_widest_column(convolution):
    """Two groups of 4 inputs and 3 outputs, side by side: no output has more than 4 inputs."""
    design = convolution(2, 6, 4, 5, k=2, pad=0, groups=2, bias=False)
    (stage,) = design.stages
    joined = tuple(subimage.join_groups(stage.kernels[0], 2))
    found = kernels.measure(design.with_stages([replace(stage, kernels=joined)]))
    assert (found.kernels, found.layer_inputs) == (6, 4)


def test_a_bias_line_without_room_is_built_but_not_in_the_rule(convolution):
    # 128 inputs fill the word lines: each pixel's bias gets a crossbar of its own.
    design, ctx = convolution(128, 7, 5, 4, k=1, pad=0), context(128)
    assert paper_rule.measure(design, ctx).square.total == 20
    assert built(design, ctx, "paper") == {"conv": 40}


#: The nineteen 3x3 layers of ResNet-20: channels, filters, stride, side of the output.
RESNET20 = [
    (3, 16, 1, 32),
    *[(16, 16, 1, 32)] * 6,
    (16, 32, 2, 16),
    *[(32, 32, 1, 16)] * 5,
    (32, 64, 2, 8),
    *[(64, 64, 1, 8)] * 5,
]


def resnet20(separable):
    """Its convolutions and its head in a chain; whether each is a 2D and a 1D kernel."""
    nodes, weights, shapes = [], {}, {"x": (1, 3, 32, 32)}
    src = "x"

    def add(op, name, weight, shape, **attrs):
        nonlocal src
        weights[f"{name}/w"] = weight.astype(np.float32)
        nodes.append(Node(name, op, (src, f"{name}/w"), (name,), attrs))
        shapes[name], src = shape, name

    slide = {"pads": (1, 1, 1, 1)}
    for number, (c, n, stride, side) in enumerate(RESNET20):
        name, steps = f"layer{number}", {"strides": (stride, stride)}
        if separable[number]:
            ones = np.ones((c, 1, 3, 3))
            add("Conv", f"{name}/2d", ones, (1, c, side, side), **slide, **steps, group=c)
            add("Conv", f"{name}/1d", np.ones((n, c, 1, 1)), (1, n, side, side))
        else:
            add("Conv", name, np.ones((n, c, 3, 3)), (1, n, side, side), **slide, **steps)
        nodes.append(Node(f"{name}/relu", "Relu", (src,), (f"{name}/r",)))
        shapes[f"{name}/r"], src = shapes[src], f"{name}/r"
    nodes.append(Node("flat", "Flatten", (src,), ("flat",)))
    shapes["flat"], src = (1, 64 * 8 * 8), "flat"
    add("MatMul", "head", np.ones((64 * 8 * 8, 10)), (1, 10))
    shapes |= {name: value.shape for name, value in weights.items()}
    return lower(Graph("resnet20", ("x",), ("head",), tuple(nodes), shapes, weights, 17))


@pytest.mark.parametrize(
    ("tile", "as_3d", "as_2d", "as_1d"), [(128, 82_688, 2_928, 2_944), (256, 68_016, 2_123, 1_472)]
)
def test_resnet20_as_in_the_paper(tile, as_3d, as_2d, as_1d):
    ctx = context(tile)
    full, pairs = (paper_rule.measure(resnet20([which] * 19), ctx).square for which in (0, 1))
    assert (full.kernels_3d, full.kernels_2d, full.kernels_1d, full.total) == (as_3d, 0, 0, as_3d)
    assert (pairs.kernels_3d, pairs.kernels_2d, pairs.kernels_1d) == (0, as_2d, as_1d)
    assert round(100 * (1 - pairs.total / full.total), 1) == {128: 92.9, 256: 94.7}[tile]
    # The report of each network also has the count of the other one.
    assert (full.as_3d, full.as_2d_1d) == (as_3d, as_2d + as_1d)
    assert (pairs.as_3d, pairs.as_2d_1d) == (as_3d, as_2d + as_1d)


@pytest.mark.parametrize("which", [0, 1])
def test_resnet20_is_built_as_it_is_counted(which):
    design, ctx = resnet20([which] * 19), context(128)
    head = -(-64 * 8 * 8 // 128)
    done = built(design, ctx, "paper")
    assert done.pop("head") == head
    assert sum(done.values()) == paper_rule.measure(design, ctx).square.total


def test_half_of_resnet20_takes_about_half():
    # Every second layer, as the trained networks have it: the first layers of all blocks.
    ctx = context(128)
    full, half = (
        paper_rule.measure(resnet20([which and n % 2 == 1 for n in range(19)]), ctx).square
        for which in (False, True)
    )
    assert 0.45 < half.total / full.total < 0.55
