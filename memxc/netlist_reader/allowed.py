"""The cards that an engine may get; any other card is refused.

A netlist may come from anybody, and a SPICE engine does more than solve circuits: `.control` blocks
and comments that begin with `*#` run commands, XSPICE devices load libraries, and other cards read
and write files. So this is a list of what is known to be harmless, not of what is known to do harm.
"""

from __future__ import annotations

import re

#: Resistor, capacitor, inductor, diode, transistors, sources, subcircuit, switches: the letter, and
#: the fewest words of such a card.
_LETTERS = {
    "r": 3, "c": 3, "l": 3, "d": 4, "q": 5, "m": 6, "j": 5, "e": 4, "f": 5, "g": 4, "h": 5, "b": 4,
    "v": 3, "i": 3, "x": 3, "s": 6, "w": 5,
}  # fmt: skip
#: Commands of ngspice that run other programs. A card with such a name might be taken for one.
_COMMANDS = frozenset(["shell", "system"])
_MODELS = frozenset(
    ["r", "res", "c", "cap", "l", "ind", "d", "npn", "pnp", "njf", "pjf", "nmf", "pmf", "nmos",
     "pmos", "vdmos", "sw", "csw"]
)  # fmt: skip
#: Quotes, comments and continuations that engines read differently, and the word that opens a file.
_UNSAFE = re.compile(r"[`\"'$\\]|//|\bfile\b")
_BRACKET = re.compile(r"[(){}]")
_OPENED_BY = {")": "(", "}": "{"}
_MODEL = re.compile(r"\.model\s+\S+\s+([a-z]+)\b.*")
_PARAM = re.compile(r"\.param\s+[a-z_]\w*\s*=.*")
#: Comments that ngspice executes as commands.
COMMAND = re.compile(rb"^[ \t]*\*(#|ng_script)", re.M | re.I)


def refusal(text: str) -> str | None:
    """Return why an engine may not get a card (in lower case); None if it may."""
    words = text.split()
    word = words[0]
    unsafe = _UNSAFE.search(text)
    if unsafe:
        return f"{word} holds {unsafe[0]}, which no card may (comments begin with * or ;)"
    unbalanced = _unbalanced(text)
    if unbalanced:
        return f"{word} {unbalanced}: {text[:60]}"
    least = _LETTERS.get(text[0])
    if (least and len(words) >= least and word not in _COMMANDS) or _PARAM.fullmatch(text):
        return None
    if word == ".model":
        kind = _MODEL.fullmatch(text)
        if kind and kind[1] in _MODELS:
            return None
        return f"no kind of .model that memxc gives to an engine: {text[:60]}"
    return f"no card that memxc gives to an engine: {text[:60]}"


def _unbalanced(text: str) -> str:
    """Return which parenthesis or brace of a card has no partner; "" if each has one.

    ngspice reads such an expression in its own way, without an error.
    """
    opened: list[str] = []
    for bracket in _BRACKET.findall(text):
        if bracket not in _OPENED_BY:
            opened.append(bracket)
        elif not opened:
            return f"has a {bracket} without a {_OPENED_BY[bracket]}"
        elif opened.pop() != _OPENED_BY[bracket]:
            return f"has a {bracket} in the wrong place"
    return f"has a {opened[-1]} that is not closed" if opened else ""
