"""ArgMin: inverters turn the signals over, and ArgMax finds the largest behind the circuit."""

from __future__ import annotations

from dataclasses import replace

from memxc.ir.design import Bus
from memxc.ir.stages import Circuit, Digital, Lanes
from memxc.ir.windows import lanewise
from memxc.ops._call import Call, Parts
from memxc.ops._registry import operator
from memxc.ops.edge import arg_max


@operator(
    "ArgMin",
    attrs={"axis": 0, "keepdims": 1, "select_last_index": 0},
    integers=True,
)
def arg_min(call: Call) -> Parts:
    """The place of the smallest signal is the place of the largest inverted signal."""
    inverted = Bus(call.fresh("inverted"), call.shape_of(0))
    taps = (lanewise(call.nets(0).reshape(-1)),)
    inverter = Lanes(
        inverted.name, (call.bus(0),), inverted.name, taps, "0-x0", Circuit("neg", inverters=1),
        keeps_scale=True,
    )  # fmt: skip
    (digital,) = arg_max(call)
    assert isinstance(digital, Digital), "ArgMax is one digital stage"
    return [inverted, inverter, replace(digital, srcs=(inverted.name,))]
