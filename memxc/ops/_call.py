"""A node as its column sees it: tensors, attributes and constants, each checked when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from memxc.errors import Fault, MemxcError
from memxc.ir.bounds import reckon
from memxc.ir.design import Bus
from memxc.ir.graph import Graph, Node, Tensor
from memxc.ir.stages import Stage
from memxc.ir.windows import Ints, ints

#: ShapedNets are numbered in 32 bits.
_BEYOND = 2**31
#: What a column returns: stages in order, and the buses between them, which are no tensors.
Parts = Sequence[Stage | Bus]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One node as its column sees it: its declared attributes, shapes and constants.

    used: the tensors that some node or the network's output reads. inside: whether a circuit reads
    the result, so that no processor can compute it behind the last circuit.
    """

    node: Node
    graph: Graph
    attrs: Mapping[str, Any]
    used: frozenset[str] = field(repr=False)
    inside: bool = False

    @property
    def name(self) -> str:
        """The name of the node, for its stages."""
        return self.node.name

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input tensors, without absent optional ones at the end."""
        names = self.node.inputs
        while names and not names[-1]:
            names = names[:-1]
        return names

    @property
    def dst(self) -> str:
        """The first output: the bus that a column with one output drives."""
        return self.node.outputs[0]

    @property
    def shape(self) -> Shape:
        """The shape of the first output."""
        return self.graph.shapes[self.dst]

    def _input(self, index: int) -> str:
        """Return the name of an input. Raises MemxcError if it is missing."""
        if not self.has(index):
            raise self.refuse(f"its input {index + 1} is missing", code="unsupported-model")
        return self.inputs[index]

    def shape_of(self, index: int) -> Shape:
        """Return the shape of an input."""
        return self.graph.shapes[self._input(index)]

    def has(self, index: int) -> bool:
        """Return whether an optional input is there."""
        return index < len(self.inputs) and bool(self.inputs[index])

    def is_constant(self, index: int) -> bool:
        """Return whether an input is a constant of the model."""
        return self._input(index) in self.graph.weights

    def constant(self, index: int, role: str) -> Tensor:
        """Return an input that has to be a constant. role: what it is, for a fault."""
        if not self.is_constant(index):
            raise self.refuse(
                f"its {role} is computed at run time",
                "only a constant of the model can be programmed or wired",
                "unsupported-model",
            )
        return self.graph.weights[self.inputs[index]]

    def bus(self, index: int) -> str:
        """Return the name of an input that has to be a signal, not a constant."""
        if self.is_constant(index):
            raise self.refuse(
                f"input {index + 1} is a constant where the circuit expects a signal",
                "simplify the model first, so that constants are folded",
                "unsupported-model",
            )
        return self.inputs[index]

    def kind(self, index: int) -> str:
        """Return the element type of an input that is a signal; "" for a real number."""
        return self.graph.kinds.get(self._input(index), "")

    @property
    def dst_kind(self) -> str:
        """The element type of the first output; "" for a real number."""
        return self.graph.kinds.get(self.dst, "")

    def nets(self, index: int) -> Ints:
        """Return the lanes of an input's bus, numbered, in the shape of its tensor."""
        self.bus(index)
        return lanes(self.shape_of(index))

    def setting(self, attribute: str, index: int) -> Tensor | None:
        """Return an attribute of older opsets that is a constant input in newer ones, or None."""
        value = self.attrs[attribute]
        if value is not None:
            return np.asarray(value)
        return self.constant(index, attribute) if self.has(index) else None

    def numbers(self, value: Tensor, role: str, count: int | None = None) -> Shape:
        """Return a constant that has to be a list of integers. role: its role, for a fault.

        count: how many integers it has to have, or None for any number.
        """
        if value.ndim != 1 or (value.size and value.dtype.kind not in "iu"):
            shown = "x".join(map(str, value.shape)) or "()"
            what = f"{role} has the shape {shown} and the type {value.dtype}"
            raise self.refuse(f"{what}, it has to be a list of integers")
        if count is not None and value.size != count:
            raise self.refuse(f"{role} = {_few(value)} has to be {count} numbers")
        return tuple(value.tolist())

    def listed(self, attribute: str, index: int) -> Shape | None:
        """Return a list of integers that is an attribute or a constant input, or None."""
        value = self.setting(attribute, index)
        return None if value is None else self.numbers(value, attribute)

    def sizes(self, attribute: str, rank: int, default: int = 1, least: int = 1) -> Shape:
        """Return an attribute of one integer, at least `least`, for each of `rank` axes.

        These are strides, dilations, pads and their kin. They count nets, so none is above 2**31.
        """
        value = self.attrs[attribute]
        sizes = (default,) * rank if value is None else tuple(value)
        if len(sizes) != rank or not all(least <= number < _BEYOND for number in sizes):
            what = f"{attribute} = {_few(np.array(sizes, dtype=object))} has to be {rank} numbers"
            raise self.refuse(f"{what} from {least} to 2**31 - 1")
        return sizes

    def single(self, value: Tensor, role: str) -> Tensor:
        """Return a constant that has to be one number. role: its role, for a fault."""
        if value.size != 1:
            raise self.refuse(f"a {role} of the shape {value.shape}, not one number")
        return value.reshape(())

    def fresh(self, suffix: str) -> str:
        """Return the name of a new bus beside this node's output."""
        name = f"{next(filter(None, self.node.outputs))}/{suffix}"
        while name in self.graph.shapes:
            name += "'"
        return name

    def refuse(self, what: str, hint: str = "", code: str = "unsupported-attribute") -> MemxcError:
        """Return a fault of this node, to be raised."""
        return MemxcError(Fault(code, self.name, f"{self.node.op}: {what}", hint))


def axis_of(call: Call, name: str) -> int:
    """Return the attribute `name` as an axis of the first input, counted from the front.

    Raises MemxcError if the input has no such axis.
    """
    value = call.attrs[name]
    if value is None:
        raise call.refuse(f"without {name}")
    return axes_of(call, name, [value])[0]


def axes_of(
    call: Call, name: str, given: Iterable[int], rank: int | None = None
) -> tuple[int, ...]:
    """Return axes of the first input, or of a tensor of `rank`, counted from the front.

    Raises MemxcError if there is no such axis, or if one occurs twice.
    """
    rank = len(call.shape_of(0)) if rank is None else rank
    axes = [int(axis) for axis in given]
    counted = tuple(axis % rank for axis in axes if -rank <= axis < rank)
    if len(set(counted)) != len(axes):
        shown = axes[0] if len(axes) == 1 else axes[:8]
        raise call.refuse(f"{name} = {shown} of a tensor of {rank} axes")
    return counted


def lanes(shape: Shape) -> Ints:
    """Return the lanes of a bus, numbered, in the shape of its tensor."""
    reckon(*shape)
    return ints(np.arange(prod(shape), dtype=np.int32)).reshape(shape)


def _few(values: Tensor) -> str:
    """Return a list as text that stays short."""
    shown = ", ".join(map(str, values.reshape(-1).tolist()[:8]))
    return f"[{shown}{', ...' if values.size > 8 else ''}]"
