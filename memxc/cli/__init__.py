"""The command line: each command parses, calls the library, and prints.

Each command is a file, found by its name. No other room imports click.
"""

from __future__ import annotations

# This is the C part of `signal`. From here on signals are noticed. Importing `signal` itself takes
# a third of the time that Python takes to start.
import _signal  # type: ignore[import-not-found]
import os


def main(args: list[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    for number in (_signal.SIGINT, _signal.SIGTERM):
        # A command that a shell starts with & has to ignore interrupts.
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _leave)
    from memxc.cli import _main

    _main.main(args)


def _leave(number: int, frame: object) -> None:
    """End at once, without a traceback. There is nothing to tidy up before `_stop` listens."""
    os._exit(128 + number)


__all__ = ["main"]
