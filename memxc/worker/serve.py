"""The worker's side: it reads requests and answers them until its parent is gone."""

from __future__ import annotations

import fcntl
import importlib
import json
import math
import os
import resource
import signal
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from memxc.worker import READY
from memxc.worker.child import Connection

#: Memory pages of this process, if the system has this file; the sixth number counts data pages.
_STATM = Path("/proc/self/statm")


def serve(handle: int, alive: int, *modules: str) -> None:
    """Answer requests over the connection `handle`, after importing `modules`.

    alive: see memxc.worker.child.
    """
    end_with_parent(alive)
    connection = Connection(handle)
    connection.send_bytes(READY)
    for module in modules:
        with suppress(ImportError):  # The request that needs the module reports it.
            importlib.import_module(module)
    while True:
        try:
            request = json.loads(connection.recv_bytes())
            parts = [connection.recv_bytes() for _ in range(request["parts"])]
        except EOFError:
            return
        state, answer = _answer(request, parts)
        connection.send_bytes(f"{state} {len(answer)}".encode("ascii"))
        for part in answer:
            connection.send_bytes(part)


def _answer(request: dict[str, Any], parts: list[bytes]) -> tuple[str, Sequence[bytes]]:
    """Return how a request ended, and the parts of the answer.

    It ended "done", "refused", "full" or "broken".
    """
    try:
        module, _, name = request["work"].partition(":")
        work = getattr(importlib.import_module(module), name)
        _limit(request["seconds"], request["memory"])
    except Exception:  # noqa: BLE001 - a fault of memxc's own, reported as such
        return "broken", [traceback.format_exc().encode()]
    try:
        return "done", work(*parts, **request["more"])
    except MemoryError:
        return "full", []
    # Libraries throw C++ errors of many kinds, and what they read is hostile input.
    except Exception as error:  # noqa: BLE001
        words = str(error) or type(error).__name__
        return "refused", [words.encode("utf-8", "backslashreplace")]


def _limit(seconds: int | None, memory: int) -> None:
    """Limit the seconds of processor time and the memory in addition to what is used already.

    The system then ends this process or refuses it memory. seconds None keeps the limit as it is.
    """
    if seconds is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _set(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + seconds)
    if _STATM.exists():
        held = int(_STATM.read_text("ascii").split()[5]) * resource.getpagesize()
        # Not RLIMIT_AS, which counts memory that threads reserve but never use; that grows with the
        # number of cores.
        _set(resource.RLIMIT_DATA, held + memory)


def _set(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    held = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (held, hard))


def end_with_parent(alive: int) -> None:
    """Let the system kill this process, and what it starts, when the parent ends.

    alive: the end of a pipe that closes then. Linux sends SIGIO to the whole group, which kills
    unless it is handled, also while a library is in a loop. On other systems the process ends when
    it next reads a request, or at its limit of processor time.
    """
    for number in (signal.SIGIO, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    fcntl.fcntl(alive, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)
