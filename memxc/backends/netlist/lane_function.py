"""The function of a lane cell: the expression of its stage, in volts."""

from __future__ import annotations

from collections.abc import Mapping

from memxc.ir import expr
from memxc.ir.design import Bus
from memxc.ir.stages import Lanes


def lane_function(stage: Lanes, buses: Mapping[str, Bus]) -> str:
    """Return the function of a Lanes stage in volts, as a SPICE expression of v(x0), v(x1), ...

    The stage is a function of activations: each input is divided by its scale, and the result is
    multiplied by the scale of the output.
    """
    units = [
        buses[src].scale or 1.0
        for src, taps in zip(stage.srcs, stage.taps, strict=True)
        for _ in range(taps.lines)
    ]
    out = buses[stage.dst].scale or 1.0
    # Of max(x, 0), say, the scales cancel, and the netlist stays readable.
    if stage.keeps_scale and all(unit == out for unit in units):
        return expr.spice(stage.expr, [f"v(x{k})" for k in range(len(units))])
    activations = [f"(v(x{k})*{1 / unit:.15e})" for k, unit in enumerate(units)]
    return f"{out:.15e}*{expr.spice(stage.expr, activations)}"
