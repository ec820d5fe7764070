"""Sums along a long axis: one column for each would have resistors by the square of its length.

The axis is cut into blocks: sums within each block, then sums of the blocks before it (by the same
rule), then both are added. An axis of n takes about n x 128 resistors and n adders for each level.
"""

from __future__ import annotations

import numpy as np

from memxc.ir.kernel import Kernel
from memxc.ir.stages import Circuit
from memxc.ir.windows import GROUND, Ints, ints
from memxc.ops._call import Call, Parts, lanes
from memxc.ops._steps import ShapedNets, Steps
from memxc.ops._windows import filled, grid, spread

#: The longest axis that is not cut, and the length of a block.
WHOLE, _BLOCK = 1024, 256


def in_blocks(call: Call, axis: int) -> Parts:
    """Return the sums along a long axis; reversed and exclusive ones differ by wires only."""
    steps, reverse = Steps(call), bool(call.attrs["reverse"])
    nets = np.moveaxis(call.nets(0), axis, -1)
    given = ShapedNets(call.bus(0), ints(nets[..., ::-1] if reverse else nets))
    sums = _sums(steps, "sums", given)
    found = _before(sums.nets) if call.attrs["exclusive"] else sums.nets
    turned = found[..., ::-1] if reverse else found
    return steps.end(ShapedNets(sums.bus, ints(np.moveaxis(turned, -1, axis))))


def _sums(steps: Steps, word: str, given: ShapedNets) -> ShapedNets:
    """Return the sums along the last axis, each with its own number."""
    *rest, length = given.nets.shape
    if length <= _BLOCK:
        return _within(steps, word, given)
    count = -(-length // _BLOCK)
    padded = np.full((*rest, count * _BLOCK), GROUND)
    padded[..., :length] = given.nets
    blocks = ShapedNets(given.bus, ints(padded.reshape(*rest, count, _BLOCK)))
    within = _within(steps, f"{word}/within", blocks)
    ends = ShapedNets(within.bus, ints(within.nets[..., -1]))
    ahead = _sums(steps, f"{word}/blocks", ends)
    before = ShapedNets(ahead.bus, ints(_before(ahead.nets)[..., None]))
    total = steps.lanes(f"{word}/added", "x0+x1", Circuit("add", opamps=2), within, before)
    return ShapedNets(total.bus, ints(total.nets.reshape(*rest, -1)[..., :length]))


def _within(steps: Steps, word: str, given: ShapedNets) -> ShapedNets:
    """Return the sums along the last axis, a column of resistors for each."""
    shape = given.nets.shape
    places = tuple(range(len(shape) - 1))
    kernel = Kernel(
        values=np.triu(filled((shape[-1],) * 2, 1.0)).reshape(1, -1),
        cell=None,
        bias=None,
        taps=spread(given.nets, (len(shape) - 1,), (), places),
        sinks=spread(lanes(shape), (len(shape) - 1,), (), places),
        grid=grid(*shape[:-1]),
    )
    return steps.linear(word, given.bus, shape, (kernel,), "resistor")


def _before(nets: Ints) -> Ints:
    """Return the sums before each number; zero before the first."""
    first = np.full((*nets.shape[:-1], 1), GROUND)
    return ints(np.concatenate([first, nets[..., :-1]], axis=-1))
