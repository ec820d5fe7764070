"""Which cards of a netlist an engine may be given: what is not listed here is refused.

A netlist comes from anywhere, and a SPICE engine does more than solve circuits: `.control` blocks
and comments that begin with `*#` run commands, XSPICE devices load libraries, other cards read and
write files. So this is a list of what is known to be harmless, not of what is known to do harm.
"""

from __future__ import annotations

import re

#: Resistor, capacitor, inductor, diode, transistors, sources, subcircuit, switches: the letter,
#: and how few words such a card has.
_LETTERS = {
    "r": 3, "c": 3, "l": 3, "d": 4, "q": 5, "m": 6, "j": 5, "e": 4, "f": 5, "g": 4, "h": 5, "b": 4,
    "v": 3, "i": 3, "x": 3, "s": 6, "w": 5,
}  # fmt: skip
#: Commands of ngspice that run others, were a card of that name ever taken for one.
_COMMANDS = frozenset(["shell", "system"])
_MODELS = frozenset(
    ["r", "res", "c", "cap", "l", "ind", "d", "npn", "pnp", "njf", "pjf", "nmf", "pmf", "nmos",
     "pmos", "vdmos", "sw", "csw"]
)  # fmt: skip
#: Quotes and comments that engines read differently, a continued line, a file that is opened.
_UNSAFE = re.compile(r"[`\"'$\\]|//|\bfile\b")
_MODEL = re.compile(r"\.model\s+\S+\s+([a-z]+)\b.*")
_PARAM = re.compile(r"\.param\s+[a-z_]\w*\s*=.*")
#: Comments that ngspice takes for commands.
COMMAND = re.compile(rb"^[ \t]*\*(#|ng_script)", re.M | re.I)


def refusal(text: str) -> str | None:
    """Why a card, in lower case, is not for an engine; None where it is."""
    words = text.split()
    word = words[0]
    unsafe = _UNSAFE.search(text)
    if unsafe:
        return f"{word} holds {unsafe[0]}, which no card may (comments begin with * or ;)"
    least = _LETTERS.get(text[0])
    if (least and len(words) >= least and word not in _COMMANDS) or _PARAM.fullmatch(text):
        return None
    if word == ".model":
        kind = _MODEL.fullmatch(text)
        if kind and kind[1] in _MODELS:
            return None
        return f"no kind of .model that memxc gives to an engine: {text[:60]}"
    return f"no card that memxc gives to an engine: {text[:60]}"
