"""Faults: what a user should know, under the user's own names.

This module imports nothing of memxc.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Container, Iterable
from dataclasses import dataclass

#: Exit code and meaning of each fault code. docs/cli.md is the contract.
CODES: dict[str, tuple[int, str]] = {
    "usage": (2, "an option or argument that makes no sense"),
    "broken-model": (3, "the file is not a well-formed ONNX model"),
    "unsupported-model": (3, "a sound ONNX model that cannot become a circuit as it stands"),
    "unsupported-op": (3, "an operator without a mapping"),
    "unsupported-attribute": (
        3,
        "an attribute, or a value of one, that the mapping does not cover",
    ),
    "unsupported-shape": (3, "a tensor whose shape or rank the mapping does not cover"),
    "bad-target": (3, "a target file that cannot be used"),
    "bad-samples": (3, "samples that do not fit the model"),
    "bad-design": (3, "an output folder of memxc that is incomplete or was changed by hand"),
    "bad-pdk": (3, "process models that memxc cannot take or does not find"),
    "bad-cells": (3, "cells of the user's own that the netlist cannot take"),
    "does-not-fit": (3, "the unit crossbar is too small for what has to be on it"),
    "bad-plugin": (4, "a package that adds to memxc, and fails"),
    "missing-engine": (
        4,
        "a SPICE engine, an extra or a package of plug-ins that is not installed",
    ),
    "engine-failed": (4, "a SPICE engine that stopped or gave no answer"),
    "cannot-write": (5, "an output that cannot be written"),
}


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that the user should know.

    code: a key of CODES. where: the user's own name for the place (a file, a node, an option).
    what: what is wrong. hint: what the user can do about it, or "".
    """

    code: str
    where: str
    what: str
    hint: str = ""

    def __post_init__(self) -> None:
        assert self.code in CODES, f"fault code {self.code!r} is not in errors.CODES"

    def __str__(self) -> str:
        text = f"error[{self.code}] {shortened(self.where, 200)}: {printable(self.what)}"
        return f"{text}\n  hint: {printable(self.hint)}" if self.hint else text


class MemxcError(Exception):
    """One or more faults that are reported together. Nothing was written when it is raised."""

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        collected = [faults] if isinstance(faults, Fault) else list(faults)
        self.faults = tuple(dict.fromkeys(collected))
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[type[MemxcError], tuple[tuple[Fault, ...]]]:
        """Pickle the faults and not their text: an error of another process is raised in this."""
        return MemxcError, (self.faults,)

    @property
    def exit_code(self) -> int:
        """Exit code of the first fault."""
        return CODES[self.faults[0].code][0]


def fail(code: str, where: str, what: str, hint: str = "") -> MemxcError:
    """Return a MemxcError with a single fault, for `raise fail(...)`."""
    return MemxcError(Fault(code, where, what, hint))


def once(key: str, known: Container[str]) -> None:
    """Raise ValueError if a key is given twice, because two values would contradict each other."""
    if key in known:
        raise ValueError(f"{key} is given twice")


def like(word: str, known: Iterable[str]) -> str:
    """Return "did you mean ...?" with the known word closest to `word`, or "" if none is close."""
    closest = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {closest[0]!r}?" if closest else ""


def why(error: Exception) -> str:
    """Return why a file cannot be read or written, in plain words instead of Python's."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding.upper()} text"
    return getattr(error, "strerror", None) or str(error)


def pasted(*words: object) -> str:
    """Join words to a command line that a shell accepts as it is, with quotes where needed."""
    return shlex.join(map(str, words))


def escaped(text: str) -> str:
    """Return the text on one line, with control, escape and direction characters spelled out.

    A terminal obeys such characters, and a model's names may hold them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def printable(text: str, limit: int = 200) -> str:
    """Return text of a model made safe, in at most `limit` characters, to be printed."""
    safe = escaped(text[: 4 * limit])
    return safe if len(safe) <= limit and len(text) <= 4 * limit else safe[: limit - 1] + "…"


def shortened(name: str, limit: int = 40) -> str:
    """Return a model's name made safe, in at most `limit` characters.

    A long name loses its middle, because the end of a path says most.
    """
    safe = escaped(name[: limit + 1])
    if len(name) <= limit and len(safe) <= limit:
        return safe
    head = limit // 4
    return f"{safe[:head]}…{escaped(name[-limit:])[head + 1 - limit :]}"
