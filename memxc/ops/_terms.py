"""The inputs of a lane function: signals are x0, x1, ...; constants are numbers or voltages."""

from __future__ import annotations

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.kinds import bits
from memxc.ir.stages import Circuit
from memxc.ops._board import LARGEST
from memxc.ops._call import Call, Parts
from memxc.ops._nets import widened
from memxc.ops._steps import ShapedNets, Steps

#: Real numbers count as equal within this share of the larger one. float32 is ten times finer, and
#: the noise of an engine is far smaller.
_SHARE = 1e-6
#: If both are smaller than this, they are equal within its share: so zero has a width.
_SMALL = 1e-3


class Terms:
    """The inputs of one node, as they occur in one lane function."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._steps = Steps(call)
        self._signals: list[ShapedNets] = []

    def word(self, index: int) -> str:
        """Return an input as the lane function has it: x<k>, or a number if it is one constant.

        Raises MemxcError if a constant is too large for a voltage.
        """
        call = self._call
        if not call.is_constant(index):
            return self._read(self._steps.given(index))
        reckon(*call.shape_of(index))
        values = np.asarray(call.constant(index, "operand"), dtype=np.float64)
        if not (np.abs(values) < LARGEST).all():
            worst = values.flat[int(np.argmin(np.abs(values) < LARGEST))]
            hint = "bring it into the range of the signals, and export the model again"
            raise call.refuse(f"no circuit holds the number {worst:g}", hint)
        if (values == values.flat[0]).all():
            return repr(float(values.flat[0]))
        return self._read(self._steps.held(f"constant {index + 1}", values))

    def end(self, expr: str, circuit: Circuit) -> Parts:
        """Return the stages of the node: a function of the inputs so far, broadcast as numpy does.

        Raises MemxcError if none of them is a signal.
        """
        if not self._signals:
            raise self._call.refuse("all of its inputs are constants", code="unsupported-model")
        wide = [ShapedNets(s.bus, widened(self._call, s.nets)) for s in self._signals]
        return self._steps.end(self._steps.lanes("result", expr, circuit, *wide))

    def _read(self, signal: ShapedNets) -> str:
        self._signals.append(signal)
        return f"x{len(self._signals) - 1}"


def near(kind: str, one: str, other: str) -> str:
    """Return how far apart two inputs may be and still count as equal, as an expression.

    Integers and bools are whole numbers: half of one. For real numbers, see _SHARE and _SMALL.
    """
    if bits(kind):
        return "0.5"
    numbers = [abs(float(word)) for word in (one, other) if not word.startswith("x")]
    if numbers:
        return repr(_SHARE * max(*numbers, _SMALL))
    return f"{_SHARE!r}*max(abs({one}),abs({other}),{_SMALL!r})"
