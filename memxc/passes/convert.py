"""convert: the target's converters are put between the digital and the analog world."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memxc.interfaces import Context, DesignPass, Result
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

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with converters, or the design itself if the target has none."""
        converted = converters.converted(design, ctx.target)
        buses = dict(converted.buses)
        for stage in converted.stages:
            if converters.is_one(stage) and buses[stage.dst].mean_square is None:
                # Rounding changes a mean square by less than one level, which power can ignore.
                mean_square = buses[stage.srcs[0]].mean_square
                buses[stage.dst] = replace(buses[stage.dst], mean_square=mean_square)
        return Result(replace(converted, buses=buses))
