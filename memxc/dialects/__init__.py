"""A netlist in SPICE's cards becomes one in another language.

memxc writes and reads netlists in one dialect, that of ngspice and neospice. `translate` writes the
same cards in another one. The forms of its cards stand in the dialect's template,
`templates/spice/<dialect>.<suffix>.j2`, and those that it does not name are SPICE's
(`templates/spice/cards.j2`).

    e1 out 0 0 m 1e4     --- {name} ({nets}) vcvs gain={value} -->    e1 (out 0 0 m) vcvs gain=1e4

A language without behavioural sources (VACASK) has a form `module` for each different expression,
and gets its modules as a second text. `flatten` writes transistors of a process library with
numbers in place of expressions and bins, for languages that know neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from memxc import render
from memxc.dialects.writer import Writer


@dataclass(frozen=True)
class Translated:
    """A netlist in another language. modules: the text of its behavioural modules, or ""."""

    text: str
    modules: str


def is_spice(dialect: str) -> bool:
    """Return whether the dialect writes every card as ngspice does."""
    return render.forms(dialect) == render.forms("ngspice")


def translate(dialect: str, text: str) -> Translated:
    """Return cards in the language of a dialect.

    Raises ValueError with the first card that has no form in it.
    """
    writer = Writer(render.forms(dialect))
    body = "".join([writer.line(line) for line in lines(text)])
    return Translated(writer.declarations() + body, writer.modules())


def lines(text: str) -> list[str]:
    """Return the cards and comments of a text, in lower case and without continuations."""
    return text.lower().replace("\n+", " ").splitlines()
