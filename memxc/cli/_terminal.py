"""Words to the user: safe for any terminal, faults and progress on standard error."""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Callable

import click  # noqa: TID251

from memxc.errors import MemxcError

#: How characters are written where the terminal has no Unicode.
_ASCII = {"µ": "u", "Ω": "ohm", "×": "x", "…": "...", "—": "-", "–": "-", "→": "->", "²": "2"}


def prepare() -> None:
    """Make printing never fail for want of a character, whatever the locale."""
    codecs.register_error("memxc", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="memxc")


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(
        _ASCII.get(c, c.encode("ascii", "backslashreplace").decode()) for c in text
    ), error.end


def faults(error: MemxcError) -> None:
    """Every fault on standard error, and how many there were."""
    for fault in error.faults:
        click.echo(str(fault), err=True)
    count = len(error.faults)
    click.echo(f"{count} error{'s' * (count != 1)}; nothing was written.", err=True)


def document(value: object) -> None:
    """One JSON document on standard output; ASCII, so that it is the same in every locale."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False))


def progress(quiet: bool = False) -> Callable[[str], None]:
    """A function that shows what is being done: one changing line, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        return lambda text: None

    def show(text: str) -> None:
        click.echo(f"\r\x1b[K{text[:78]}", err=True, nl=False)

    return show


def end_progress(quiet: bool = False) -> None:
    """Remove the changing line."""
    if not quiet and sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)


def table(rows: list[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    """Rows in aligned columns, two blanks between them."""
    lines = [head, *rows] if head else rows
    if not lines:
        return ""
    widths = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in lines
    )
