"""Lane functions: a small language over x0, x1, ... that is parsed, evaluated and printed.

It has numbers, + - * /, unary minus, and min max abs exp ln sqrt tanh sgn floor, which mean the
same in every SPICE engine. round (half to even) and erf are written in these. There are no names
but x<k>, and nothing is ever passed to Python's eval.

The language guards nothing: whoever writes a function keeps it finite for every input. ngspice
stops at the logarithm or the root of a negative number, and limits exp to 1e99.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: The smallest and the largest value; either may be infinite.
Interval = tuple[float, float]

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": lambda *a: reduce(np.minimum, a),
    "max": lambda *a: reduce(np.maximum, a),
    "abs": np.abs,
    "exp": np.exp,
    "ln": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sgn": np.sign,
    "floor": np.floor,
}
#: Functions that some engine lacks or computes differently, written in the functions above.
_WRITTEN: dict[str, str] = {
    # The nearest integer, the even one for a tie: for an even k, k + 1/2 still rounds to k. A value
    # within 1e-6 of the middle between two integers counts as a tie, so that noise in the last bits
    # does not change a code. That is far below what any converter resolves.
    "round": "floor((x0+0.5)*0.5+5e-7)-floor((0.5-x0)*0.5+5e-7)",
    # The error is below 1e-12 everywhere; above 6.2 the tail is 0 in double precision.
    "erf": "sgn(x0)*(1-erf_tail(min(abs(x0),6.2)))",
    "erf_tail": "exp(-x0*x0)*erf_series(1/(1+0.35*x0))",
    # exp(s*s)*(1-erf(s)) as a polynomial in x0 = 1/(1+0.35*s). It is fitted for the least error
    # after the multiplication by exp(-s*s).
    "erf_series": "x0*(0.1979011935588+x0*(0.1922284563688+x0*(0.2116900032517+x0*(0.09423656899475"
    "+x0*(0.1940384244029+x0*(0.1831418226258+x0*(-0.3718464101352+x0*(0.6608836628742"
    "+x0*(-0.5257132606822+x0*(0.1900369845926-x0*0.02659744585248))))))))))",
}
_OPERATORS: dict[type[ast.operator], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", np.add),
    ast.Sub: ("-", np.subtract),
    ast.Mult: ("*", np.multiply),
    ast.Div: ("/", np.divide),
}
#: The logistic function. Other rooms compare with this text: it is never negative, and ONNX has an
#: operator for it.
SIGMOID = "0.5+0.5*tanh(0.5*x0)"

#: Most numbers and signals of one function in a netlist; operators write far fewer.
_MOST_LEAVES = 1_000_000
#: The largest number that every reader of netlists accepts.
_LARGEST = 1e300
#: The deepest nesting. Operators nest far less, and Python's stack still holds this.
_DEEPEST = 400


@lru_cache(maxsize=1024)
def parse(text: str) -> ast.expr:
    """Return the syntax tree of a lane function.

    Raises ValueError if the text uses anything that the language does not have.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    # Python raises different errors for text that is nested too deeply.
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"lane function {text!r} cannot be read") from error
    if _depth(tree) > _DEEPEST:
        raise ValueError(f"lane function {text!r} is nested deeper than {_DEEPEST} levels")
    called = {part.func for part in ast.walk(tree) if isinstance(part, ast.Call)}
    for part in ast.walk(tree):
        if isinstance(part, ast.Call):
            name = part.func.id if isinstance(part.func, ast.Name) else ""
            several = len(part.args) > 1 and name in ("min", "max")
            known = name in _FUNCTIONS or name in _WRITTEN
            if not known or part.keywords or not (len(part.args) == 1 or several):
                raise ValueError(f"lane function {text!r} calls {name or 'something'!r}")
        elif isinstance(part, ast.Name):
            if part not in called and not _is_variable(part.id):
                raise ValueError(f"lane function {text!r} names {part.id!r}")
        elif isinstance(part, ast.Constant):
            if type(part.value) not in (int, float) or not abs(part.value) < _LARGEST:  # type: ignore[arg-type]
                raise ValueError(f"lane function {text!r} holds {part.value!r}")
        elif not isinstance(part, (ast.BinOp, ast.UnaryOp, ast.USub, ast.Load, *_OPERATORS)):
            raise ValueError(f"lane function {text!r} uses {type(part).__name__}")
    if sum(_leaves(tree)) > _MOST_LEAVES:
        raise ValueError(f"lane function {text[:80]!r} has over {_MOST_LEAVES:,} numbers in SPICE")
    return tree


def is_sigmoid(tree: ast.expr) -> bool:
    """Return whether a parsed lane function, or a part of one, is the logistic function of x0."""
    return ast.dump(tree) == ast.dump(parse(SIGMOID))


def is_sum(text: str) -> bool:
    """Return whether a lane function adds two signals, and does nothing else."""
    return ast.dump(parse(text)) == ast.dump(parse("x0+x1"))


def fanin(text: str) -> int:
    """Return how many inputs a lane function needs: one more than the largest k of its x<k>."""
    names = [part.id for part in ast.walk(parse(text)) if isinstance(part, ast.Name)]
    return max((int(name[1:]) + 1 for name in names if _is_variable(name)), default=0)


def substituted(text: str, parts: Sequence[str]) -> str:
    """Return a lane function in which the lane function parts[k] stands in place of x<k>."""
    trees = {f"x{k}": parse(part) for k, part in enumerate(parts)}

    class Substitution(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return trees.get(node.id, node)

    # A tree of its own, because those of `parse` are shared.
    return ast.unparse(Substitution().visit(ast.parse(text, mode="eval").body)).replace(" ", "")


def evaluate(text: str, inputs: Sequence[Floats]) -> Floats:
    """Return the values of a lane function. `inputs` are arrays of one shape, x0 first."""

    def value(tree: ast.expr) -> Any:
        match tree:
            case ast.Constant(value=number):
                return float(number)  # type: ignore[arg-type]
            case ast.Name(id=name):
                return inputs[int(name[1:])]
            case ast.UnaryOp(operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)][1](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=args) if name in _WRITTEN:
                return evaluate(_WRITTEN[name], [value(arg) for arg in args])
            case ast.Call(func=ast.Name(id=name), args=args):
                return _FUNCTIONS[name](*map(value, args))
        raise AssertionError(f"unparsed tree in {text!r}")

    return np.asarray(value(parse(text)), dtype=np.float64)


def interval(text: str, inputs: Sequence[Interval]) -> Interval:
    """Return bounds of a lane function's values, for inputs within their own bounds.

    The bounds may be wider than necessary, because a signal that occurs twice counts as two
    signals.
    """

    def bounds(tree: ast.expr) -> Interval:
        match tree:
            case ast.Constant(value=number):
                span = float(number), float(number)  # type: ignore[arg-type]
            case ast.Name(id=name):
                span = inputs[int(name[1:])]
            case ast.UnaryOp(operand=operand):
                span = _combined(ast.Sub, (0.0, 0.0), bounds(operand))
            case ast.BinOp(left=left, op=op, right=right):
                span = _combined(type(op), bounds(left), bounds(right))
            case ast.Call(func=ast.Name(id=name), args=args) if name in _WRITTEN:
                span = interval(_WRITTEN[name], list(map(bounds, args)))
            case ast.Call(func=ast.Name(id="abs"), args=[arg]):
                low, high = bounds(arg)
                span = max(low, -high, 0.0), max(-low, high)
            case ast.Call(func=ast.Name(id=name), args=args):  # each grows with its arguments
                lows, highs = zip(*map(bounds, args), strict=True)
                span = _FUNCTIONS[name](*lows), _FUNCTIONS[name](*highs)
            case _:
                raise AssertionError(f"unparsed tree in {text!r}")
        return span

    with np.errstate(all="ignore"):
        low, high = map(float, bounds(parse(text)))
    # The difference of infinite bounds may be nan.
    return -np.inf if np.isnan(low) else low, np.inf if np.isnan(high) else high


def _combined(op: type[ast.operator], one: Interval, other: Interval) -> Interval:
    """Return the bounds of an operation on two values within their bounds."""
    (low, high), (least, most) = one, other
    if op is ast.Add:
        return low + least, high + most
    if op is ast.Sub:
        return low - most, high - least
    if op is ast.Div:
        if least <= 0 <= most:
            return -np.inf, np.inf
        least, most = 1 / most, 1 / least
    # A signal is finite, so 0 times a signal is 0 even if it has no bound.
    ends = [a * b if a and b else 0.0 for a in (low, high) for b in (least, most)]
    return min(ends), max(ends)


def spice(text: str, variables: Sequence[str]) -> str:
    """Return the function in SPICE syntax, with `variables[k]` for x<k>.

    min and max get two arguments each, and numbers are written out.
    """

    def binary(name: str, args: list[str]) -> str:
        # A balanced tree, because readers of netlists limit the depth of brackets (Python's: 200).
        while len(args) > 1:
            pairs = zip(args[::2], args[1::2], strict=False)
            args = [f"{name}({a},{b})" for a, b in pairs] + args[len(args) & ~1 :]
        return args[0]

    def word(tree: ast.expr) -> str:
        match tree:
            case ast.Constant(value=number):
                return f"{float(number):.12e}"  # type: ignore[arg-type]
            case ast.Name(id=name):
                return variables[int(name[1:])]
            case ast.UnaryOp(operand=operand):
                return f"(0-{word(operand)})"
            case ast.BinOp(left=left, op=op, right=right):
                return f"({word(left)}{_OPERATORS[type(op)][0]}{word(right)})"
            case ast.Call(func=ast.Name(id=name), args=args):
                words = [word(arg) for arg in args]
                if name in _WRITTEN:
                    return spice(_WRITTEN[name], words)
                return binary(name, words) if name in ("min", "max") else f"{name}({words[0]})"
        raise AssertionError(f"unparsed tree in {text!r}")

    return word(parse(text))


def _leaves(tree: ast.AST) -> tuple[int, int]:
    """Return the number of signals and of numbers once `_WRITTEN` functions are expanded.

    A function in `_WRITTEN` repeats its argument, so a few nested ones give a very long text.
    """
    match tree:
        case ast.Name():
            return 1, 0
        case ast.Constant():
            return 0, 1
        case ast.Call(func=ast.Name(id=name), args=args) if name in _WRITTEN:
            times, constants = _leaves(parse(_WRITTEN[name]))
            signals, numbers = _leaves(args[0])
            return times * signals, times * numbers + constants
    inner = tree.args if isinstance(tree, ast.Call) else ast.iter_child_nodes(tree)
    counts = [_leaves(part) for part in inner]
    return sum(signals for signals, _ in counts), sum(numbers for _, numbers in counts)


def _depth(tree: ast.AST) -> int:
    """Return the number of levels of a tree.

    It counts level by level, without recursion, because a tree may be too deep for Python's stack.
    """
    level, count = [tree], 0
    while level:
        level = [child for part in level for child in ast.iter_child_nodes(part)]
        count += 1
    return count


def _is_variable(name: str) -> bool:
    return re.fullmatch("x[0-9]{1,9}", name) is not None
