"""A recurrent node, written out step by step: each step has hardware of its own.

    x_0 ──> step 0 ──> h_0 ──> step 1 ──> h_1 ──> ...
              ^          x_1 ────^
    initial state

In here tensors have the axes of layout = 0: X is (steps, batch, inputs), a state is (directions,
batch, hidden), and Y is (steps, directions, batch, hidden).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from memxc.ir.bounds import KERNEL, reckon
from memxc.ir.graph import Tensor
from memxc.ir.kernel import Kernel
from memxc.ir.windows import GROUND, Ints, ints
from memxc.ops._activations import Activation, activations
from memxc.ops._call import Call, Parts, Shape, lanes
from memxc.ops._recurrent_outputs import RecurrentOutputs, States
from memxc.ops._steps import Floats, ShapedNets, Steps
from memxc.ops._windows import filled, grid, spread

#: Most steps of one node, over its directions; each of them becomes about ten stages.
_MOST_STEPS = 2048
#: Axes of X: steps, batch and inputs.
_RANK = 3
#: Positions of inputs that LSTM, GRU and RNN share.
_W, _R, _B, _LENGTHS, _STATE = 1, 2, 3, 4, 5
#: For each direction of the attribute, whether it starts at the end of the sequence.
_REVERSED = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}

#: It computes the states behind a step from a prefix of names, the step's input (batch, inputs) and
#: the states before it, each (batch, hidden). The first state is what the step adds to Y.
Step = Callable[[str, ShapedNets, States], States]


@dataclass(frozen=True, eq=False)
class StepWeights:
    """The weights of one crossbar, (lines, columns), which every step uses on lines of its own.

    A NaN is no weight: there is no device.
    """

    steps: Steps
    weights: Tensor
    bias: Floats
    _cell: Ints | None = field(init=False)
    _values: Tensor = field(init=False)

    def __post_init__(self) -> None:
        present = ~np.isnan(self.weights)
        numbers = present.cumsum().reshape(present.shape) - 1
        cell = None if present.all() else ints(np.where(present, numbers, -1))
        object.__setattr__(self, "_cell", cell)
        object.__setattr__(self, "_values", self.weights[present].reshape(1, -1))

    def of(self, word: str, *srcs: ShapedNets) -> ShapedNets:
        """Return weights times the signals (batch, lines), side by side, plus the bias."""
        src = self.steps.beside(f"{word}/lines", srcs)
        shape = len(src.nets), self.weights.shape[1]
        reckon(KERNEL)
        kernel = Kernel(
            values=self._values,
            cell=self._cell,
            bias=self.bias.reshape(1, -1),
            taps=spread(src.nets, (1,), (), (0,)),
            sinks=spread(lanes(shape), (1,), (), (0,)),
            grid=grid(shape[0]),
        )
        return self.steps.linear(word, src.bus, shape, (kernel,), "memristor")


class Columns(NamedTuple):
    """The columns of a gate on a crossbar. gate: its number in W.

    inputs, state: whether the step's input and the state before it drive them.
    """

    gate: int
    inputs: bool = True
    state: bool = True


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction of a recurrent node.

    w, r: weights of the inputs and of the state, (gates * hidden, lines). b: their biases,
    (2, gates * hidden).
    """

    call: Call
    steps: Steps
    index: int
    activations: Sequence[Activation]
    w: Tensor
    r: Tensor
    b: Floats

    @property
    def hidden(self) -> int:
        """Lanes of a state."""
        return int(self.r.shape[1])

    def crossbar(self, gates: Sequence[Columns], *further: Tensor) -> StepWeights:
        """Return the crossbar of some gates. Its lines are inputs, state, and those of `further`.

        further: weights (columns, lines) of other signals.
        """
        lines = self.w.shape[1] + self.hidden + sum(block.shape[1] for block in further)
        reckon(len(gates) * self.hidden, lines)
        blocks = [
            np.concatenate([self._rows(self.w, gate, gate.inputs) for gate in gates]),
            np.concatenate([self._rows(self.r, gate, gate.state) for gate in gates]),
        ]
        w_bias, r_bias = self.b.reshape(2, -1, self.hidden)
        bias = [w_bias[gate] * of_x + r_bias[gate] * of_h for gate, of_x, of_h in gates]
        weights = np.concatenate([*blocks, *further], axis=1).T
        return StepWeights(self.steps, weights, np.concatenate(bias))

    def _rows(self, weights: Tensor, gate: Columns, present: bool) -> Tensor:
        block = weights[gate.gate * self.hidden :][: self.hidden]
        return block if present else np.full_like(block, np.nan)


def unrolled(
    call: Call,
    gates: int,
    states: int,
    defaults: tuple[str, ...],
    cell: Callable[[Direction], Step],
) -> Parts:
    """Return the stages of a recurrent node, step after step in each direction.

    gates: blocks of `hidden` rows in W. states: 1, or 2 if there is a cell state. defaults: names
    of its activations. cell: how a direction computes a step. Raises MemxcError.
    """
    steps = Steps(call)
    turned = (1, 0, 2) if call.attrs["layout"] else (0, 1, 2)
    if len(call.shape_of(0)) != _RANK:
        raise call.refuse(f"an input of shape {call.shape_of(0)}", code="unsupported-shape")
    x = ShapedNets(call.bus(0), ints(call.nets(0).transpose(turned)))
    directions = list(_directions(call, steps, gates, defaults, x.nets.shape[2]))
    lengths = _lengths(call, x.nets.shape, len(directions))
    shape = len(directions), x.nets.shape[1], directions[0].hidden
    written = RecurrentOutputs(call, len(x.nets), shape, states)
    initial = [_initial(call, steps, _STATE + number, shape, x) for number in range(states)]
    for direction, of in enumerate(directions):
        state = tuple(of_each[direction] for of_each in initial)
        step, running = cell(of), np.arange(x.nets.shape[1])
        for number in range(int(lengths.max())):
            going = np.flatnonzero(lengths > number)
            last = lengths[going] - 1
            at = last - number if _reversed(call)[direction] else np.full_like(last, number)
            still = np.searchsorted(running, going)
            before = tuple(ShapedNets(part.bus, ints(part.nets[still])) for part in state)
            here = ShapedNets(x.bus, ints(x.nets[at, going]))
            state, running = step(f"{direction}/{number}", here, before), going
            written.add(direction, at, going, last == number, state)
    return [*steps.parts(), *written.stages()]


def _reversed(call: Call) -> tuple[bool, ...]:
    name = call.attrs["direction"]
    if name not in _REVERSED:
        raise call.refuse(f"direction = {name!r} is not one of {', '.join(_REVERSED)}")
    return _REVERSED[name]


def _directions(
    call: Call, steps: Steps, gates: int, defaults: tuple[str, ...], inputs: int
) -> Iterator[Direction]:
    w, r = call.constant(_W, "weights W"), call.constant(_R, "weights R")
    count, hidden = len(_reversed(call)), r.shape[-1] if r.ndim else 0
    wide = gates * hidden
    for name, tensor, shape in (("W", w, (count, wide, inputs)), ("R", r, (count, wide, hidden))):
        if tensor.shape != shape:
            what = f"its {name} has the shape {tensor.shape}, it should have {shape}"
            raise call.refuse(what, code="unsupported-shape")
    if call.attrs["hidden_size"] not in (None, hidden):
        what = f"hidden_size = {call.attrs['hidden_size']}, but its R is for {hidden}"
        raise call.refuse(what, code="unsupported-shape")
    b = optional(call, _B, "biases B", (count, 2 * wide))
    biases = filled((count, 2 * wide), 0.0) if b is None else b.astype(np.float64)
    for index, functions in enumerate(activations(call, defaults, count)):
        split = biases[index].reshape(2, wide)
        yield Direction(call, steps, index, functions, w[index], r[index], split)


def optional(call: Call, index: int, role: str, shape: Shape) -> Tensor | None:
    """Return an optional constant of this shape, or None. Raises MemxcError if it has another."""
    if not call.has(index):
        return None
    value = call.constant(index, role)
    if value.shape != shape:
        what = f"its {role} have the shape {value.shape}, they should have {shape}"
        raise call.refuse(what, code="unsupported-shape")
    return value


def _lengths(call: Call, shape: Shape, directions: int) -> Ints:
    """Return the number of steps of each sequence of the batch, (batch,)."""
    steps, batch = shape[:2]
    if steps * directions > _MOST_STEPS:
        what = (
            f"its {steps * directions:,} steps are more than the {_MOST_STEPS:,} that memxc unrolls"
        )
        hint = "compile the network for a shorter sequence, or for one step with its state as input"
        raise call.refuse(what, hint, "unsupported-shape")
    given = optional(call, _LENGTHS, "sequence_lens", (batch,))
    if given is None:
        return ints(np.full(batch, steps))
    if given.dtype.kind not in "iu" or not 1 <= given.min() <= given.max() <= steps:
        what = f"sequence_lens reach from {given.min()} to {given.max()} in {steps} steps"
        raise call.refuse(what, "each sequence has at least one step", "unsupported-shape")
    return ints(given)


def _initial(
    call: Call, steps: Steps, index: int, shape: Shape, x: ShapedNets
) -> Sequence[ShapedNets]:
    """Return the initial state of each direction: a signal, constant voltages, or ground."""
    turned = (1, 0, 2) if call.attrs["layout"] else (0, 1, 2)
    reckon(*shape)
    held: ShapedNets | None = None
    if call.has(index):
        expected = tuple(shape[axis] for axis in turned)
        if call.shape_of(index) != expected:
            what = f"its initial state of {call.shape_of(index)} should have {expected}"
            raise call.refuse(what, code="unsupported-shape")
        if not call.is_constant(index):
            held = steps.given(index)
        elif call.constant(index, "initial state").any():
            values = call.constant(index, "initial state").astype(np.float64)
            held = steps.held(f"initial/{index}", values)
    if held is None:
        return [ShapedNets(x.bus, ints(np.full(shape[1:], GROUND)))] * shape[0]
    return [ShapedNets(held.bus, ints(part)) for part in held.nets.transpose(turned)]
