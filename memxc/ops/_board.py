"""A patch board: operators that only move numbers become wires.

A constant among them is a voltage: one lane for each distinct value, driven from the reference
through a fixed resistor, with a wire to each place that needs it. Zero is ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.design import Bus
from memxc.ir.graph import Tensor
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear, Rename
from memxc.ir.windows import GROUND, Ints, Windows, identity_windows, ints
from memxc.ops._call import Call, Parts

#: A larger number stands for infinity. No voltage can, whatever the volts per unit are.
LARGEST = 1e9


class Board:
    """The signals and constants of one node as numbers, which numpy can move about.

    Lanes are numbered from 0 over all signals, in the order in which they are taken. GROUND is
    zero. Numbers below GROUND are the distinct constants.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._srcs: list[str] = []
        self._width = 0
        self._values: dict[float, int] = {}

    def operand(self, index: int) -> Ints:
        """Return an input, a signal or a constant, in the shape of its tensor."""
        if self._call.is_constant(index):
            return self.constant(self._call.constant(index, "operand"))
        nets = ints(self._call.nets(index) + self._width)
        self._srcs.append(self._call.bus(index))
        self._width += nets.size
        return nets

    def constant(self, values: Tensor) -> Ints:
        """Return constants of the model. Raises MemxcError if one is too large for a voltage."""
        reckon(*values.shape)
        values_once, where = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
        largest = values_once[np.abs(values_once).argmax()] if values_once.size else 0.0
        if not abs(largest) < LARGEST:
            raise self._call.refuse(f"no circuit holds the number {largest:g}", _HINT)
        nets = [self._net(value) for value in values_once.tolist()]
        return ints(np.array(nets)[where.reshape(-1)]).reshape(np.shape(values))

    def wires(self, nets: Ints) -> Parts:
        """Return the stages that put `nets` on the node's first output.

        Raises MemxcError if the output has another size, or if there is no signal.
        """
        call = self._call
        if nets.size != prod(call.shape):
            raise call.refuse(
                f"its output has {nets.size} numbers, the model says {call.shape}",
                code="unsupported-shape",
            )
        index = np.where(nets < GROUND, self._width - nets + GROUND - 1, nets)
        if not self._srcs:
            raise call.refuse("all of its inputs are constants", code="unsupported-model")
        if not self._values:
            return [Rename(call.name, tuple(self._srcs), call.dst, ints(index.reshape(-1)))]
        constants = call.fresh("constants")
        srcs = (*self._srcs, constants)
        return [
            Bus(constants, (len(self._values),)),
            reference(f"{call.name}/constants", self._srcs[0], constants, list(self._values)),
            Rename(call.name, srcs, call.dst, ints(index.reshape(-1))),
        ]

    def _net(self, value: float) -> int:
        if value == 0:
            return GROUND
        return self._values.setdefault(value, GROUND - 1 - len(self._values))


def reference(name: str, src: str, dst: str, values: Sequence[float]) -> Linear:
    """Return a stage that holds `values` on the bus `dst`. It reads nothing of `src`."""
    kernel = Kernel(
        values=np.zeros((1, 0)),
        cell=None,
        bias=np.array([values]),
        taps=Windows(ints([GROUND]), ints([0]), ints([0]), ints([])),
        sinks=identity_windows(len(values)),
        grid=(1,),
    )
    return Linear(name, src, dst, (kernel,), cell="resistor")


_HINT = "only a MaxPool right behind a Pad may read what stands for infinity"


def level(nets: Ints, value: float) -> Kernel:
    """Return a kernel that puts one constant on some lanes: a bias without weights."""
    return Kernel(
        values=np.zeros((1, 0)),
        cell=None,
        bias=np.array([[value]]),
        taps=Windows(ints([GROUND]), ints(np.zeros(len(nets))), ints([0]), ints([])),
        sinks=Windows(nets, ints(np.arange(len(nets))), ints([0]), ints([0])),
        grid=(len(nets),),
    )
