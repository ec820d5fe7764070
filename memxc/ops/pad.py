"""Pad: zeros are ground, other numbers are voltages, and any other border is more wires to the map.

No voltage can be minus infinity, whichever large number stands for it. It occurs before a MaxPool
only, which never picks it. So the border repeats pixels that the same windows hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.windows import Ints, ints
from memxc.ops._board import LARGEST, Board
from memxc.ops._call import Call, Parts, axes_of
from memxc.ops._nets import rename
from memxc.ops._registry import COLUMNS, operator
from memxc.ops._traits import Channelwise
from memxc.ops._windows import Sliding, bordered, inside, sliding

#: The lowest number in float16: no signal of a float16 network is below it.
_LOWEST_HALF = float(np.finfo(np.float16).min)


def _keeps_channels(call: Call) -> bool:
    """Return whether channels get no border, and the border of the map needs no look at readers."""
    begin, end = _widths(call, len(call.shape_of(0)))
    return not any(begin[:2] + end[:2]) and not (
        call.attrs["mode"] == "constant" and _is_lowest(_value(call))
    )


def _value(call: Call) -> float:
    given = call.setting("value", 2)
    return 0.0 if given is None else float(call.single(given, "value"))


def _is_lowest(value: float) -> bool:
    """Return whether a border stands for minus infinity, which is no voltage."""
    return value <= -LARGEST or value == _LOWEST_HALF


@operator(
    "Pad",
    attrs={"mode": "constant", "pads": None, "value": None},
    integers=True,
    infinite=("value",),
    channelwise=Channelwise("settings", _keeps_channels),
)
def pad(call: Call) -> Parts:
    """Return the map with a constant border, or reflected, repeated or wrapped at its edges.

    A negative pad cuts.
    """
    nets, mode = call.nets(0), call.attrs["mode"]
    begin, end = _widths(call, nets.ndim)
    inner = tuple(
        slice(max(0, -b), n - max(0, -e)) for b, e, n in zip(begin, end, nets.shape, strict=True)
    )
    nets = ints(nets[inner])
    widths = [(max(0, b), max(0, e)) for b, e in zip(begin, end, strict=True)]
    if mode == "constant":
        return _constant(call, inner, widths)
    if mode not in ("edge", "reflect", "wrap"):
        raise call.refuse(f"mode = {mode!r} is not one of constant, edge, reflect, wrap")
    least = {"edge": 0, "reflect": 1, "wrap": 0}[mode]
    if any(n <= least and any(w) for n, w in zip(nets.shape, widths, strict=True)):
        raise call.refuse(f"a border in the mode {mode} needs a map", code="unsupported-shape")
    reckon(*call.shape)
    return [rename(call, ints(np.pad(nets, widths, mode=mode)))]


def _constant(call: Call, inner: tuple[slice, ...], widths: list[tuple[int, int]]) -> Parts:
    value = _value(call)
    board = Board(call)
    nets = ints(board.operand(0)[inner])
    if not any(map(any, widths)):
        return board.wires(nets)
    if _is_lowest(value):
        return board.wires(_repeated(call, nets, widths, value))
    border = board.constant(np.array(value)).item()
    return board.wires(bordered(nets, widths, border))


def _repeated(call: Call, nets: Ints, widths: list[tuple[int, int]], value: float) -> Ints:
    """Return the map with its own pixels in the border, for the MaxPools that read it."""
    steps = dict.fromkeys(range(nets.ndim), 0)
    for pool, slide in _maxima(call, value):
        for axis in range(len(slide.size)):
            (before, _), size = widths[axis + 2], nets.shape[axis + 2]
            at = slide.coordinates(axis) - before
            if not ((at >= 0) & (at < size)).any(axis=1).all():
                raise call.refuse(f"a window of {pool!r} lies wholly in the border of {value:g}")
            if steps[axis + 2] not in (0, slide.dilation[axis]):
                raise call.refuse(f"pools of different dilations read the border of {value:g}")
            steps[axis + 2] = slide.dilation[axis]
    for axis, (before, after) in enumerate(widths):
        if axis < 2 and (before or after):
            raise call.refuse(f"a border of {value:g} around channels")
        at = ints(np.arange(-before, nets.shape[axis] + after))
        nets = ints(np.take(nets, inside(at, nets.shape[axis], steps[axis] or 1), axis=axis))
    return nets


def _maxima(call: Call, value: float) -> Iterator[tuple[str, Sliding]]:
    """Yield the MaxPools that read the border, by name. Raises MemxcError for another reader."""
    column = COLUMNS["MaxPool"]
    readers = [node for node in call.graph.nodes if call.dst in node.inputs]
    others = [node.name for node in readers if node.op != column.name]
    if others or call.dst in call.graph.outputs or not readers:
        who = repr(others[0]) if others else "the network's output"
        raise call.refuse(
            f"a border of {value:g} is no voltage, and {who} reads it",
            "only a MaxPool right behind it never picks such a border",
        )
    for node in readers:
        pool = Call(node, call.graph, {**column.attrs, **node.attrs}, call.used)
        yield node.name, sliding(pool, tuple(pool.attrs["kernel_shape"]))


def _widths(call: Call, rank: int) -> tuple[list[int], list[int]]:
    """Return how much is added in front of and behind each axis."""
    given = call.numbers(call.constant(3, "axes"), "axes") if call.has(3) else range(rank)
    axes = axes_of(call, "axes", given)
    stated = call.setting("pads", 1)
    if stated is None:
        raise call.refuse("without pads")
    # Runtimes take one row of a table for a list, too.
    pads = call.numbers(stated.reshape(-1), "pads", 2 * len(axes))
    begin, end = [0] * rank, [0] * rank
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        begin[axis], end[axis] = before, after
    return begin, end
