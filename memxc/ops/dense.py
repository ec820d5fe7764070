"""Gemm and MatMul: with a constant one crossbar, used at every row of the other operand.

A product of two signals is multipliers and resistors that add their outputs up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memxc.ir.bounds import KERNEL, reckon
from memxc.ir.design import Bus
from memxc.ir.graph import Tensor
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Circuit, Lanes, Linear
from memxc.ir.windows import Ints, ints, lanewise
from memxc.ops._call import Call, Parts, lanes
from memxc.ops._registry import operator
from memxc.ops._steps import ShapedNets, Steps
from memxc.ops._windows import grid, spread


@operator("Gemm", attrs={"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0})
def gemm(call: Call) -> Parts:
    """Return Y = alpha A B + beta C. Each is a constant or a signal, but A and B not constants."""
    left, right = (
        operand.T if call.attrs[flag] else operand
        for flag, operand in (("transA", _operand(call, 0)), ("transB", _operand(call, 1)))
    )
    out = lanes(call.shape)
    alpha = float(call.attrs["alpha"])
    if not any(call.is_constant(index) for index in (0, 1)):
        steps = Steps(call)
        product = _of_signals(call, steps, left, right, alpha)
        return steps.end(_plus_signal(call, steps, product))
    if not call.has(2):
        return [_product(call, call.dst, alpha, left, right, out, None)]
    if call.is_constant(2):
        beta = float(call.attrs["beta"])
        bias = _spread_over(call, _scaled(call.constant(2, "bias"), beta))
        return [_product(call, call.dst, alpha, left, right, out, bias)]
    between = call.fresh("product")
    return [
        Bus(between, call.shape),
        _product(call, between, alpha, left, right, out, None),
        _plus(call, between),
    ]


@operator("MatMul")
def matmul(call: Call) -> Parts:
    """Return a product. Leading axes of the signal are places, or blocks if the weight changes.

    Passes give a MatMul a third input, the bias of its last axis.
    """
    left, right = _operand(call, 0), _operand(call, 1)
    out = lanes(call.shape)
    if len(call.shape_of(1)) == 1:
        right, out = right[:, None], out[..., None]
    if len(call.shape_of(0)) == 1:
        left, out = left[None, :], out[..., None, :]
    if not any(call.is_constant(index) for index in (0, 1)):
        steps = Steps(call)
        return steps.end(_of_signals(call, steps, left, right, 1.0))
    bias = np.broadcast_to(call.constant(2, "bias"), out.shape[-2:]) if call.has(2) else None
    return [_product(call, call.dst, 1.0, left, right, out, bias)]


def _operand(call: Call, index: int) -> Tensor:
    """Return a constant itself, or the net numbers of a signal."""
    return call.constant(index, "factor") if call.is_constant(index) else call.nets(index)


def _scaled(tensor: Tensor, factor: float) -> Tensor:
    """Return the tensor times a factor. It stays as in the file if the factor is 1."""
    return tensor if factor == 1.0 else np.asarray(tensor, dtype=np.float64) * factor


def _spread_over(call: Call, tensor: Tensor) -> Tensor:
    """Return a bias, or the nets of a bias, in the shape of the output."""
    try:
        return np.broadcast_to(tensor, call.shape)
    except ValueError:
        what = f"a bias of {tensor.shape} does not fit an output of {call.shape}"
        raise call.refuse(what, code="unsupported-shape") from None


def _product(
    call: Call, dst: str, alpha: float, left: Tensor, right: Tensor, out: Ints, bias: Tensor | None
) -> Linear:
    """Return out (..., P, Q) = alpha left (..., P, K) right (..., K, Q) + bias as a stage.

    One of the factors is a constant. Raises MemxcError if the factors do not fit.
    """
    _check(call, left, right)
    fixed = call.is_constant(0)
    src = call.bus(1 if fixed else 0)
    if fixed:
        # y = W x is transposed to y' = x' W'.
        left, right, out = (t.swapaxes(-1, -2) for t in (right, left, out))
        bias = None if bias is None else bias.swapaxes(-1, -2)
    weight = _scaled(right, alpha)
    kernels = tuple(_kernels(np.asarray(left), weight, out, bias))
    return Linear(call.name, src, dst, kernels)


def _check(call: Call, left: Tensor, right: Tensor) -> None:
    if left.shape[-1] != right.shape[-2]:
        raise call.refuse(
            f"factors of {left.shape} and {right.shape} do not fit", code="unsupported-shape"
        )


def _of_signals(call: Call, steps: Steps, left: Tensor, right: Tensor, alpha: float) -> ShapedNets:
    """Return alpha times the product of two signals, given as the numbers of their nets."""
    _check(call, left, right)
    one, other = (ShapedNets(call.bus(n), ints(part)) for n, part in enumerate((left, right)))
    return steps.product("product", one, other, alpha)


def _plus_signal(call: Call, steps: Steps, product: ShapedNets) -> ShapedNets:
    """Return the product of a Gemm plus beta C, if there is a C."""
    if not call.has(2):
        return product
    beta = float(call.attrs["beta"])
    if call.is_constant(2):
        shift = np.asarray(call.constant(2, "bias"), dtype=np.float64) * beta
        return steps.affine("bias", product, np.ones(()), _spread_over(call, shift))
    expr = "x0+x1" if beta == 1.0 else f"x0+{beta!r}*x1"
    return steps.lanes("add", expr, Circuit("add", opamps=2), product, steps.given(2))


def _kernels(nets: Ints, weight: Tensor, out: Ints, bias: Tensor | None) -> Iterator[Kernel]:
    """Yield kernels of out (*lead, P, Q) = nets (*lead, P, K) weight (*lead, K, Q) + bias (P, Q).

    A leading axis along which the weight changes is blocks, and the others are places. If the bias
    changes along P, each row has a kernel, with the same weights.
    """
    lead = out.ndim - 2
    weight = weight.reshape((1,) * (lead + 2 - weight.ndim) + weight.shape)
    groups = tuple(axis for axis in range(lead) if weight.shape[axis] > 1)
    places = (*(axis for axis in range(lead) if axis not in groups), lead)
    reckon(*out.shape[:-1], nets.shape[-1])
    nets = ints(np.broadcast_to(nets, (*out.shape[:-1], nets.shape[-1])))
    values = weight.reshape(-1, weight.shape[-2] * weight.shape[-1])
    same = bias is None or len(bias) == 1 or bool((bias == bias[0]).all())
    reckon(1 if same else len(out), KERNEL)
    for rows in [slice(None)] if same else [slice(p, p + 1) for p in range(len(out))]:
        row_nets, row_out = nets[..., rows, :], out[..., rows, :]
        yield Kernel(
            values=values,
            cell=None,
            bias=None if bias is None else bias[rows][:1],
            taps=spread(row_nets, (lead + 1,), groups, places),
            sinks=spread(row_out, (lead + 1,), groups, places),
            grid=grid(*(row_out.shape[axis] for axis in places)),
        )


def _plus(call: Call, product: str) -> Lanes:
    beta = float(call.attrs["beta"])
    addend = _spread_over(call, call.nets(2))
    return Lanes(
        f"{call.name}/add",
        (product, call.inputs[2]),
        call.dst,
        (lanewise(lanes(call.shape).reshape(-1)), lanewise(addend.reshape(-1))),
        "x0+x1" if beta == 1.0 else f"x0+{beta!r}*x1",
        Circuit("add", opamps=2),
    )
