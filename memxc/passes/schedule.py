"""schedule: every place has its own crossbar, or all places take turns at one crossbar.

The lane functions behind a crossbar that is used in turns take turns, too: a map of C x H x W nets
has C cells and H x W turns. docs/decisions/0025-lanes-take-turns.md says how a turn works.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

from memxc.interfaces import Context, DesignPass, Option, Result
from memxc.ir.design import Design
from memxc.ir.stages import Lanes, Linear, Rename, Stage
from memxc.ir.stages import Schedule as Mode


@dataclass(frozen=True)
class Schedule(DesignPass):
    """`parallel`: one calculation period. `sequential`: as many periods as places.

    Fixed resistors are always parallel: they cost no programming and no unit crossbar.
    """

    name = "schedule"
    mode: Mode = field(
        default="parallel",
        metadata={
            "option": Option(
                "--schedule",
                "Build a crossbar for every place (parallel), or one that computes the places in "
                "turn (sequential), and the lane functions behind it, too.",
                per_stage=True,
            )
        },
    )

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with the schedule of each stage set."""
        stages, in_turns = list[Stage](), set[str]()
        for given in design.stages:
            stage, behind = given, bool(in_turns.intersection(given.srcs))
            if isinstance(stage, Linear) and stage.programmable:
                stage = replace(stage, schedule=ctx.option(stage.name, "schedule", self.mode))
                behind = stage.sequential and any(kernel.places > 1 for kernel in stage.kernels)
            elif isinstance(stage, Lanes):
                default: Mode = "sequential" if behind else "parallel"
                follows = behind and ctx.option(stage.name, "schedule", default) == "sequential"
                turns = prod(design.buses[stage.dst].shape[2:]) if follows else 1
                stage, behind = replace(stage, turns=turns), turns > 1
            elif not isinstance(stage, Rename):
                behind = False
            if behind:
                in_turns.add(stage.dst)
            stages.append(stage)
        return Result(design.with_stages(stages))
