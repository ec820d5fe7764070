"""drop-lines: rows and blocks of zeros are not built, and the outputs stay the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc import target
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.passes.drop_lines import DropLines
from memxc.passes.partition import Partition
from memxc.passes.tile import Tile

CTX = Context(target.load("ideal").with_tile(12, 10), {})
X = {"x": np.random.default_rng(2).normal(size=(3, 3, 7, 5))}


def with_zeros(design: Design, rows, columns=slice(None)) -> Design:
    """Return the design with some weights of its only kernel at zero."""
    (stage,) = design.stages
    (kernel,) = stage.kernels
    values = kernel.values.reshape(kernel.groups, kernel.rows, kernel.columns).copy()
    values[:, rows, columns] = 0
    return design.with_stages(
        [replace(stage, kernels=(replace(kernel, values=values.reshape(kernel.groups, -1)),))]
    )


def same(ours: Design, theirs: Design) -> bool:
    ours.verify()
    a, b = (evaluate.outputs(d, X)["y"] for d in (ours, theirs))
    return bool(np.abs(a - b).max() <= 1e-12 * np.abs(b).max())


def rows(design: Design) -> list[int]:
    return [kernel.rows for kernel in design.stages[0].kernels]


@pytest.mark.parametrize("policy", ["none", "packed"])
def test_word_lines_of_zeros(convolution, policy):
    design = with_zeros(convolution(3, 4, 7, 5), [0, 1, 2, 7, 13, 20, 26])
    laid = Partition(policy).run(design, CTX).ir
    done = DropLines().run(laid, CTX).ir
    assert same(done, design)
    if policy == "none":
        assert rows(done) == [20]
        # 27 rows and a bias on 12 lines are three tiles, 20 and a bias two.
        parts = [Tile().run(d, CTX).ir.stages[0].kernels for d in (laid, done)]
        assert [sum(k.groups for k in part) for part in parts] == [3, 2]


def test_blocks_of_zeros(convolution):
    """A tile of zeros is dropped if the bias of another tile drives its lanes."""
    zeros = with_zeros(convolution(3, 4, 7, 5), slice(0, 12))
    tiled = Tile().run(zeros, CTX).ir
    done = DropLines().run(tiled, CTX).ir
    assert [sum(k.groups for k in d.stages[0].kernels) for d in (tiled, done)] == [3, 2]
    assert same(done, zeros)


def test_lanes_without_a_bias_stay_driven(convolution):
    zeros = with_zeros(convolution(3, 4, 7, 5, bias=False), slice(None))
    for design in (zeros, Tile().run(zeros, CTX).ir):
        done = DropLines().run(design, CTX).ir
        driven = np.concatenate([k.sinks.nets().ravel() for k in done.stages[0].kernels])
        assert set(driven.tolist()) == set(range(4 * 35))
        assert set(rows(done)) == {1}
        assert same(done, zeros)


def test_depthwise_blocks_with_a_bias_keep_their_place(convolution):
    """A row is dropped only if it is zero in every block of the stack."""
    design = with_zeros(convolution(3, 3, 7, 5, groups=3), [1, 4])
    done = DropLines().run(design, CTX).ir
    assert rows(done) == [7]
    assert same(done, design)
    (stage,) = design.stages
    values = stage.kernels[0].values.copy()
    values[0, 1] = 1.0
    kernel = replace(stage.kernels[0], values=values)
    other = design.with_stages([replace(stage, kernels=(kernel,))])
    assert rows(DropLines().run(other, CTX).ir) == [8]


def test_nothing_but_a_bias(convolution):
    design = with_zeros(convolution(3, 4, 7, 5), slice(None))
    done = DropLines().run(design, CTX).ir
    assert rows(done) == [0]
    assert same(done, design)
