"""Col2Im: overlapping blocks are added. Each pixel has equal resistors from all blocks on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod

import numpy as np

from memxc.ir.bounds import KERNEL, TERM, reckon
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import Ints, Windows, ints
from memxc.ops._board import level
from memxc.ops._call import Call, Parts, Shape, lanes
from memxc.ops._registry import operator
from memxc.ops._windows import grid, lattice


@operator("Col2Im", since=18, attrs={"dilations": None, "pads": None, "strides": None})
def col2im(call: Call) -> Parts:
    """Return kernels, one for all pixels that have as many blocks on them in the same way."""
    image, block = (
        call.numbers(call.constant(index, name), name)
        for index, name in ((1, "image_shape"), (2, "block_shape"))
    )
    if len(call.shape_of(0)) != 3:
        raise call.refuse(f"an input of {call.shape_of(0)}", code="unsupported-shape")
    axes = _axes(call, image, block)
    counts = tuple(axis.blocks for axis in axes)
    batch, rows, columns = call.shape_of(0)
    if rows % prod(block) or prod(counts) != columns or call.shape[2:] != image:
        raise call.refuse(
            f"{rows} x {columns} numbers are no blocks of {block} in {image}",
            code="unsupported-shape",
        )
    channels = batch * (rows // prod(block))
    frame = ints(call.nets(0).reshape(channels, *block, *counts))
    out = ints(lanes(call.shape).reshape(channels, *image))
    parts = [list(axis.parts()) for axis in axes]
    reckon(*map(len, parts), KERNEL)
    kernels = [_kernel(frame, out, chosen) for chosen in product(*parts)]
    return [Linear(call.name, call.bus(0), call.dst, tuple(kernels), cell="resistor")]


@dataclass(frozen=True)
class _Part:
    """Outputs of an axis that add the same: `element` of the block `first` + `step`."""

    outputs: Ints
    first: Ints
    element: tuple[int, ...]
    step: tuple[int, ...]


@dataclass(frozen=True)
class _Axis:
    """One axis of space. begin: padding in front. blocks: how many blocks there are."""

    size: int
    block: int
    stride: int
    dilation: int
    begin: int
    blocks: int

    def parts(self) -> Iterator[_Part]:
        """Yield outputs that add the same elements and steps together."""
        reckon(self.size, self.block, TERM)
        same: dict[tuple[tuple[int, ...], tuple[int, ...]], list[tuple[int, int]]] = {}
        for output in range(self.size):
            pairs = sorted(self._pairs(output))
            first = pairs[0][0] if pairs else 0
            key = tuple(element for _, element in pairs), tuple(at - first for at, _ in pairs)
            same.setdefault(key, []).append((output, first))
        for (element, step), places in same.items():
            outputs, firsts = np.array(places).T
            yield _Part(ints(outputs), ints(firsts), element, step)

    def _pairs(self, output: int) -> Iterator[tuple[int, int]]:
        """Yield (block, element) of everything that is on an output."""
        for element in range(self.block):
            start = output + self.begin - element * self.dilation
            if start % self.stride == 0 and 0 <= start // self.stride < self.blocks:
                yield start // self.stride, element


def _axes(call: Call, image: Shape, block: Shape) -> list[_Axis]:
    rank = len(block)
    stride, dilation = call.sizes("strides", rank), call.sizes("dilations", rank)
    pads = call.sizes("pads", 2 * rank, default=0, least=0)
    if len(image) != rank or not rank or min(*block, *image) < 1:
        raise call.refuse(f"blocks of {block} do not fit an image of {image}")
    whole = zip(image, block, stride, dilation, pads[:rank], pads[rank:], strict=True)
    return [
        _Axis(n, k, s, d, b, max(0, (n + b + e - d * (k - 1) - 1) // s + 1))
        for n, k, s, d, b, e in whole
    ]


def _kernel(frame: Ints, out: Ints, parts: tuple[_Part, ...]) -> Kernel:
    """Return a kernel: its lines are what a pixel adds, its places are pixels of all channels."""
    rank, channels = len(parts), range(len(frame))
    nets = out[np.ix_(np.arange(len(frame)), *(part.outputs for part in parts))]
    if not all(part.element for part in parts):
        return level(ints(nets.reshape(-1)), 0.0)
    strides = [prod(frame.shape[axis + 1 :]) for axis in range(frame.ndim)]
    offsets = [
        np.array(part.element) * strides[1 + axis] + np.array(part.step) * strides[1 + rank + axis]
        for axis, part in enumerate(parts)
    ]
    offset = reduce(lambda a, b: np.add.outer(a, b).reshape(-1), offsets)
    still = [[0]] * rank
    taps = Windows(
        frame,
        lattice(frame.shape, channels, *still, *(part.first for part in parts)),
        ints([0]),
        ints(offset),
    )
    sinks = Windows(
        out,
        lattice(out.shape, channels, *(part.outputs for part in parts)),
        ints([0]),
        ints([0]),
    )
    places = grid(len(frame), *(len(part.outputs) for part in parts))
    return Kernel(np.ones((1, len(offset))), None, None, taps, sinks, places)
