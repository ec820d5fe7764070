"""The command line: parse, call, print. One file a command, found by discovery; only click user."""

from __future__ import annotations

# Python's own part of `signal`: a signal is heard from here on, and `signal` takes a third of the
# time that it takes Python to start.
import _signal  # type: ignore[import-not-found]
import os


def main(args: list[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    for number in (_signal.SIGINT, _signal.SIGTERM):
        # Behind a shell's & an interrupt is ignored, and has to be.
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _leave)
    from memxc.cli import _main

    _main.main(args)


def _leave(number: int, frame: object) -> None:
    """End at once, without a traceback: there is nothing yet to tidy up, memxc.cli._stop does."""
    os._exit(128 + number)


__all__ = ["main"]
