"""Lanes replaced at constant indices: the Scatter family, and Trilu."""

from __future__ import annotations

import numpy as np

from memxc.ir.windows import GROUND, Ints, ints
from memxc.ops._board import Board
from memxc.ops._call import Call, Parts, axis_of
from memxc.ops._nets import rename, within
from memxc.ops._registry import operator


@operator("ScatterND", since=11, attrs={"reduction": "none"}, integers=True)
def scatter_nd(call: Call) -> Parts:
    """Return a tensor with slices replaced at constant coordinates."""
    _only_replaces(call)
    board = Board(call)
    nets, updates = np.array(board.operand(0)), board.operand(2)
    indices = call.constant(1, "indices")
    depth = indices.shape[-1] if indices.ndim else 0
    if (
        not indices.ndim
        or depth > nets.ndim
        or updates.shape != indices.shape[:-1] + nets.shape[depth:]
    ):
        raise call.refuse(
            f"indices of {indices.shape} and updates of {updates.shape} do not fit {nets.shape}",
            code="unsupported-shape",
        )
    nets[tuple(within(call, indices[..., i], nets.shape[i]) for i in range(depth))] = updates
    return board.wires(ints(nets))


@operator("ScatterElements", since=11, attrs={"axis": 0, "reduction": "none"}, integers=True)
def scatter_elements(call: Call) -> Parts:
    """Return a tensor with single lanes replaced along an axis, at constant indices."""
    _only_replaces(call)
    return scatter(call)


@operator("Scatter", since=9, attrs={"axis": 0}, integers=True)
def scatter(call: Call) -> Parts:
    """Return ScatterElements, which had this name up to opset 10."""
    board = Board(call)
    nets, updates, axis = np.array(board.operand(0)), board.operand(2), axis_of(call, "axis")
    indices = within(call, call.constant(1, "indices"), nets.shape[axis])
    if indices.shape != updates.shape or indices.ndim != nets.ndim:
        raise call.refuse(
            f"indices of {indices.shape} and updates of {updates.shape} do not fit {nets.shape}",
            code="unsupported-shape",
        )
    place: list[Ints] = list(np.indices(indices.shape))
    place[axis] = indices
    nets[tuple(place)] = updates
    return board.wires(ints(nets))


@operator("Trilu", since=14, attrs={"upper": 1})
def trilu(call: Call) -> Parts:
    """Return the lanes on one side of a diagonal; the others are ground."""
    nets = call.nets(0)
    height, width = nets.shape[-2:]
    k = int(call.single(call.constant(1, "diagonal"), "diagonal")) if call.has(1) else 0
    off = np.arange(width) - np.arange(height)[:, None]
    kept = off >= k if call.attrs["upper"] else off <= k
    return [rename(call, ints(np.where(kept, nets, GROUND)))]


def _only_replaces(call: Call) -> None:
    reduction = call.attrs["reduction"]
    if reduction != "none":
        raise call.refuse(f"reduction = {reduction!r} computes, only replacing is wires")
