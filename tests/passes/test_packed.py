"""packed, compared with every possible layout, each of which is built and counted."""

from __future__ import annotations

import itertools
from math import prod

import pytest

from memxc import target
from memxc.interfaces import Context
from memxc.mapping import subimage
from memxc.mapping.layout import Layout, _flat, plan_layout
from memxc.mapping.shape import kernel_shape
from memxc.passes.partition import Partition
from memxc.passes.tile import Tile, tiles


def count(kernels, lines):
    return sum(part.groups * part.places for kernel in kernels for part in tiles(kernel, *lines))


def cheapest(kernel, lines):
    """Return the fewest unit crossbars over all patches and blocks, tried one by one."""
    found = [count([kernel], lines)]
    flat = _flat(kernel)
    form = kernel_shape(flat)
    sizes = [range(1, size + 1) for size in (*form.grid, form.channels, form.filters)]
    for *patch, channels, filters in itertools.product(*sizes):
        if prod(patch) * filters > lines[1]:
            continue
        whole = (channels, filters) == (form.channels, form.filters)
        blocks = subimage.channel_blocks(flat, form, channels, filters)
        for groups in range(1, form.groups + 1 if whole else 2):
            if groups * filters * prod(patch) > lines[1]:
                break
            joined = [b for block in blocks for b in subimage.join_groups(block, groups)]
            made = [subimage.merge(block, patch) for block in joined]
            bias = kernel.bias_lines if kernel.bias is not None else 0
            if all(part.rows + bias <= lines[0] for part in made):
                found.append(count(made, lines))
    return min(found)


NETS = [
    ({"sizes": (3, 5, 6, 7)}, (40, 24)),
    ({"sizes": (3, 5, 6, 7), "bias": False}, (40, 24)),
    ({"sizes": (2, 3, 5, 6), "stride": 2, "k": 3}, (24, 10)),
    ({"sizes": (4, 4, 4, 5), "groups": 4}, (60, 40)),
    ({"sizes": (4, 8, 5, 4), "groups": 2}, (64, 24)),
    ({"sizes": (6, 6, 3, 3), "groups": 6, "k": 5, "pad": 2}, (40, 64)),
    ({"sizes": (5, 4, 4, 5), "k": 1, "pad": 0}, (20, 24)),
    ({"sizes": (2, 2, 6, 5), "dilation": 2, "pad": 2}, (30, 12)),
    ({"sizes": (9, 4, 2, 2)}, (24, 10)),
    # One row of outputs: a patch grows along the other axis only.
    ({"sizes": (2, 3, 3, 9), "pad": 0}, (40, 24)),
]


@pytest.mark.parametrize(("net", "tile"), NETS)
def test_no_layout_takes_fewer(convolution, net, tile):
    sizes, rest = net["sizes"], {key: value for key, value in net.items() if key != "sizes"}
    design, lines = convolution(*sizes, **rest), (tile[0], tile[1] // 2)
    ctx = Context(target.load("ideal").with_tile(*tile), {})
    (kernel,) = design.stages[0].kernels
    done = Tile().run(Partition("packed").run(design, ctx).ir, ctx).ir.stages[0].kernels
    placed = sum(k.groups * k.places for k in done)
    layout = plan_layout(kernel, "packed", lines)
    assert placed == cheapest(kernel, lines)
    assert plan_layout(kernel, "none", lines).crossbars == count([kernel], lines)
    # A block of zeros alone would not be built.
    assert placed <= layout.crossbars
    assert layout.rows <= lines[0]
    assert layout.columns <= lines[1]


def test_it_says_what_it_chose(convolution):
    # 12 channels of 3x3, valid, on a 4 x 4 map: 16 inputs and 4 outputs each; 8 fill 128 rows.
    (kernel,) = convolution(12, 12, 4, 4, pad=0, groups=12, bias=False).stages[0].kernels
    assert plan_layout(kernel, "packed", (128, 64)) == Layout(
        kind="2D", patch=(2, 2), channels=1, filters=1, groups=8, rows=128, columns=32, crossbars=2
    )


def test_of_equal_layouts_the_one_with_fewer_devices_is_taken(convolution):
    # 2 x 2 taps on a 3 x 4 map: 2 x 3 places. Two crossbars hold 1 x 3 places each (8 inputs, 3
    # outputs), or 2 x 2 and 2 x 1 (9 inputs, 4 outputs).
    (kernel,) = convolution(1, 1, 3, 4, k=2, pad=0, bias=False).stages[0].kernels
    layout = plan_layout(kernel, "packed", (12, 4))
    assert (layout.patch, layout.rows, layout.columns, layout.crossbars) == ((1, 3), 8, 3, 2)


def test_a_patch_that_saves_nothing_is_not_made(convolution):
    # 9 taps fill the word lines, so each of the 18 x 16 places takes a crossbar either way.
    (kernel,) = convolution(1, 1, 20, 18, pad=0, bias=False).stages[0].kernels
    layout = plan_layout(kernel, "packed", (9, 4))
    assert (layout.patch, layout.crossbars) == ((), 288)


def test_empty_corners_of_blocks_side_by_side_are_not_built(convolution):
    # Two groups of 4 inputs and 3 outputs on one kernel of 8 x 6: only two of four tiles are used.
    (kernel,) = convolution(2, 6, 4, 5, k=2, pad=0, groups=2, bias=False).stages[0].kernels
    (joined,) = subimage.join_groups(kernel, 2)
    assert (joined.rows, joined.columns) == (8, 6)
    assert count([joined], (4, 3)) == 2 * joined.places
