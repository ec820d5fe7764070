"""CumSum: every sum along an axis has its own column of equal resistors."""

from __future__ import annotations

import numpy as np

from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ops._call import Call, Parts, axes_of, lanes
from memxc.ops._long_sums import WHOLE, in_blocks
from memxc.ops._registry import operator
from memxc.ops._traits import beside_channels
from memxc.ops._windows import filled, grid, spread


def _axes(call: Call) -> tuple[int, ...]:
    return axes_of(call, "axis", [int(call.single(call.constant(1, "axis"), "axis"))])


@operator(
    "CumSum", since=11, attrs={"exclusive": 0, "reverse": 0}, channelwise=beside_channels(_axes)
)
def cumsum(call: Call) -> Parts:
    """Return a stage whose column j adds rows 0 to j, or without row j, or from the other end."""
    shape = call.shape
    (axis,) = _axes(call)
    if shape[axis] > WHOLE:
        return in_blocks(call, axis)
    adds = np.triu(filled((shape[axis],) * 2, 1.0), k=1 if call.attrs["exclusive"] else 0)
    places = tuple(other for other in range(len(shape)) if other != axis)
    kernel = Kernel(
        values=(adds[::-1, ::-1] if call.attrs["reverse"] else adds).reshape(1, -1),
        cell=None,
        bias=None,
        taps=spread(call.nets(0), (axis,), (), places),
        sinks=spread(lanes(shape), (axis,), (), places),
        grid=grid(*(shape[other] for other in places)),
    )
    return [Linear(call.name, call.bus(0), call.dst, (kernel,), cell="resistor")]
