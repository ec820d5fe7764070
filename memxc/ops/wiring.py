"""Operators that only rename nets: numpy moves the numbers of the nets, and that is the wiring."""

from __future__ import annotations

import numpy as np

from memxc.ir.stages import Rename
from memxc.ir.windows import ints
from memxc.ops._board import Board
from memxc.ops._call import Call, Parts, axes_of, axis_of
from memxc.ops._nets import rename
from memxc.ops._registry import operator
from memxc.ops._traits import OPERANDS, SETTINGS


@operator("Identity", channelwise=OPERANDS)
def identity(call: Call) -> Parts:
    """Return every lane as it is."""
    return [rename(call, call.nets(0))]


@operator("Flatten", attrs={"axis": 1}, keeps_order=True)
def flatten(call: Call) -> Parts:
    """Return the same lanes in the same order."""
    axis, rank = call.attrs["axis"], len(call.shape_of(0))
    if not -rank <= axis <= rank:
        raise call.refuse(f"axis = {axis} of a tensor of {rank} axes")
    return identity(call)


@operator("Reshape", attrs={"allowzero": 0}, keeps_order=True)
def reshape(call: Call) -> Parts:
    """Return the same lanes in the same order. The new shape is that of the output."""
    return identity(call)


@operator("Squeeze", attrs={"axes": None}, keeps_order=True)
def squeeze(call: Call) -> Parts:
    """Return the same lanes in the same order."""
    return _ones(call, len(call.shape_of(0)))


@operator("Unsqueeze", attrs={"axes": None}, keeps_order=True)
def unsqueeze(call: Call) -> Parts:
    """Return the same lanes in the same order."""
    return _ones(call, len(call.shape))


def _ones(call: Call, rank: int) -> Parts:
    """Return the same lanes, with fewer or more axes of one element."""
    given = call.setting("axes", 1)
    # Runtimes take a single number for a list of one, too.
    axes = () if given is None else call.numbers(given.reshape(-1), "axes")
    axes_of(call, "axes", axes, rank)
    return identity(call)


@operator("Dropout", attrs={"ratio": 0.5, "seed": 0}, channelwise=SETTINGS)
def dropout(call: Call) -> Parts:
    """Return every lane as it is: Dropout does nothing in inference."""
    if call.has(2) and bool(call.single(call.constant(2, "training_mode"), "training_mode")):
        raise call.refuse("training_mode drops signals at random", "export for inference")
    return identity(call)


@operator("Transpose", attrs={"perm": None})
def transpose(call: Call) -> Parts:
    """Return the axes in another order, by default reversed."""
    nets, perm = call.nets(0), call.attrs["perm"]
    if perm is not None and sorted(perm) != list(range(nets.ndim)):
        raise call.refuse(f"perm = {perm} of a tensor of {nets.ndim} axes")
    return [rename(call, nets.transpose(perm))]


@operator("Concat", attrs={"axis": None}, integers=True)
def concat(call: Call) -> Parts:
    """Return tensors side by side along an axis. A constant among them is voltages."""
    board = Board(call)
    parts = [board.operand(index) for index in range(len(call.inputs))]
    return board.wires(ints(np.concatenate(parts, axis=axis_of(call, "axis"))))


@operator("Split", attrs={"axis": 0, "num_outputs": None, "split": None}, outputs=None)
def split(call: Call) -> Parts:
    """Return parts along an axis, of given sizes or equal. The last equal one may be smaller."""
    nets, axis = call.nets(0), axis_of(call, "axis")
    outputs = call.node.outputs
    given = call.listed("split", 1)
    if given is None:
        size = -(-nets.shape[axis] // len(outputs))
        cuts = np.arange(size, size * len(outputs), size)
    else:
        cuts = np.cumsum(given)[:-1]
    parts = np.split(nets, cuts, axis=axis)
    whole = given is None or (min(given) >= 0 and sum(given) == nets.shape[axis])
    fits = (
        whole
        and len(parts) == len(outputs)
        and all(
            call.graph.shapes.get(name, part.shape) == part.shape
            for name, part in zip(outputs, parts, strict=True)
        )
    )
    if not fits:
        raise call.refuse(
            f"its parts have the shapes {[part.shape for part in parts]}, the model says otherwise",
            code="unsupported-shape",
        )
    src = call.bus(0)
    return [
        Rename(f"{call.name}/{i}", (src,), name, ints(part.reshape(-1)))
        for i, (name, part) in enumerate(zip(outputs, parts, strict=True))
        if name
    ]


@operator("Slice", attrs={"axes": None, "ends": None, "starts": None})
def slice_(call: Call) -> Parts:
    """Return every step-th lane from start to end along axes; a negative step is backwards."""
    nets = call.nets(0)
    starts, ends = call.listed("starts", 1), call.listed("ends", 2)
    if starts is None or ends is None:
        raise call.refuse("without starts and ends")
    given = call.listed("axes", 3)
    axes = axes_of(call, "axes", range(len(starts)) if given is None else given)
    steps = call.numbers(call.constant(4, "steps"), "steps") if call.has(4) else (1,) * len(starts)
    if not len(axes) == len(starts) == len(ends) == len(steps) or 0 in steps:
        raise call.refuse(f"starts, ends and steps do not fit {len(axes)} axes")
    where = [slice(None)] * nets.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        where[axis] = slice(start, end, step)
    return [rename(call, nets[tuple(where)])]
