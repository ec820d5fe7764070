"""Units of a stage contain exactly what they need."""

from __future__ import annotations

import numpy as np

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
