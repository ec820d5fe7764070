"""Cards: the lines of a SPICE file with continuations joined and comments left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: A plain decimal number. memxc neither writes nor reads SPICE's suffixes (1k, 1meg).
NUMBER = re.compile(r"[+-]?(\d{1,20}\.?\d{0,20}|\.\d{1,20})(e[+-]?\d{1,3})?", re.I)


class Card(NamedTuple):
    """A card of the file: the number of its first line, and its text."""

    line: int
    text: str


def cards(text: str, line: int) -> Iterator[Card]:
    """Yield the cards of a text whose first line is number `line` of its file.

    A line that begins with `*` is a comment, and so is everything after a `;`.
    """
    parts: list[str] = []
    first = line
    for number, whole in enumerate(text.split("\n"), line):
        row = whole.partition(";")[0].strip()
        if row.startswith("+") and parts:
            parts.append(row[1:])
        elif row and not row.startswith("*"):
            if parts:
                yield Card(first, " ".join(parts))
            parts, first = [row], number
    if parts:
        yield Card(first, " ".join(parts))


def parameters(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a card's text up to its parameters, and the parameters as (name, text) in order.

    Raises ValueError if anything follows the parameters.
    """
    if "=" not in text:
        return text, ()
    if " =" in text or "= " in text:
        text = "=".join(part.strip() for part in text.split("="))
    text = text.replace("\t", " ")
    first = text.rfind(" ", 0, text.index("=")) + 1
    pairs = [word.split("=") for word in text[first:].split()]
    if not all(len(pair) == 2 and pair[0] and pair[1] for pair in pairs):
        raise ValueError("parameters are name=value, behind everything else")
    return text[:first], tuple([(name, value) for name, value in pairs])
