"""The sizes that a pass record counts, on a layer small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc import target
from memxc.compiler.record import counts
from memxc.interfaces import Context
from memxc.passes.calibrate import Calibrate
from memxc.passes.program import Program


@pytest.mark.parametrize(
    ("schedule", "crossbars", "memristors"),
    [("parallel", 12, 12 * 54), ("sequential", 1, 54)],
)
def test_places_that_take_turns_multiply_at_each_of_them(
    convolution, schedule, crossbars, memristors
):
    """A kernel of 3 x 3 at 3 x 4 places, 3 outputs, no bias: 27 pairs of memristors.

    Two of the 27 weights are zero, so there are 25 multiplications at each place, whether each
    place has a crossbar of its own or all take turns on one.
    """
    design = convolution(1, 3, 3, 4, bias=False)
    (stage,) = design.stages
    (kernel,) = stage.kernels
    kernel.values[0, [4, 17]] = 0.0
    design = design.with_stages([replace(stage, schedule=schedule)])
    ctx = Context(target.load("paper-128"), {"x": np.ones((2, 1, 3, 4))})
    programmed = Program().run(Calibrate().run(design, ctx).ir, ctx).ir
    for found in (counts(design), counts(programmed)):
        assert found["multiplications"] == 25 * 12
        assert found["parameters"] == 25
        assert found["crossbars"] == crossbars
        assert found["memristors"] == memristors
