"""LSTM, GRU and RNN: each step has its crossbar for all gates, and lanes for the state.

A crossbar is driven by the step's input and by the state before it, side by side; both biases are
its bias line. docs/recurrent.md says what this costs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from memxc.ir.graph import Tensor
from memxc.ir.windows import ints
from memxc.ops._blocks import DIFFERENCE, MULTIPLIER, SUM, built
from memxc.ops._call import Call, Parts
from memxc.ops._recurrent_outputs import States
from memxc.ops._registry import operator
from memxc.ops._steps import ShapedNets, Steps
from memxc.ops._unrolled import Columns, Direction, Step, optional, unrolled
from memxc.ops._windows import filled

_ATTRS: dict[str, Any] = {
    "activation_alpha": None,
    "activation_beta": None,
    "activations": None,
    "clip": None,
    "direction": "forward",
    "hidden_size": None,
    "layout": 0,
}
_PRODUCT = built("mul", MULTIPLIER)
#: The order of the LSTM's gates in W, R and B.
_GATES = "iofc"


@operator("RNN", attrs=_ATTRS, outputs=2)
def rnn(call: Call) -> Parts:
    """Return one crossbar and one function a step: h = f(W x + R h)."""
    return unrolled(call, 1, 1, ("Tanh",), _rnn)


def _rnn(of: Direction) -> Step:
    crossbar, (f,) = of.crossbar([Columns(0)]), of.activations

    def step(word: str, x: ShapedNets, states: States) -> States:
        return (f.of(of.steps, f"{word}/state", crossbar.of(f"{word}/sums", x, *states)),)

    return step


@operator("GRU", attrs={**_ATTRS, "linear_before_reset": 0}, outputs=2)
def gru(call: Call) -> Parts:
    """Return gates z and r = f(W x + R h), a candidate c, and h = (1 - z) c + z h."""
    after = call.attrs["linear_before_reset"]
    return unrolled(call, 3, 1, ("Sigmoid", "Tanh"), _reset_after if after else _reset_before)


def _reset_before(of: Direction) -> Step:
    """The candidate is g(W x + R (r h)), from a second crossbar."""
    (f, g), steps = of.activations, of.steps
    gates, candidate = of.crossbar([Columns(0), Columns(1)]), of.crossbar([Columns(2)])

    def step(word: str, x: ShapedNets, states: States) -> States:
        (h,) = states
        z, r = _split(f.of(steps, f"{word}/gates", gates.of(f"{word}/gate_sums", x, h)), 2)
        kept = steps.lanes(f"{word}/kept", "x0*x1", _PRODUCT, r, h)
        c = g.of(steps, f"{word}/candidate", candidate.of(f"{word}/sums", x, kept))
        return (_blend(steps, f"{word}/state", c, z, h),)

    return step


def _reset_after(of: Direction) -> Step:
    """The candidate is g(W x + r (R h)): W x and R h have columns of their own."""
    (f, g), steps, hidden = of.activations, of.steps, of.hidden
    apart = [Columns(2, state=False), Columns(2, inputs=False)]
    crossbar = of.crossbar([Columns(0), Columns(1), *apart])

    def step(word: str, x: ShapedNets, states: States) -> States:
        (h,) = states
        sums = crossbar.of(f"{word}/sums", x, h)
        z, r = _split(f.of(steps, f"{word}/gates", _lines(sums, 0, 2 * hidden)), 2)
        of_x, of_h = _split(_lines(sums, 2 * hidden, 4 * hidden), 2)
        circuit = built("reset", MULTIPLIER, SUM)
        c = steps.lanes(f"{word}/reset", "x0+x1*x2", circuit, of_x, r, of_h)
        return (_blend(steps, f"{word}/state", g.of(steps, f"{word}/candidate", c), z, h),)

    return step


@operator("LSTM", attrs={**_ATTRS, "input_forget": 0}, outputs=3)
def lstm(call: Call) -> Parts:
    """Return gates i, o, f = f(W x + R h + P c), and c = f c + i g(W x + R h), h = o h(c)."""
    return unrolled(call, 4, 2, ("Sigmoid", "Tanh", "Tanh"), _lstm)


def _lstm(of: Direction) -> Step:
    """With peepholes the output gate, which reads the new cell state, has its own crossbar."""
    (f, g, h), steps, peepholes = of.activations, of.steps, _peepholes(of)
    h = replace(h, clip=None)  # runtimes limit the sums only, not the cell state
    gates = "if" if peepholes else "iof"
    gates = gates.replace("f", "") if of.call.attrs["input_forget"] else gates
    seen = (
        [np.concatenate([peepholes.get(gate, peepholes["c"]) for gate in (*gates, "c")])]
        if peepholes
        else []
    )
    crossbar = of.crossbar([Columns(_GATES.index(gate)) for gate in (*gates, "c")], *seen)
    late = of.crossbar([Columns(_GATES.index("o"))], peepholes["o"]) if peepholes else None

    def step(word: str, x: ShapedNets, states: States) -> States:
        before, cell = states
        sums = crossbar.of(f"{word}/sums", x, before, *([cell] if late else []))
        split = len(gates) * of.hidden
        opened = f.of(steps, f"{word}/gates", _lines(sums, 0, split))
        gate = dict(zip(gates, _split(opened, len(gates)), strict=True))
        c = g.of(steps, f"{word}/candidate", _lines(sums, split, split + of.hidden))
        if "f" in gate:
            circuit = built("cell_state", MULTIPLIER, MULTIPLIER, SUM)
            word_, terms = f"{word}/cell", (gate["f"], cell, gate["i"], c)
            cell = steps.lanes(word_, "x0*x1+x2*x3", circuit, *terms)
        else:
            cell = _blend(steps, f"{word}/cell", cell, gate["i"], c)
        if late:
            gate["o"] = f.of(steps, f"{word}/output", late.of(f"{word}/late", x, before, cell))
        shown = h.of(steps, f"{word}/shown", cell)
        return steps.lanes(f"{word}/state", "x0*x1", _PRODUCT, gate["o"], shown), cell

    return step


def _peepholes(of: Direction) -> dict[str, Tensor]:
    """Return a diagonal block for each gate that sees the cell state; "c" sees nothing of it."""
    count, hidden = of.call.shape_of(1)[0], of.hidden
    given = optional(of.call, 7, "peepholes P", (count, 3 * hidden))
    if given is None:
        return {}
    nothing = filled((hidden, hidden), np.nan)
    blocks = {"c": nothing}
    for gate, weights in zip("iof", given[of.index].reshape(3, hidden), strict=True):
        blocks[gate] = nothing.copy()
        np.fill_diagonal(blocks[gate], weights)
    return blocks


def _blend(
    steps: Steps, word: str, first: ShapedNets, gate: ShapedNets, second: ShapedNets
) -> ShapedNets:
    """Return (1 - gate) first + gate second."""
    circuit = built("blend", DIFFERENCE, MULTIPLIER, SUM)
    return steps.lanes(word, "x0+x1*(x2-x0)", circuit, first, gate, second)


def _split(signal: ShapedNets, count: int) -> list[ShapedNets]:
    """Return equal parts of the lines of a signal (batch, lines)."""
    each = signal.nets.shape[1] // count
    return [_lines(signal, first * each, (first + 1) * each) for first in range(count)]


def _lines(signal: ShapedNets, first: int, end: int) -> ShapedNets:
    return ShapedNets(signal.bus, ints(signal.nets[:, first:end]))
