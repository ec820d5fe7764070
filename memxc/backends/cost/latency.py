"""Latency: the longest way from an input to an output, in stages and in calculation periods."""

from __future__ import annotations

from dataclasses import dataclass

from memxc.backends.cost.resources import periods
from memxc.ir.design import Design
from memxc.ir.stages import Array, Lanes


@dataclass(frozen=True)
class Latency:
    """The critical path. Wires and what stays digital take no time; a limiter is no stage."""

    critical_path_stages: int
    periods: int
    stage_time_s: float

    @property
    def inference_s(self) -> float:
        """Seconds from input to output."""
        return self.periods * self.stage_time_s


def measure(design: Design, stage_time_s: float) -> Latency:
    """The path with most periods, and of those the one with most stages."""
    longest = dict.fromkeys(design.inputs, (0, 0))
    for stage in design.stages:
        spent, passed = max((longest[src] for src in stage.srcs), default=(0, 0))
        if isinstance(stage, Array | Lanes):
            spent, passed = spent + periods(stage), passed + 1
        longest[stage.dst] = (spent, passed)
    spent, passed = max((longest[name] for name in design.outputs), default=(0, 0))
    return Latency(passed, spent, stage_time_s)
