"""Lanes and Rename from the numbers of nets, held in the shape of a tensor."""

from __future__ import annotations

from math import prod

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.graph import Tensor
from memxc.ir.stages import Circuit, Lanes, Rename
from memxc.ir.windows import Ints, ints, lanewise
from memxc.ops._registry import Call


def each(call: Call, expr: str, circuit: Circuit, keeps_scale: bool = False) -> Lanes:
    """One function on every lane of the node's only signal."""
    return together(call, (0,), expr, circuit, keeps_scale)


def together(
    call: Call, indices: tuple[int, ...], expr: str, circuit: Circuit, keeps_scale: bool = False
) -> Lanes:
    """One function of several signals, each broadcast to the output as numpy does: x0, x1, ..."""
    taps = tuple(lanewise(widened(call, call.nets(index)).reshape(-1)) for index in indices)
    srcs = tuple(call.bus(index) for index in indices)
    return Lanes(call.name, srcs, call.dst, taps, expr, circuit, keeps_scale)


def widened(call: Call, nets: Ints) -> Ints:
    """Nets broadcast to the output as numpy does. Raises MemxcError where they do not fit it."""
    reckon(*call.shape)
    try:
        return ints(np.broadcast_to(nets, call.shape))
    except ValueError:
        what = f"a signal of {nets.shape} cannot be broadcast to an output of {call.shape}"
        raise call.refuse(what, code="unsupported-shape") from None


def rename(call: Call, nets: Ints, index: int = 0) -> Rename:
    """The nets of one signal in another order. Raises MemxcError where their count is wrong."""
    if nets.size != prod(call.shape):
        raise call.refuse(
            f"its output has {nets.size} numbers, the model says {call.shape}",
            code="unsupported-shape",
        )
    return Rename(call.name, (call.bus(index),), call.dst, ints(nets.reshape(-1)))


def within(call: Call, indices: Tensor, size: int) -> Ints:
    """Indices along an axis, negative ones counted from its end.

    Raises MemxcError where one is outside.
    """
    if indices.size and not -size <= indices.min() <= indices.max() < size:
        raise call.refuse(
            f"its indices reach from {indices.min()} to {indices.max()}, its axis has {size}",
            code="unsupported-shape",
        )
    return ints(np.where(indices < 0, indices + size, indices))
