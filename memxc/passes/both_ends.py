"""both-ends: word lines are driven at both of their ends, through a second feed line.

                cells
driver ---+---o---o---o---o---+      The largest distance from a cell to a driven end is
          |                   |      half a word line, so less voltage is lost on the way.
          +--- second feed ---+
"""

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
        """Return the design with second feed lines, or the design itself if its wires are ideal."""
        if ctx.target.wire.ideal:
            return Result(design)
        stages = (
            replace(stage, drive="both") if isinstance(stage, Array) and stage.tiled else stage
            for stage in design.stages
        )
        return Result(design.with_stages(stages))
