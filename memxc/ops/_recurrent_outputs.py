"""The outputs of a recurrent node: wires from the states of its steps.

Shapes are those of layout = 0, as in _unrolled.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.ir.bounds import reckon
from memxc.ir.stages import Rename
from memxc.ir.windows import GROUND, Ints, ints
from memxc.ops._call import Call, Shape
from memxc.ops._steps import ShapedNets

Index = NDArray[np.integer[Any]]
States = tuple[ShapedNets, ...]


class RecurrentOutputs:
    """The outputs that something reads: wires from the steps."""

    def __init__(self, call: Call, steps: int, shape: Shape, states: int) -> None:
        """shape: of a state, (directions, batch, hidden)."""
        self._call = call
        shapes = [(steps, *shape), *[shape] * states]
        names = dict(zip(call.node.outputs, shapes, strict=False))
        self._wires = {name: _Wires(shape) for name, shape in names.items() if name in call.used}

    def add(
        self, direction: int, at: Index, batch: Index, ends: NDArray[np.bool_], states: States
    ) -> None:
        """Add a step of some of the batch. at: its place in Y. ends: which have no further step."""
        y, *last = self._call.node.outputs
        if y in self._wires:
            self._wires[y].add((at, direction, batch), states[0].nets, states[0])
        for name, state in zip(last, states, strict=False):
            if name in self._wires and ends.any():
                self._wires[name].add((direction, batch[ends]), state.nets[ends], state)

    def stages(self) -> Iterator[Rename]:
        """Yield wires for each output. Raises MemxcError if the model says another shape."""
        call = self._call
        for name, wires in self._wires.items():
            index = wires.index
            if call.attrs["layout"]:
                index = index.transpose((2, 0, 1, 3) if index.ndim == 4 else (1, 0, 2))
            if index.shape != call.graph.shapes[name]:
                what = f"its output {name!r} should have the shape {index.shape}"
                raise call.refuse(what, code="unsupported-shape")
            yield Rename(f"{call.name}/{name}", tuple(wires.buses), name, ints(index.reshape(-1)))


class _Wires:
    """An output as lanes of the buses that it is made of; GROUND where it is zero."""

    def __init__(self, shape: Shape) -> None:
        reckon(*shape)
        self.index = np.full(shape, GROUND)
        self.buses: list[str] = []
        self._lanes = 0

    def add(self, place: tuple[int | Index, ...], nets: Ints, signal: ShapedNets) -> None:
        """Wire nets of a signal, which is a whole bus, to a place of the output."""
        self.index[place] = nets + self._lanes
        self.buses.append(signal.bus)
        self._lanes += prod(signal.nets.shape)
