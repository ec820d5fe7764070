"""convert: the converters that the target has."""

from __future__ import annotations

from dataclasses import dataclass

from memxc.interfaces import Context, DesignPass
from memxc.ir.design import Design
from memxc.physics import converters


@dataclass(frozen=True)
class Convert(DesignPass):
    """Put the target's DACs before word lines and its ADCs behind bit lines.

    Signals are rounded to the levels that so many bits have over the converter's range, at the
    network's edges or at every stage (docs/targets.md). In the netlist a converter is a behavioural
    lane. A target without bits has none.
    """

    name = "convert"
    exact = False
    programmed = True

    def run(self, design: Design, ctx: Context) -> Design:
        """The design with converters; itself where the target has none."""
        made = converters.converted(design, ctx.target)
        for stage in made.stages:
            # Rounding moves the mean of a square by less than a level.
            if converters.is_one(stage) and stage.srcs[0] in ctx.squares:
                ctx.squares.setdefault(stage.dst, ctx.squares[stage.srcs[0]])
        return made
