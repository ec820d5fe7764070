"""y = gain x + shift with constants for all lanes, for each channel, or for each lane."""

from __future__ import annotations

import numpy as np

from memxc.errors import MemxcError
from memxc.ir.graph import Tensor
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ops._call import Call, lanes
from memxc.ops._nets import widened
from memxc.ops._windows import Axes, filled, grid, spread


def along(call: Call, index: int, gain: Tensor | None, shift: Tensor | None, axes: Axes) -> Linear:
    """Return the stage y = gain x + shift, whose constants change only along `axes` of the output.

    gain and shift have prod(shape[axes]) numbers, or are None. Blocks run along `axes`, and places
    run along the other axes.
    """
    shape = call.shape
    places = tuple(axis for axis in range(len(shape)) if axis not in axes)
    groups = int(np.prod([shape[axis] for axis in axes], dtype=np.int64))
    values = filled((groups, 1), 1.0) if gain is None else gain.reshape(groups, 1)
    kernel = Kernel(
        values=values,
        cell=None,
        bias=None if shift is None else shift.reshape(groups, 1),
        taps=spread(widened(call, call.nets(index)), (), axes, places),
        sinks=spread(lanes(shape), (), axes, places),
        grid=grid(*(shape[axis] for axis in places)),
    )
    return Linear(call.name, call.bus(index), call.dst, (kernel,), cell="batchnorm")


def with_constant(call: Call, index: int, gain: Tensor | None, shift: Tensor | None) -> Linear:
    """Return the stage y = gain x + shift. numpy can broadcast the constants to the output.

    Raises MemxcError (unsupported-shape) if a constant does not fit the output.
    """
    rank = len(call.shape)
    padded = []
    for part in (gain, shift):
        if part is not None and part.ndim > rank:
            raise _no_fit(call, part)
        padded.append(
            None if part is None else part.reshape((1,) * (rank - part.ndim) + part.shape)
        )
    axes = tuple(
        axis
        for axis in range(rank)
        if any(part is not None and part.shape[axis] > 1 for part in padded)
    )
    gain, shift = (None if part is None else _only(call, part, axes) for part in padded)
    return along(call, index, gain, shift, axes)


def _only(call: Call, part: Tensor, axes: Axes) -> Tensor:
    """Return a constant, with as many axes as the output, broadcast along `axes` only."""
    full = tuple(n if axis in axes else 1 for axis, n in enumerate(call.shape))
    if any(n not in (1, whole) for n, whole in zip(part.shape, full, strict=False)):
        raise _no_fit(call, part)
    return np.broadcast_to(part, full)


def _no_fit(call: Call, part: Tensor) -> MemxcError:
    what = f"a constant of {part.shape} does not fit an output of {call.shape}"
    return call.refuse(what, code="unsupported-shape")
