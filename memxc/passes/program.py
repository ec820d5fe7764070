"""program: weights become pairs of conductances, lanes get the resistors of their amplifiers.

memxc/mapping/stage_program.py has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

from memxc.errors import fail
from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design
from memxc.ir.stages import Linear
from memxc.mapping import stage_program
from memxc.mapping.stage_program import StageProgram

LEVELS = ("now", "later")


@dataclass(frozen=True)
class Program(DesignPass):
    """Linear -> Array: conductances within the device's range and levels, r_f and r_join.

    Exact up to rounding where the device has continuous levels and the amplifiers are ideal.
    levels: `now`, or `later` where compensate is to round to the device's levels.
    """

    name = "program"
    exact = False
    levels: str = "now"

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with every Linear stage programmed."""
        if self.levels not in LEVELS:
            what = f"no levels {self.levels!r}"
            raise fail("usage", "program.levels", what, f"one of {', '.join(LEVELS)}")
        stages, first = [], 0
        for stage in design.stages:
            if isinstance(stage, Linear):
                program = self.plan(stage, design, ctx)
                stage = program.array(list(program.crossbars(first)))  # noqa: PLW2901
                first += sum(crossbar.groups for crossbar in stage.crossbars)
            stages.append(stage)
        return Result(design.with_stages(stages))

    def plan(self, stage: Linear, design: Design, ctx: Context) -> StageProgram:
        """Return how a stage of a calibrated design is programmed."""
        known = None if self.levels == "later" else ctx.target.device
        src, dst = design.buses[stage.src], design.buses[stage.dst]
        return stage_program.plan(stage, src, dst, ctx, known)
