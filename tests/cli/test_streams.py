"""memxc on a system with closed streams, without semaphores, or without space."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest


@pytest.fixture
def one_process():
    """These tests need the processes of the engine."""


@pytest.fixture
def out(memxc, model, tmp_path):
    folder = tmp_path / "out"
    assert memxc("compile", model, "-o", folder, "--quiet").code == 0
    return folder


def test_verify_with_closed_streams(out):
    """The engine is in a process of its own, and writes its warnings to standard error."""
    line = shlex.join([sys.executable, "-m", "memxc", "verify", str(out), "--count", "1"])
    done = subprocess.run(
        ["bash", "-c", f"{line} <&- 2>&-"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "ok: SPICE agrees with the design" in done.stdout
    assert done.stderr == ""


def test_verify_without_semaphores(memxc, out, monkeypatch):
    """As on a system where /dev/shm cannot be written; memxc does not need it."""

    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    done = memxc("verify", out, "--count", "1", "--jobs", "2")
    assert (done.code, done.err) == (0, "")


def test_verify_without_temporary_files(memxc, out, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    done = memxc("verify", out, "--count", "1")
    assert done.code == 5
    assert "error[cannot-write] temporary files: Read-only file system" in done.err


def test_verify_where_no_process_starts(memxc, out, monkeypatch):
    def refuse(*args, **kwargs):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("memxc.jobs.Child", refuse)
    done = memxc("verify", out, "--count", "1")
    assert done.code == 4
    assert "its process cannot be started: Resource temporarily unavailable" in done.err
