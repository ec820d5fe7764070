"""Print messages that are safe for any terminal; faults and progress go to standard error."""

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

from memxc import plugins
from memxc.errors import MemxcError, escaped, printable

#: How characters are written if the terminal has no Unicode.
_ASCII = {"µ": "u", "Ω": "ohm", "×": "x", "…": "...", "—": "-", "–": "-", "→": "->", "²": "2"}


def prepare() -> None:
    """Make sure that printing never fails because a character or a stream is missing."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open(number, name)
    codecs.register_error("memxc", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="memxc")


def _open(number: int, name: str) -> None:
    """Open a stream that was closed before memxc started (`memxc ... >&-`).

    Python has no object for such a stream. The next file that is opened would get its number, and
    a library's warnings would be written there. New processes would lack the stream, too.
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
    """Standard output cannot be written: its reader has gone, or its disk is full."""


def say(text: str, end: str = "\n") -> None:
    """Print on standard output. (click's own echo writes UTF-8 even if the terminal is ASCII.)"""
    try:
        print(_safe(text), end=end)
    except OSError as error:
        raise StdoutError from error


def flush() -> None:
    """Make sure that the output was written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise StdoutError from error


def warn(text: str) -> None:
    """Print on standard error."""
    print(_safe(text), file=sys.stderr)


#: Sentences about plug-ins that this command has printed.
_named = set[str]()


def begin() -> None:
    """Forget what the command before this one has printed, where a process runs several."""
    _named.clear()


def warn_left_out() -> None:
    """Print a warning for each plug-in that cannot be used, once in a command."""
    for sentence in plugins.left_out():
        if sentence not in _named:
            _named.add(sentence)
            warn(f"warning: {sentence}")


def following(text: str, before: str = "") -> None:
    """Print the next step as the last line of a command, behind all warnings."""
    warn_left_out()
    say(f"{before}Next: {text}")


def warnings(texts: Iterable[str]) -> None:
    """Print warnings on standard error, and shorten long names in them."""
    for text in texts:
        warn(f"warning: {printable(text, 400)}")


def _safe(text: str) -> str:
    """The text with all control characters escaped, except for line ends."""
    return "\n".join(map(escaped, text.split("\n")))


def fewer(asked: int | None, held: int, where: str) -> None:
    """Print a message if --count asks for more samples than there are."""
    if asked is not None and held < asked:
        warn(f"--count {asked}: {where} only {held} samples, and these are used")


def faults(error: MemxcError, note: str = "") -> None:
    """Print every fault on standard error, then their number and a note."""
    for fault in error.faults:
        warn(str(fault))
    count = len(error.faults)
    warn(f"{count} error{'s' * (count != 1)}{note}.")


def document(value: object) -> None:
    """Print one JSON document on standard output, in ASCII, so that every locale gives the same."""
    from memxc.ir.store import dumps

    say(dumps(value), end="")


#: Seconds between two lines of progress if standard error is not a terminal.
_EVERY = 30.0


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A function that shows the current step on standard error: as one changing line on a terminal,
    and elsewhere, as in a log, as a line every half minute."""
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
            with suppress(OSError, ValueError):  # the reader has gone
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
    """Standard error as a separate file, because text on sys.stderr would be taken for messages of
    an engine that runs in this process."""
    try:
        number = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # not a file, as in a test
        yield sys.stderr
        return
    with os.fdopen(number, "w", encoding=sys.stderr.encoding, errors="memxc") as stream:
        yield stream


#: Seconds before the remaining time is shown.
_EARLY = 2.0


def countdown(show: Callable[[str], None]) -> Callable[[str, float], None]:
    """A version of `show` that is also told the share of work done, and adds the time left."""
    start = time.monotonic()

    def counted(text: str, share: float) -> None:
        spent = time.monotonic() - start
        if share > 0 and spent > _EARLY:
            text += f", about {_duration(spent * (1 - share) / share)} left"
        show(text)

    return counted


def _duration(seconds: float) -> str:
    """Seconds as text with one or two units."""
    whole = round(seconds)
    if whole < 90:
        return f"{max(1, whole)} s"
    if whole < 90 * 60:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
