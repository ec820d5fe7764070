"""The worker's own side: it reads requests and answers them until its parent is gone."""

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

#: Pages of this process, where the system has such a file; the sixth number are those of its data.
_STATM = Path("/proc/self/statm")


def serve(handle: int, alive: int, *modules: str) -> None:
    """Answer requests over the connection `handle`; `modules` are imported before the first.

    alive: as memxc.worker.child has it.
    """
    end_with_parent(alive)
    connection = Connection(handle)
    connection.send_bytes(READY)
    for module in modules:
        with suppress(ImportError):  # The request that needs it says so.
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
    """How a request ended ("done", "refused", "full", "broken"), and the parts of the answer."""
    try:
        module, _, name = request["work"].partition(":")
        work = getattr(importlib.import_module(module), name)
        _limit(request["seconds"], request["memory"])
    except Exception:  # noqa: BLE001 - a fault of memxc's own, told as one
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
    """Let the system end this process, or refuse it memory, where it takes more than this.

    None goes on with the seconds it has.
    """
    if seconds is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _set(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + seconds)
    if _STATM.exists():
        held = int(_STATM.read_text("ascii").split()[5]) * resource.getpagesize()
        # Not RLIMIT_AS: it counts what threads reserve and never touch, which grows with the cores.
        _set(resource.RLIMIT_DATA, held + memory)


def _set(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    held = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (held, hard))


def end_with_parent(alive: int) -> None:
    """Have the system kill this process, and what it starts, when the parent ends.

    alive: the end of a pipe that closes then. Linux sends SIGIO to the whole group, which kills
    unless it is handled, also within a library that spins. Elsewhere the process ends when it next
    reads a request, or at its limit of processor time.
    """
    for number in (signal.SIGIO, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    fcntl.fcntl(alive, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)
