"""The command line: parse, call, print. One file a command, found by discovery; only click user."""

from memxc.cli._main import main

__all__ = ["main"]
