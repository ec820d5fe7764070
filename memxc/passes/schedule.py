"""schedule: every place has its own crossbar, or all places take turns at one crossbar."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from memxc.interfaces import Context, DesignPass, Option, Result
from memxc.ir.design import Design
from memxc.ir.stages import Linear
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
                "turn (sequential).",
                per_stage=True,
            )
        },
    )

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with the schedule of each programmable stage set."""
        stages = (
            replace(stage, schedule=ctx.option(stage.name, "schedule", self.mode))
            if isinstance(stage, Linear) and stage.programmable
            else stage
            for stage in design.stages
        )
        return Result(design.with_stages(stages))
