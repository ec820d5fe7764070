"""A node of several stages, one after the other, over buses that are no tensors of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import prod

import numpy as np
from numpy.typing import NDArray

from memxc.ir.bounds import TERM, reckon
from memxc.ir.design import Bus
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Circuit, DeviceKind, Lanes, Linear, Rename, Stage
from memxc.ir.windows import GROUND, Ints, Windows, ints, lanewise
from memxc.ops._board import reference
from memxc.ops._call import Call, Parts, Shape, lanes
from memxc.ops._windows import Axes, filled, grid, spread

Floats = NDArray[np.float64]

#: The product of two signals.
PRODUCT = Circuit("mul", multipliers=1)


@dataclass(frozen=True, eq=False)
class ShapedNets:
    """A bus, and its nets in the shape of a tensor. GROUND is zero."""

    bus: str
    nets: Ints

    def shaped(self, shape: Shape) -> ShapedNets:
        """Return the same nets in another shape."""
        return ShapedNets(self.bus, self.nets.reshape(shape))


class Steps:
    """The stages of a node. Each drives a bus that is named after its signal."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._parts: list[tuple[Bus, Stage]] = []
        self._widths: dict[str, int] = {}

    def given(self, index: int) -> ShapedNets:
        """Return an input of the node that is a signal."""
        return ShapedNets(self._call.bus(index), self._call.nets(index))

    def held(self, word: str, values: Floats) -> ShapedNets:
        """Return constants as voltages through fixed resistors; zero is ground."""
        reckon(*values.shape)
        distinct = np.unique(values[values != 0])
        where = np.where(values == 0, GROUND, np.searchsorted(distinct, values))
        dst = self._bus(word, distinct.shape)
        # The stage reads nothing of its source. An input of the network delays nothing.
        src = self._call.graph.inputs[0]
        stage = reference(self._name(word), src, dst.name, distinct.tolist())
        self._parts.append((dst, stage))
        return ShapedNets(dst.name, ints(where))

    def lanes(
        self, word: str, expr: str, circuit: Circuit, *srcs: ShapedNets, keeps_scale: bool = False
    ) -> ShapedNets:
        """Return one function of several signals, which are broadcast as numpy does."""
        shape = np.broadcast_shapes(*(src.nets.shape for src in srcs))
        taps = [lanewise(np.broadcast_to(src.nets, shape).reshape(-1)) for src in srcs]
        return self._lanes(word, shape, expr, circuit, srcs, taps, keeps_scale)

    def along(
        self,
        word: str,
        expr: str,
        circuit: Circuit,
        src: ShapedNets,
        axes: Axes,
        keeps_scale: bool = False,
    ) -> ShapedNets:
        """Return one function of all numbers along some axes. The axes keep the size 1."""
        shape = src.nets.shape
        reckon(*(shape[axis] for axis in axes), TERM)
        taps = spread(src.nets, axes, _kept(shape, axes), ())
        return self._lanes(word, _without(shape, axes), expr, circuit, [src], [taps], keeps_scale)

    def sums(self, word: str, src: ShapedNets, axes: Axes, weight: float = 1.0) -> ShapedNets:
        """Return `weight` times the sum along some axes, which keep the size 1: equal resistors."""
        shape = src.nets.shape
        dst = self._bus(word, _without(shape, axes))
        blocks = tuple(axis for axis in _kept(shape, axes) if axis == 1)
        places = tuple(axis for axis in _kept(shape, axes) if axis != 1)
        groups, rows = (prod(shape[axis] for axis in role) for role in (blocks, axes))
        kernel = Kernel(
            values=filled((groups, rows), weight),
            cell=None,
            bias=None,
            taps=spread(src.nets, axes, blocks, places),
            sinks=spread(lanes(dst.shape), axes, blocks, places),
            grid=grid(*(shape[axis] for axis in places)),
        )
        return self.linear(word, src.bus, dst.shape, (kernel,), "resistor")

    def weighed(self, word: str, srcs: tuple[ShapedNets, ...], weights: Floats) -> ShapedNets:
        """Return the sum of signals of one shape, each times its weights.

        weights: (signals, *shape), with a size of 1 along axes where no weight changes.
        """
        shape = srcs[0].nets.shape
        groups = tuple(axis for axis, size in enumerate(weights.shape) if size > 1 and axis > 0)
        places = tuple(axis for axis in range(1, len(shape) + 1) if axis not in groups)
        joined = self._joined(f"{word}/terms", srcs)
        kernel = Kernel(
            values=np.moveaxis(weights, 0, -1).reshape(-1, len(srcs)),
            cell=None,
            bias=None,
            taps=spread(joined.nets, (0,), groups, places),
            sinks=spread(lanes((1, *shape)), (0,), groups, places),
            grid=grid(*(joined.nets.shape[axis] for axis in places)),
        )
        return self.linear(word, joined.bus, shape, (kernel,), "batchnorm")

    def affine(
        self, word: str, src: ShapedNets, gain: Floats, shift: Floats | None = None
    ) -> ShapedNets:
        """Return gain x + shift, whose constants numpy can broadcast to the signal."""
        shape = src.nets.shape
        parts = [p for p in (gain, shift) if p is not None]
        full = [part.reshape((1,) * (len(shape) - part.ndim) + part.shape) for part in parts]
        axes = tuple(
            axis for axis in range(len(shape)) if any(part.shape[axis] > 1 for part in full)
        )
        places = tuple(axis for axis in range(len(shape)) if axis not in axes)
        sizes = [size if axis in axes else 1 for axis, size in enumerate(shape)]
        columns = [np.broadcast_to(part, sizes).reshape(-1, 1) for part in full]
        kernel = Kernel(
            values=columns[0],
            cell=None,
            bias=None if shift is None else columns[1],
            taps=spread(src.nets, (), axes, places),
            sinks=spread(lanes(shape), (), axes, places),
            grid=grid(*(shape[axis] for axis in places)),
        )
        return self.linear(word, src.bus, shape, (kernel,), "batchnorm")

    def product(
        self, word: str, left: ShapedNets, right: ShapedNets, weight: float = 1.0
    ) -> ShapedNets:
        """Return `weight` times the matrix product of two signals (..., P, K) and (..., K, Q).

        Each of its P x K x Q products is a multiplier; equal resistors add them up.
        """
        rows, columns = left.nets[..., None], right.nets[..., None, :, :]
        shape = np.broadcast_shapes(rows.shape, columns.shape)
        reckon(*shape)
        one, other = ShapedNets(left.bus, rows), ShapedNets(right.bus, columns)
        products = self.lanes(f"{word}/products", "x0*x1", PRODUCT, one, other)
        kept = (*shape[:-2], shape[-1])
        if shape[-2] == 1:
            return self.scaled(word, products.shaped(kept), weight)
        return self.sums(word, products, (len(shape) - 2,), weight).shaped(kept)

    def scaled(self, word: str, src: ShapedNets, weight: float) -> ShapedNets:
        """Return a signal times a number; the signal itself for 1."""
        return src if weight == 1.0 else self.affine(word, src, np.array(weight))

    def linear(
        self, word: str, src: str, shape: Shape, kernels: tuple[Kernel, ...], cell: DeviceKind
    ) -> ShapedNets:
        """Return the signal of a Linear stage with these kernels, on a bus of that shape."""
        dst = self._bus(word, shape)
        self._parts.append((dst, Linear(self._name(word), src, dst.name, kernels, cell=cell)))
        return ShapedNets(dst.name, lanes(shape))

    def beside(self, word: str, srcs: Sequence[ShapedNets]) -> ShapedNets:
        """Return signals joined along their last axis, as wires on one bus."""
        firsts = np.cumsum([0, *(self._width(src.bus) for src in srcs)])
        index = [
            np.where(src.nets == GROUND, GROUND, src.nets + first)
            for src, first in zip(srcs, firsts, strict=False)
        ]
        joined = np.concatenate(index, axis=-1)
        dst, buses = self._bus(word, joined.shape), tuple(src.bus for src in srcs)
        stage = Rename(self._name(word), buses, dst.name, ints(joined.reshape(-1)))
        self._parts.append((dst, stage))
        return ShapedNets(dst.name, lanes(dst.shape))

    def end(self, result: ShapedNets, more: Mapping[str, ShapedNets] | None = None) -> Parts:
        """Return all stages; `result` drives the node's output. more: signals of further outputs.

        Raises MemxcError if the model says that the output has another size.
        """
        call, made = self._call, list(self._parts)
        if result.nets.size != prod(call.shape):
            raise call.refuse(
                f"its output has {result.nets.size} numbers, the model says {call.shape}",
                code="unsupported-shape",
            )
        wires = [
            Rename(f"{call.name}/{name}", (signal.bus,), name, ints(signal.nets.reshape(-1)))
            for name, signal in (more or {}).items()
        ]
        order = result.nets.reshape(-1)
        whole = np.arange(self._width(result.bus))
        in_order = np.array_equal(order, whole)
        if in_order and not wires and made and made[-1][1].dst == result.bus:
            last = replace(made.pop()[1], name=call.name, dst=call.dst)
        else:
            last = Rename(call.name, (result.bus,), call.dst, ints(order))
        return [*chain.from_iterable(made), last, *wires]

    def parts(self) -> Parts:
        """Return all stages so far, none of which drives an output of the node."""
        return list(chain.from_iterable(self._parts))

    def _lanes(
        self,
        word: str,
        shape: Shape,
        expr: str,
        circuit: Circuit,
        srcs: tuple[ShapedNets, ...] | list[ShapedNets],
        taps: list[Windows],
        keeps_scale: bool,
    ) -> ShapedNets:
        dst, buses = self._bus(word, shape), tuple(src.bus for src in srcs)
        name = self._name(word)
        stage = Lanes(name, buses, dst.name, tuple(taps), expr, circuit, keeps_scale)
        self._parts.append((dst, stage))
        return ShapedNets(dst.name, lanes(shape))

    def _joined(self, word: str, srcs: tuple[ShapedNets, ...]) -> ShapedNets:
        """Return signals of one shape on one bus, with an axis for the signals in front."""
        dst = self._bus(word, (len(srcs), *srcs[0].nets.shape))
        firsts = np.cumsum([0, *(src.nets.size for src in srcs)])
        index = [src.nets.reshape(-1) + first for src, first in zip(srcs, firsts, strict=False)]
        buses = tuple(src.bus for src in srcs)
        stage = Rename(self._name(word), buses, dst.name, ints(np.concatenate(index)))
        self._parts.append((dst, stage))
        return ShapedNets(dst.name, lanes(dst.shape))

    def _width(self, name: str) -> int:
        shapes = self._call.graph.shapes
        return prod(shapes[name]) if name in shapes else self._widths[name]

    def _bus(self, word: str, shape: Shape) -> Bus:
        bus = Bus(self._call.fresh(word), shape)
        self._widths[bus.name] = bus.width
        return bus

    def _name(self, word: str) -> str:
        return f"{self._call.name}/{word}"


def _without(shape: Shape, axes: Axes) -> Shape:
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def _kept(shape: Shape, axes: Axes) -> Axes:
    return tuple(axis for axis in range(len(shape)) if axis not in axes)
