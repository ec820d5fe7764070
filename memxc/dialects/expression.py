"""Expressions of SPICE cards, read by Python's parser and written in the notation of a dialect.

A dialect says how it writes a part of an expression by forms (`memxc.render.forms`): `parameter`,
`voltage`, `voltage_between`, `power`, and `call_<function>` for a function that it has under
another name.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

#: Functions that mean the same in ngspice and neospice, with the number of their arguments.
_ARGUMENTS = {
    "min": 2, "max": 2, "pow": 2, "abs": 1, "exp": 1, "ln": 1, "sqrt": 1, "sgn": 1, "floor": 1,
    "tanh": 1, "sinh": 1, "cosh": 1, "sin": 1, "cos": 1, "atan": 1,
}  # fmt: skip
#: SPICE's suffixes of numbers. Case does not matter in SPICE, so M is milli.
_SUFFIXES = {
    "": 1.0, "t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9,
    "p": 1e-12, "f": 1e-15,
}  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([a-z]*)", re.ASCII)
_VOLTAGE = re.compile(r"\bv\(\s*(\w+)\s*(?:,\s*(\w+)\s*)?\)")
_NAME = re.compile(r"(?<![\w.])[a-z_]\w*", re.ASCII)
#: Characters of a written expression. Some forms repeat an argument, so nested ones grow fast.
_LONGEST = 1_000_000
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}
#: What `Expression.value` computes.
_COMPUTED: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: math.pow,
}  # fmt: skip
_COMPUTED_CALLS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "exp": math.exp, "ln": math.log, "log": math.log, "abs": abs, "min": min,
    "max": max, "pow": math.pow, "agauss": lambda mean, *_: mean, "gauss": lambda mean, *_: mean,
}  # fmt: skip


class Expression:
    """One expression: its syntax tree, and the nets and parameters that it reads, in order."""

    def __init__(self, text: str) -> None:
        """Read an expression in lower case. Raises ValueError if it cannot be read."""
        volts: dict[tuple[str, str], int] = {}

        def voltage(found: re.Match[str]) -> str:
            return f"volts_{volts.setdefault((found[1], found[2] or '0'), len(volts))}_"

        # Nets and parameters get a prefix, because `in` and `is` are words of Python's own.
        words = _VOLTAGE.sub(voltage, _NUMBER.sub(_plain, text))
        words = _NAME.sub(lambda name: f"N{name[0]}", words.translate({123: "(", 125: ")"}))
        try:
            self._tree = ast.parse(words.replace("^", "**").strip(), mode="eval").body
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f"has an expression that memxc cannot read: {text[:60]}") from error
        self._text = text
        self._volts = list(volts)
        called = {part.func for part in ast.walk(self._tree) if isinstance(part, ast.Call)}
        names = [
            part.id[1:]
            for part in ast.walk(self._tree)
            if isinstance(part, ast.Name) and part not in called
        ]
        self.parameters = tuple(
            dict.fromkeys(name for name in names if not re.fullmatch(r"volts_\d+_", name))
        )
        self.nets = tuple(dict.fromkeys(net for pair in self._volts for net in pair if net != "0"))

    def written(self, forms: Mapping[str, str], net: Callable[[str], str] = str) -> str:
        """Return the expression in the notation of a dialect.

        net: what each net is called. Raises ValueError if a part has no form.
        """

        def word(tree: ast.expr) -> str:
            match tree:
                case ast.Constant(value=number) if type(number) in (int, float):
                    text = repr(float(number))  # type: ignore[arg-type]
                case ast.Name(id=name):
                    found = re.fullmatch(r"Nvolts_(\d+)_", name)
                    text = (
                        _volts(forms, *self._volts[int(found[1])], net)
                        if found
                        else forms["parameter"].format(name[1:])
                    )
                case ast.UnaryOp(op=ast.USub(), operand=operand):
                    text = f"(0.0-{word(operand)})"
                case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                    text = word(operand)
                case ast.BinOp(left=left, op=ast.Pow(), right=right):
                    text = forms["power"].format(word(left), word(right))
                case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                    text = f"({word(left)}{_OPERATORS[type(op)]}{word(right)})"
                case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                    text = _call(forms, name[1:], [word(arg) for arg in args])
                case _:
                    raise ValueError(f"has an expression that memxc cannot read: {self._text[:60]}")
            if len(text) > _LONGEST:
                raise ValueError(f"has an expression that gets too long: {self._text[:60]}")
            return text

        try:
            return word(self._tree)
        except RecursionError as error:
            raise ValueError(f"has an expression that is too deep: {self._text[:60]}") from error

    def value(self, parameter: Callable[[str], float]) -> float:
        """Return the number that the expression is, without voltages.

        parameter: the value of each parameter. agauss and gauss are their mean.
        Raises ValueError if it is not a finite number.
        """

        def number(tree: ast.expr) -> float:
            match tree:
                case ast.Constant(value=value) if type(value) in (int, float):
                    return float(value)  # type: ignore[arg-type]
                case ast.Name(id=name):
                    return parameter(name[1:])
                case ast.UnaryOp(op=ast.USub(), operand=operand):
                    return -number(operand)
                case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMPUTED:
                    return _COMPUTED[type(op)](number(left), number(right))
                case ast.Call(func=ast.Name(id=name), args=args) if name[1:] in _COMPUTED_CALLS:
                    return _COMPUTED_CALLS[name[1:]](*map(number, args))
            raise ValueError(f"has an expression that memxc cannot read: {self._text[:60]}")

        try:
            found = number(self._tree)
        except (ArithmeticError, TypeError, RecursionError) as error:
            raise ValueError(f"has an expression without a value: {self._text[:60]}") from error
        if not math.isfinite(found):
            raise ValueError(f"has an expression without a value: {self._text[:60]}")
        return found


def _call(forms: Mapping[str, str], name: str, args: list[str]) -> str:
    if name == "pwl" and len(args) > 4 and len(args) % 2:
        return _pwl(args[0], args[1::2], args[2::2])
    if _ARGUMENTS.get(name) != len(args):
        raise ValueError(f"calls {name} with {len(args)} arguments")
    return forms.get(f"call_{name}", f"{name}({','.join(['{}'] * len(args))})").format(*args)


def _volts(forms: Mapping[str, str], plus: str, minus: str, net: Callable[[str], str]) -> str:
    """Return the volts between two nets, of which either may be ground."""
    if minus == "0":
        return "0.0" if plus == "0" else forms["voltage"].format(net(plus))
    if plus == "0":
        return f"(0.0-{forms['voltage'].format(net(minus))})"
    return forms["voltage_between"].format(net(plus), net(minus))


def number(text: str) -> str:
    """Return a number of SPICE in lower case without its suffix, other text as it is."""
    return _NUMBER.sub(_plain, text)


def _plain(found: re.Match[str]) -> str:
    if found[2] not in _SUFFIXES:
        raise ValueError(f"has a number with a suffix that memxc does not know: {found[0]}")
    return found[1] if not found[2] else repr(float(found[1]) * _SUFFIXES[found[2]])


def _pwl(x: str, places: list[str], values: list[str]) -> str:
    """Return a line through points as a sum of clamped ramps, continued with its last slopes.

    y = y[0] + sum of (y[k+1] - y[k]) / (x[k+1] - x[k]) (clamp(x, x[k], x[k+1]) - x[k])
    """
    parts = [values[0]]
    for k in range(len(places) - 1):
        reached = x if k == 0 else f"max({x},{places[k]})"
        if k < len(places) - 2:
            reached = f"min({reached},{places[k + 1]})"
        slope = f"({values[k + 1]}-{values[k]})/({places[k + 1]}-{places[k]})"
        parts.append(f"({slope})*({reached}-{places[k]})")
    return f"({'+'.join(parts)})"
