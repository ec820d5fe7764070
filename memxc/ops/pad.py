"""Pad: a border of zeros is ground, any other border is more wires to the nets of the map."""

from __future__ import annotations

import numpy as np

from memxc.ir.windows import GROUND, ints
from memxc.ops._nets import rename
from memxc.ops._registry import Call, Parts, operator


@operator("Pad", attrs={"mode": "constant", "pads": None, "value": None})
def pad(call: Call) -> Parts:
    """Zeros, or the map reflected, repeated or wrapped at its edges; a negative pad cuts."""
    nets, mode = call.nets(0), call.attrs["mode"]
    begin, end = _widths(call, nets.ndim)
    inner = tuple(
        slice(max(0, -b), n - max(0, -e)) for b, e, n in zip(begin, end, nets.shape, strict=True)
    )
    nets = ints(nets[inner])
    widths = [(max(0, b), max(0, e)) for b, e in zip(begin, end, strict=True)]
    if mode == "constant":
        value = call.setting("value", 2)
        if value is not None and np.any(value):
            raise call.refuse(
                f"a border of {float(value.reshape(-1)[0]):g}, only ground can be wired",
                "use a border of zeros, or the pads of the operator behind it",
            )
        return [rename(call, ints(np.pad(nets, widths, constant_values=GROUND)))]
    if mode not in ("edge", "reflect", "wrap"):
        raise call.refuse(f"mode = {mode!r} is not one of constant, edge, reflect, wrap")
    least = {"edge": 0, "reflect": 1, "wrap": 0}[mode]
    if any(n <= least and any(w) for n, w in zip(nets.shape, widths, strict=True)):
        raise call.refuse(f"a border in the mode {mode} needs a map", code="unsupported-shape")
    return [rename(call, ints(np.pad(nets, widths, mode=mode)))]


def _widths(call: Call, rank: int) -> tuple[list[int], list[int]]:
    """How much is added in front of and behind each axis."""
    pads = call.setting("pads", 1)
    axes = call.constant(3, "axes") if call.has(3) else np.arange(rank)
    if pads is None or pads.size != 2 * axes.size:
        raise call.refuse(f"pads = {pads} has to be two numbers an axis")
    begin, end = [0] * rank, [0] * rank
    for axis, before, after in zip(axes.tolist(), *pads.reshape(2, -1).tolist(), strict=True):
        begin[axis], end[axis] = before, after
    return begin, end
