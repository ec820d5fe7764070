"""Logic on bools, which are lanes of 0 and 1, and Where, which a bool controls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memxc.ir.bounds import reckon
from memxc.ir.windows import Ints, ints
from memxc.ops._blocks import COMPARATOR, DIFFERENCE, FULL_WAVE, MULTIPLIER, RECTIFIER, SUM, built
from memxc.ops._board import Board
from memxc.ops._call import Call, Parts
from memxc.ops._nets import each
from memxc.ops._registry import operator
from memxc.ops._terms import Terms
from memxc.ops._traits import OPERANDS

Bools = NDArray[np.bool_]


@operator("Not", since=1, integers=True, channelwise=OPERANDS)
def not_(call: Call) -> Parts:
    """Return one less the signal."""
    return [each(call, "1-x0", built("not", DIFFERENCE))]


@operator("And", integers=True, channelwise=OPERANDS, zero_absorbs=True)
def and_(call: Call) -> Parts:
    """Return a diode selector for the smaller signal."""
    terms = Terms(call)
    return terms.end(f"min({terms.word(0)},{terms.word(1)})", built("and", RECTIFIER, RECTIFIER))


@operator("Or", integers=True, channelwise=OPERANDS)
def or_(call: Call) -> Parts:
    """Return a diode selector for the larger signal."""
    terms = Terms(call)
    return terms.end(f"max({terms.word(0)},{terms.word(1)})", built("or", RECTIFIER, RECTIFIER))


@operator("Xor", integers=True, channelwise=OPERANDS)
def xor(call: Call) -> Parts:
    """Return the rectified difference."""
    terms = Terms(call)
    circuit = built("xor", DIFFERENCE, FULL_WAVE)
    return terms.end(f"abs({terms.word(0)}-{terms.word(1)})", circuit)


@operator("Where", since=9, integers=True, channelwise=OPERANDS)
def where(call: Call) -> Parts:
    """Return one of two tensors, lane by lane: wires for a constant condition, else switches."""
    if not call.is_constant(0):
        return _switched(call)
    condition = call.constant(0, "condition").astype(bool)
    board = Board(call)
    one, other = _chosen(call, board, 1, condition), _chosen(call, board, 2, ~condition)
    return board.wires(ints(np.where(condition, one, other)))


def _chosen(call: Call, board: Board, index: int, where: Bools) -> Ints:
    """Return one side. A constant of it (a mask's -inf, say) matters only where it is chosen."""
    if not call.is_constant(index):
        return board.operand(index)
    reckon(*call.shape)
    return board.constant(np.where(where, call.constant(index, "operand"), 0))


def _switched(call: Call) -> Parts:
    """A comparator and two switches, each a multiplier by exactly 0 or 1: nothing of the side that
    is off gets through, however large it is."""
    terms = Terms(call)
    condition, one, other = (terms.word(index) for index in range(3))
    on, off = f"max(sgn({condition}-0.5),0)", f"max(sgn(0.5-{condition}),0)"
    circuit = built("switch", COMPARATOR, MULTIPLIER, MULTIPLIER, SUM)
    return terms.end(f"{on}*{one}+{off}*{other}", circuit)
