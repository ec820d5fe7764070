"""Words to the user: safe for any terminal, faults and progress on standard error."""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from memxc.errors import MemxcError, escaped, printable

#: How characters are written where the terminal has no Unicode.
_ASCII = {"µ": "u", "Ω": "ohm", "×": "x", "…": "...", "—": "-", "–": "-", "→": "->", "²": "2"}


def prepare() -> None:
    """Make printing never fail for want of a character, whatever the locale, or of a stream."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open(number, name)
    codecs.register_error("memxc", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="memxc")


def _open(number: int, name: str) -> None:
    """Give a stream that was closed before memxc started (`memxc ... >&-`) a place to go.

    Python has no object for it. The number of its file would go to the next file that is opened,
    and then a library's warnings would be written there; and a new process would inherit the lack.
    """
    if getattr(sys, name) is not None:
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    os.set_inheritable(number, True)
    setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(
        _ASCII.get(c, c.encode("ascii", "backslashreplace").decode()) for c in text
    ), error.end


class StdoutError(Exception):
    """Standard output takes no more: its reader has gone, or its disk is full."""


def say(text: str, end: str = "\n") -> None:
    """Print on standard output. click's own echo writes UTF-8 where the terminal is ASCII."""
    try:
        print(_safe(text), end=end)
    except OSError as error:
        raise StdoutError from error


def flush() -> None:
    """Make sure that what was printed has arrived."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise StdoutError from error


def warn(text: str) -> None:
    """Print on standard error."""
    print(_safe(text), file=sys.stderr)


def warnings(texts: Iterable[str]) -> None:
    """Print warnings on standard error; names in them may be long."""
    for text in texts:
        warn(f"warning: {printable(text, 400)}")


def _safe(text: str) -> str:
    """Text of which a terminal obeys nothing but the ends of lines, whatever names are in it."""
    return "\n".join(map(escaped, text.split("\n")))


def fewer(asked: int | None, held: int, where: str) -> None:
    """Tell of a --count that asks for more samples than there are."""
    if asked is not None and held < asked:
        warn(f"--count {asked}: {where} {held} samples, and these are used")


def faults(error: MemxcError, note: str = "") -> None:
    """Every fault on standard error, and how many there were, with a note behind that."""
    for fault in error.faults:
        warn(str(fault))
    count = len(error.faults)
    warn(f"{count} error{'s' * (count != 1)}{note}.")


def document(value: object) -> None:
    """One JSON document on standard output; ASCII, so that it is the same in every locale."""
    from memxc.ir.store import dumps

    say(dumps(value), end="")


#: Seconds between two lines of a command whose standard error is no terminal.
_EVERY = 30.0


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A function that shows on standard error what is being done: one changing line on a terminal,
    and elsewhere, in a log, a line every half minute."""
    if quiet:
        yield lambda text: None
    elif sys.stderr.isatty():
        yield from _changing_line()
    else:
        yield from _lines()


def _changing_line() -> Iterator[Callable[[str], None]]:
    def show(text: str) -> None:
        print(f"\r\x1b[K{printable(text, 78)}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _lines() -> Iterator[Callable[[str], None]]:
    latest, ended, start = ["starting"], threading.Event(), time.monotonic()
    with _own_standard_error() as stream:

        def tell() -> None:
            with suppress(OSError, ValueError):  # nobody reads it any more
                while not ended.wait(_EVERY):
                    minutes, seconds = divmod(round(time.monotonic() - start), 60)
                    spent = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
                    print(f"after {spent}: {latest[0]}", file=stream, flush=True)

        def show(text: str) -> None:
            latest[0] = printable(text, 78)

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield show
        finally:
            ended.set()
            teller.join()


@contextmanager
def _own_standard_error() -> Iterator[TextIO]:
    """Standard error by a file of its own: what goes to sys.stderr is taken for the words of an
    engine that solves in this process."""
    try:
        number = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # no file, as in a test
        yield sys.stderr
        return
    with os.fdopen(number, "w", encoding=sys.stderr.encoding, errors="memxc") as stream:
        yield stream


#: Seconds before a rate is worth telling.
_EARLY = 2.0


def countdown(show: Callable[[str], None]) -> Callable[[str, float], None]:
    """`show` for work of known size: also told the share that is done, it adds the time left."""
    start = time.monotonic()

    def counted(text: str, share: float) -> None:
        spent = time.monotonic() - start
        if share > 0 and spent > _EARLY:
            text += f", about {_duration(spent * (1 - share) / share)} left"
        show(text)

    return counted


def _duration(seconds: float) -> str:
    """Seconds in words of one unit, or two."""
    whole = round(seconds)
    if whole < 90:
        return f"{max(1, whole)} s"
    if whole < 90 * 60:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
