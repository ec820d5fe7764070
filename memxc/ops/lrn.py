"""Local response normalisation: each signal is divided by a power of its neighbour channels.

y = x / (bias + alpha / size * sum of squares of the neighbours)^beta
"""

from __future__ import annotations

import numpy as np

from memxc.ir.kernel import Kernel
from memxc.ir.windows import Ints, Windows, ints
from memxc.ops._blocks import EXPONENTIAL, LEAST, LOGARITHM, MOST_EXPONENT, MULTIPLIER, SUM, built
from memxc.ops._call import Call, Parts, lanes
from memxc.ops._power import magnitudes
from memxc.ops._registry import operator
from memxc.ops._steps import Steps
from memxc.ops._windows import bordered, grid


@operator("LRN", attrs={"alpha": 1e-4, "beta": 0.75, "bias": 1.0, "size": None})
def lrn(call: Call) -> Parts:
    """Return squares, their sum over neighbour channels by resistors, and the quotient."""
    alpha, beta, bias = (float(call.attrs[name]) for name in ("alpha", "beta", "bias"))
    shape, size = call.shape_of(0), call.attrs["size"]
    if size is None or size < 1:
        raise call.refuse(f"size = {size} has to be a positive number of channels")
    if len(shape) < 2:
        raise call.refuse(f"an input of shape {shape} has no channels", code="unsupported-shape")
    if alpha < 0 or bias <= 0:
        what = f"alpha = {alpha:g} and bias = {bias:g} give a power of what may be zero or below"
        raise call.refuse(what, "alpha has to be 0 or more, bias more than 0")
    # There are no channels further away than the last one.
    behind, ahead = ((size - 1 + extra) // 2 for extra in (0, 1))
    reach = min(behind, shape[1] - 1), min(ahead, shape[1] - 1)
    steps = Steps(call)
    x = steps.given(0)
    squares = magnitudes(steps, x, 2)
    kernel = _neighbours(squares.nets, *reach)
    total = steps.linear("sum", squares.bus, shape, (kernel,), "resistor")
    # With real amplifiers, a sum of squares may come out below zero.
    base = f"max({bias!r}+{alpha / size!r}*max(x1,0),{LEAST!r})"
    expr = f"x0*exp(min({-beta!r}*ln({base}),{MOST_EXPONENT!r}))"
    circuit = built("lrn", SUM, LOGARITHM, EXPONENTIAL, MULTIPLIER)
    return steps.end(steps.lanes("quotient", expr, circuit, x, total))


def _neighbours(nets: Ints, behind: int, ahead: int) -> Kernel:
    """Return a kernel that adds each net and its neighbour channels; outside is ground."""
    channels, pixels = nets.shape[1], nets.size // nets.shape[1]
    by_channel = np.moveaxis(nets, 1, 0).reshape(channels, pixels)
    frame = bordered(ints(by_channel), [(behind, ahead), (0, 0)])
    sinks = np.moveaxis(lanes(nets.shape), 1, 0).reshape(channels, pixels)
    places = ints(np.arange(channels * pixels))
    count = behind + ahead + 1
    return Kernel(
        values=np.ones((1, count)),
        cell=None,
        bias=None,
        taps=Windows(frame, places, ints([0]), ints(pixels * np.arange(count))),
        sinks=Windows(ints(sinks), places, ints([0]), ints([0])),
        grid=grid(channels, pixels),
    )
