"""both-ends: word lines driven at both of their ends, by one driver and a second feed line."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design
from memxc.ir.stages import Array


@dataclass(frozen=True)
class BothEnds(DesignPass):
    """Drive each word line of every unit crossbar at both ends: at most half the way to a cell.

    The second feed line goes round the crossbar and is a perfect conductor, as the first is up to
    its source resistance and segment. Exact where the wires are perfect conductors.
    """

    name = "both-ends"
    programmed = True
    wired = True

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """The design with the second feed lines; itself where the target has no wires."""
        if ctx.target.wire.ideal:
            return Result(design)
        stages = (
            replace(stage, drive="both") if isinstance(stage, Array) and stage.tiled else stage
            for stage in design.stages
        )
        return Result(design.with_stages(stages))
