"""Lanes stages as operators: a function of every lane, with its inputs gathered or broadcast."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from math import inf

import numpy as np

from memxc.backends.twin import gather, pool
from memxc.backends.twin.gather import Nets
from memxc.backends.twin.graph_builder import Shape, Sheet, TwinTensor
from memxc.ir import expr
from memxc.ir.stages import Lanes

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div",
}  # fmt: skip
_CALLS = {
    "abs": "Abs", "exp": "Exp", "ln": "Log", "sqrt": "Sqrt", "tanh": "Tanh", "sgn": "Sign",
    "floor": "Floor", "round": "Round", "erf": "Erf", "min": "Min", "max": "Max",
}  # fmt: skip


def draw(sheet: Sheet, stage: Lanes, sources: Sequence[TwinTensor], shape: Shape) -> TwinTensor:
    """Return the signal of a Lanes stage, in `shape`, before the limiter of its bus."""
    pooled = pool.draw(sheet, stage, sources[0]) if len(sources) == 1 else None
    if pooled is not None:
        return sheet.reshape(pooled, shape)
    inputs = _inputs(sheet, stage, sources, shape)
    tree = expr.parse(stage.expr)
    if expr.is_sigmoid(tree):
        name = sheet.op("Sigmoid", inputs[0].name)
    else:
        name = _value(sheet, tree, inputs)
    if not expr.fanin(stage.expr):
        # A constant has a value for each sample, too, so its shape must come from an input.
        name = sheet.op("Add", sheet.op("Mul", inputs[0].name, sheet.floats(0.0)), name)
    return TwinTensor(name, shape, inputs[0].last)


def _value(sheet: Sheet, tree: ast.expr, inputs: Sequence[TwinTensor]) -> str:
    """Return the name of the tensor that holds the value of a lane function."""
    match tree:
        case ast.Constant(value=number):
            return sheet.floats(number)
        case ast.Name(id=name):
            return inputs[int(name[1:])].name
        case ast.UnaryOp(operand=operand):
            return sheet.op("Neg", _value(sheet, operand, inputs))
        case ast.BinOp(left=left, op=op, right=right):
            words = (_value(sheet, part, inputs) for part in (left, right))
            return sheet.op(_BINARY[type(op)], *words)
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[a, b]) if _is_number(
            a
        ) or _is_number(b):
            edge, other = (a, b) if _is_number(a) else (b, a)
            bounds = (-inf, _number(edge)) if name == "min" else (_number(edge), inf)
            value = TwinTensor(_value(sheet, other, inputs), inputs[0].shape, inputs[0].last)
            return sheet.clip(value, *bounds).name
        case ast.Call(func=ast.Name(id=name), args=args):
            return sheet.op(_CALLS[name], *(_value(sheet, arg, inputs) for arg in args))
    raise AssertionError("an unparsed lane function")


def _is_number(tree: ast.expr) -> bool:
    """Return whether it is a number, with or without a sign."""
    return isinstance(tree.operand if isinstance(tree, ast.UnaryOp) else tree, ast.Constant)


def _number(tree: ast.expr) -> float:
    return float(expr.evaluate(ast.unparse(tree), ()))


def _inputs(
    sheet: Sheet, stage: Lanes, sources: Sequence[TwinTensor], shape: Shape
) -> list[TwinTensor]:
    """Return x0, x1, ... as tensors that broadcast to the bus.

    At least one input that the function reads has the whole shape of the bus.
    """
    lines = [
        (source, taps.cut(slice(line, line + 1)).nets().reshape(shape))
        for source, taps in zip(sources, stage.taps, strict=True)
        for line in range(taps.lines)
    ]
    if all(
        source.last and np.array_equal(nets.reshape(-1), np.arange(source.width))
        for source, nets in lines
    ):
        return [sheet.reshape(source, shape) for source, _ in lines]
    names = {part.id for part in ast.walk(expr.parse(stage.expr)) if isinstance(part, ast.Name)}
    spread = [_spread(nets) for _, nets in lines]
    read = [k for k in range(len(lines)) if f"x{k}" in names]
    if not any(spread[k].shape == shape for k in read):
        first = read[0] if read else 0
        spread[first] = lines[first][1]
    return [
        gather.take(sheet, source, nets) for (source, _), nets in zip(lines, spread, strict=True)
    ]


def _spread(nets: Nets) -> Nets:
    """Return the nets without the axes along which they do not change."""
    for axis in range(nets.ndim):
        first = np.take(nets, [0], axis=axis)
        if (nets == first).all():
            nets = first
    return nets
