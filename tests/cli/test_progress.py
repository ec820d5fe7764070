"""Progress of a long command: never on standard output, and none with --quiet."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import pytest

from memxc.cli import _terminal


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(_terminal, "_EVERY", 0.05)


def test_a_line_every_so_often_where_standard_error_is_no_terminal(capsys):
    with _terminal.progress() as show:
        show("first")
        show("conv\x1b[2J 1")
        time.sleep(0.3)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert 2 <= len(lines) <= 6
    assert set(lines) == {"after 0 s: conv\\x1b[2J 1"}
    time.sleep(0.15)
    assert capsys.readouterr().err == ""


def test_minutes_are_told_with_their_seconds(capsys, monkeypatch):
    now = iter([0.0, 150.4, *[1000.0] * 1000])
    monkeypatch.setattr(_terminal.time, "monotonic", lambda: next(now))
    ended = _terminal.threading.Event()
    with _terminal.progress() as show:
        show("first")
        ended.wait(0.3)
    assert capsys.readouterr().err.startswith("after 2 min 30 s: first\nafter 16 min 40 s: first\n")


def test_nothing_is_said_of_what_is_done_at_once(capsys):
    with _terminal.progress() as show:
        show("first")
    assert capsys.readouterr() == ("", "")


def test_nothing_is_said_when_quiet(capsys):
    with _terminal.progress(quiet=True) as show:
        show("first")
        time.sleep(0.15)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_one_changing_line(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    with _terminal.progress() as show:
        show("first")
        time.sleep(0.15)
    assert stream.getvalue() == "\r\x1b[Kfirst\r\x1b[K"


def test_it_ends_with_an_exception(capsys):
    def fails():
        with _terminal.progress():
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    time.sleep(0.15)
    assert capsys.readouterr().err == ""


SCRIPT = """
import os, sys, time
from memxc.cli import _terminal
_terminal.prepare()
_terminal._EVERY = 0.05
with _terminal.progress() as show:
    show("solving")
    kept = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    time.sleep(0.3)
    os.dup2(kept, 2)
"""


def test_an_engine_that_solves_in_this_process_does_not_take_the_lines():
    """Text on standard error meanwhile counts as a warning of neospice, which ends the command."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    assert "after 0 s: solving\n" in done.stderr
