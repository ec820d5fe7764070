"""QLinearConv, QLinearMatMul, ConvInteger, MatMulInteger: crossbars between converters.

    DAC: code - zero point       crossbar: weight - zero point, as integers
    ADC: sum * (scale of signal * scale of weights / scale of output) + zero point

If the scale of the weights changes along the outputs, its share of the largest scale goes into the
weights. A column is programmed to its own largest weight, so this share ends up in r_f.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from memxc.ir.design import Bus
from memxc.ir.graph import Graph, Node, Tensor
from memxc.ir.kinds import code_range
from memxc.ir.stages import Lanes
from memxc.ir.windows import lanewise
from memxc.ops._call import Call, Parts, lanes
from memxc.ops._codes import ADC, coded, from_codes, positive, positive_step, scalar
from memxc.ops._registry import operator
from memxc.ops.conv import ATTRS, conv
from memxc.ops.dense import matmul


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer of integers. column: makes its crossbars of a signal and a constant weight.

    signal, weight: inputs of the node. out: the weight's axis along which outputs are.
    """

    call: Call
    column: Callable[[Call], Parts]
    signal: int
    weight: int
    out: int

    def integers(self, zero_point: int) -> Tensor:
        """Return the weights less their zero point, exactly."""
        weight = self.call.constant(self.weight, "weight").astype(np.float32)
        if not self.call.has(zero_point):
            return weight
        return weight - self.a_column(zero_point, "zero point").astype(np.float32)

    def a_column(self, index: int, role: str) -> Tensor:
        """Return a constant of one number, or one for each output, shaped for the weight."""
        value = self.call.constant(index, role)
        shape = self.call.shape_of(self.weight)
        if value.size == 1:
            return value.reshape(())
        full = value
        if value.ndim == 1 < len(shape):
            column = [1] * len(shape)
            column[self.out] = -1
            full = value.reshape(column)
        sizes = zip(full.shape, shape, strict=False)
        if full.ndim != len(shape) or len(shape) < 2 or any(n not in (1, m) for n, m in sizes):
            what = f"a {role} of {value.shape} for a weight of {shape}"
            raise self.call.refuse(what, code="unsupported-shape")
        return full

    def parts(self, dst: str, zero: int, weight: Tensor, bias: Tensor | None = None) -> Parts:
        """Return converters from codes, and the crossbars that drive the bus `dst`."""
        call = self.call
        self._check_sums(zero, weight, bias)
        codes, dac = from_codes(call, self.signal, zero)
        constants = {call.fresh("weight"): weight}
        if bias is not None:
            constants[call.fresh("bias")] = bias
        inputs = [codes.name, *constants]
        if self.weight < self.signal:
            inputs.reverse()
        shapes = {codes.name: codes.shape, dst: call.shape}
        shapes |= {name: value.shape for name, value in constants.items()}
        node = Node(call.name, call.node.op, tuple(inputs), (dst,))
        graph = Graph("", (codes.name,), (dst,), (node,), shapes, constants, call.graph.opset)
        return [codes, dac, *self.column(Call(node, graph, call.attrs, call.used))]

    def _check_sums(self, zero: int, weight: Tensor, bias: Tensor | None) -> None:
        """Raise MemxcError if the model's sums of 32 bits could wrap around."""
        low, high = code_range(self.call.kind(self.signal))
        reach = max(abs(low - zero), abs(high - zero))
        rows = self.column_axes(weight.ndim)
        largest = reach * np.abs(weight).sum(axis=rows, dtype=np.float64).max(initial=0.0)
        if bias is not None:
            largest += float(np.abs(bias.astype(np.float64)).max(initial=0.0))
        if largest >= 2.0**31:
            raise self.call.refuse(
                "its sums can leave 32 bits, where the model wraps around",
                "quantise it with fewer bits",
                "unsupported-model",
            )

    def column_axes(self, rank: int) -> tuple[int, ...]:
        """Return the weight's axes that one output sums over."""
        if self.column is conv:
            return tuple(range(1, rank))
        return (0,) if rank == 1 else ((-2,) if self.out == -1 else (-1,))


@operator("ConvInteger", since=10, attrs=ATTRS, integers=True)
def conv_integer(call: Call) -> Parts:
    """Return a Conv of integers less their zero points. Its sums stay analog."""
    layer = _Layer(call, conv, 0, 1, out=0)
    return layer.parts(call.dst, int(scalar(call, 2, "zero point")), layer.integers(3))


@operator("MatMulInteger", since=10, integers=True)
def matmul_integer(call: Call) -> Parts:
    """Return a MatMul of integers less their zero points. Its sums stay analog."""
    layer = _Layer(call, matmul, 0, 1, out=-1)
    if call.is_constant(0):
        layer = _Layer(call, matmul, 1, 0, out=-2)
    zero = int(scalar(call, 2 + layer.signal, "zero point"))
    return layer.parts(call.dst, zero, layer.integers(2 + layer.weight))


@operator("QLinearConv", since=10, attrs=ATTRS, integers=True)
def qlinear_conv(call: Call) -> Parts:
    """Return a Conv of integers less their zero points, between converters."""
    return _between_codes(_Layer(call, conv, 0, 3, out=0), 8)


@operator("QLinearMatMul", since=10, integers=True)
def qlinear_matmul(call: Call) -> Parts:
    """Return a MatMul of integers less their zero points, between converters."""
    layer = _Layer(call, matmul, 0, 3, out=-1)
    if call.is_constant(0):
        layer = _Layer(call, matmul, 3, 0, out=-2)
    return _between_codes(layer, None)


def _between_codes(layer: _Layer, bias_input: int | None) -> Parts:
    """Return a layer between converters.

    The inputs behind the signal and behind the weight are their scale and zero point. Inputs 6 and
    7 are those of the output.
    """
    call = layer.call
    weight = layer.integers(layer.weight + 2)
    scales = np.asarray(layer.a_column(layer.weight + 1, "scale"), dtype=np.float64)
    positive(call, scales)
    bias = None
    if bias_input is not None and call.has(bias_input):
        bias = call.constant(bias_input, "bias")
    share = scales / scales.max()
    if (share != 1).any():
        weight = weight * share
        bias = None if bias is None else bias * share.reshape(-1)
    ratio = positive_step(call, layer.signal + 1) * float(scales.max()) / positive_step(call, 6)
    between = Bus(call.fresh("sum"), call.shape)
    function = coded(call, f"x0*{ratio!r}", int(scalar(call, 7, "zero point")), call.dst_kind)
    taps = lanewise(lanes(call.shape).reshape(-1))
    adc = Lanes(f"{call.name}/adc", (between.name,), call.dst, (taps,), function, ADC)
    zero = int(scalar(call, layer.signal + 2, "zero point"))
    return [between, *layer.parts(between.name, zero, weight, bias), adc]
