"""Lanes and Rename stages from numbers of nets, which are held in the shape of a tensor."""

from __future__ import annotations

from math import prod

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.graph import Tensor
from memxc.ir.stages import Circuit, Lanes, Rename
from memxc.ir.windows import Ints, ints, lanewise
from memxc.ops._call import Call


def each(call: Call, expr: str, circuit: Circuit, keeps_scale: bool = False) -> Lanes:
    """Return a stage with one function of every lane of the node's only signal."""
    return together(call, (0,), expr, circuit, keeps_scale)


def together(
    call: Call, indices: tuple[int, ...], expr: str, circuit: Circuit, keeps_scale: bool = False
) -> Lanes:
    """Return a stage with one function of several signals, x0, x1, ..., broadcast as in numpy."""
    taps = tuple(lanewise(widened(call, call.nets(index)).reshape(-1)) for index in indices)
    srcs = tuple(call.bus(index) for index in indices)
    return Lanes(call.name, srcs, call.dst, taps, expr, circuit, keeps_scale)


def widened(call: Call, nets: Ints) -> Ints:
    """Return nets broadcast to the output as numpy does. Raises MemxcError if they do not fit."""
    reckon(*call.shape)
    try:
        return ints(np.broadcast_to(nets, call.shape))
    except ValueError:
        what = f"a signal of {nets.shape} cannot be broadcast to an output of {call.shape}"
        raise call.refuse(what, code="unsupported-shape") from None


def rename(call: Call, nets: Ints, index: int = 0) -> Rename:
    """Return the nets of one signal in another order. Raises MemxcError if their count is wrong."""
    if nets.size != prod(call.shape):
        raise call.refuse(
            f"its output has {nets.size} numbers, the model says {call.shape}",
            code="unsupported-shape",
        )
    return Rename(call.name, (call.bus(index),), call.dst, ints(nets.reshape(-1)))


def within(call: Call, indices: Tensor, size: int) -> Ints:
    """Return indices along an axis; negative ones count from its end.

    Raises MemxcError if one is outside.
    """
    if indices.size and not -size <= indices.min() <= indices.max() < size:
        raise call.refuse(
            f"its indices reach from {indices.min()} to {indices.max()}, its axis has {size}",
            code="unsupported-shape",
        )
    return ints(np.where(indices < 0, indices + size, indices))
