"""Units of a stage contain exactly what they need."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import target
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower
from memxc.passes import parse
from memxc.verify import stage_units


def test_a_unit_holds_no_lanes_of_others(design):
    """A column for every lane of the stage took 16 GB for a convolution of onet.onnx."""
    for stage in design.arrays:
        for unit in stage_units.array_units(stage):
            held = unit.lanes if unit.lanes.base is None else unit.lanes.base
            lines = sum(unit.crossbar(placed).bit_lines for placed in unit.placed)
            assert held.size <= len(unit.inputs) * lines


def test_every_lane_is_that_of_one_unit(design):
    for stage in design.arrays:
        found = np.concatenate([unit.lanes.reshape(-1) for unit in stage_units.array_units(stage)])
        assert sorted(found.tolist()) == list(range(len(stage.r_f)))


@pytest.mark.parametrize(("outputs", "units"), [(1, [2]), (3, [2, 2])])
def test_row_parts_of_the_same_lanes_are_one_unit(outputs, units):
    """A dense layer 7 -> 1 or 3 on crossbars of 4 rows and 2 outputs: two parts of the rows."""
    weights = {"w": np.random.default_rng(0).normal(size=(7, outputs))}
    shapes = {"x": (1, 7), "y": (1, outputs), "w": (7, outputs)}
    nodes = (Node("dense", "Gemm", ("x", "w"), ("y",)),)
    made = lower(Graph("net", ("x",), ("y",), nodes, shapes, weights, 17))
    ctx = Context(target.load("ideal").with_tile(4, 4), {"x": np.ones((1, 7))})
    for change in parse("calibrate,schedule,partition{policy=none},tile,program"):
        made = change.run(made, ctx).ir
    found = [len(unit.placed) for stage in made.arrays for unit in stage_units.array_units(stage)]
    assert found == units
