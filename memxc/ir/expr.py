"""Lane functions: a tiny language over x0, x1, ... that is parsed, evaluated and printed.

Numbers, + - * /, unary minus, and min max abs exp tanh. No names but x<k>, no eval.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": lambda *a: reduce(np.minimum, a),
    "max": lambda *a: reduce(np.maximum, a),
    "abs": np.abs,
    "exp": np.exp,
    "tanh": np.tanh,
}
_OPERATORS: dict[type[ast.operator], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", np.add),
    ast.Sub: ("-", np.subtract),
    ast.Mult: ("*", np.multiply),
    ast.Div: ("/", np.divide),
}


@lru_cache(maxsize=1024)
def parse(text: str) -> ast.expr:
    """The tree of a lane function; ValueError where it says something the language has not."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"lane function {text!r} cannot be read") from error
    for part in ast.walk(tree):
        if isinstance(part, ast.Call):
            name = part.func.id if isinstance(part.func, ast.Name) else ""
            if name not in _FUNCTIONS or part.keywords or not part.args:
                raise ValueError(f"lane function {text!r} calls {name or 'something'!r}")
        elif isinstance(part, ast.Name):
            if part.id not in _FUNCTIONS and not _is_variable(part.id):
                raise ValueError(f"lane function {text!r} names {part.id!r}")
        elif isinstance(part, ast.Constant):
            if type(part.value) not in (int, float):
                raise ValueError(f"lane function {text!r} holds {part.value!r}")
        elif not isinstance(part, (ast.BinOp, ast.UnaryOp, ast.USub, ast.Load, *_OPERATORS)):
            raise ValueError(f"lane function {text!r} uses {type(part).__name__}")
    return tree


def fanin(text: str) -> int:
    """One more than the largest k among the x<k> that a lane function reads."""
    names = [part.id for part in ast.walk(parse(text)) if isinstance(part, ast.Name)]
    return max((int(name[1:]) + 1 for name in names if _is_variable(name)), default=0)


def evaluate(text: str, inputs: Sequence[Floats]) -> Floats:
    """The value of a lane function; `inputs` are arrays of one shape."""

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
            case ast.Call(func=ast.Name(id=name), args=args):
                return _FUNCTIONS[name](*map(value, args))
        raise AssertionError(f"unparsed tree in {text!r}")

    return np.asarray(value(parse(text)), dtype=np.float64)


def spice(text: str, variables: Sequence[str]) -> str:
    """The same function in SPICE's words: binary min and max, plain numbers, `variables[k]`."""

    def binary(name: str, args: list[str]) -> str:
        return reduce(lambda a, b: f"{name}({a},{b})", args)

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
                return binary(name, words) if name in ("min", "max") else f"{name}({words[0]})"
        raise AssertionError(f"unparsed tree in {text!r}")

    return word(parse(text))


def _is_variable(name: str) -> bool:
    return name[:1] == "x" and name[1:].isdigit()
