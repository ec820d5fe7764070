"""Latency: the longest path from an input to an output, in stages and in calculation periods."""

from __future__ import annotations

from memxc.backends.cost.resources import periods
from memxc.backends.cost.rows import Latency
from memxc.ir.design import Design
from memxc.ir.stages import Array, Lanes


def measure(design: Design, stage_time_s: float) -> Latency:
    """Return the length of the path with most periods; among equals, of the one with most stages.

        inference time = periods * stage time

    stage_time_s: seconds that one stage takes in one period.
    """
    longest = dict.fromkeys(design.inputs, (0, 0))
    for stage in design.stages:
        spent, passed = max((longest[src] for src in stage.srcs), default=(0, 0))
        if isinstance(stage, Array | Lanes):
            spent, passed = spent + periods(stage), passed + 1
        longest[stage.dst] = (spent, passed)
    spent, passed = max((longest[name] for name in design.outputs), default=(0, 0))
    return Latency(
        critical_path_stages=passed,
        periods=spent,
        stage_time_s=stage_time_s,
        inference_s=spent * stage_time_s,
    )
