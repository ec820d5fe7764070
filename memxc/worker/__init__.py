"""Run C++ libraries that read the user's model in a process of their own, which may die.

A model is hostile input. On some bytes these libraries abort, loop while they hold the interpreter
(so that no signal is heard), or ask for all the memory. One process serves the whole command. It
starts with the first call, stays for later calls, and is replaced if it has died. Its answers are
bytes that nobody unpickles, because hostile bytes may have taken the process over.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import signal
import subprocess  # noqa: TID251
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from memxc.worker.child import Child

T = TypeVar("T")

#: The wall-clock limit of a call: seconds, plus a multiple of its processor time. It stops a call
#: that waits without computing, and even a busy machine should not reach it.
_WAITING, _BUSY = 30.0, 4
#: Seconds for the interpreter to start and to import numpy and onnx.
_START = 120
#: Copies of the message that a library may make: parsed, changed, serialised.
_COPIES = 4
#: Why an answer of a living worker is refused.
_NONSENSE = "gives an answer that makes no sense"
#: The worker's message when it has started.
READY = b"ready"


class Refused(Exception):  # noqa: N818
    """The work raised an exception. Its text is the library's own."""


class Died(Exception):  # noqa: N818
    """The worker died during a call. The text continues a sentence: "crashes (SIGABRT)"."""


@dataclass(frozen=True, eq=False)
class Allowance:
    """The limits of calls: seconds of each core that they use, and bytes of memory.

    All calls in a row with the same object share its seconds. The memory is for each call, in
    addition to what the worker already holds and `_COPIES` times the message.
    """

    seconds: float
    memory: int
    cores: int = 1

    @property
    def processor(self) -> int:
        """Seconds of processor time, rounded up because the system counts whole ones."""
        return math.ceil(self.seconds * self.cores)


class _Process:
    """A worker process, from its start to its end."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.child = Child("memxc.worker.serve", *modules)
        self.allowance: Allowance | None = None
        self.ready = False

    def ask(
        self, work: str, parts: Sequence[bytes], allowance: Allowance, more: Mapping[str, Any]
    ) -> list[bytes]:
        memory = allowance.memory + _COPIES * sum(map(len, parts))
        request = {
            "work": work,
            "parts": len(parts),
            # Calls with the same allowance share its seconds, so the limit is not set again.
            "seconds": None if allowance is self.allowance else allowance.processor,
            "memory": memory,
            "more": dict(more),
        }
        self.allowance = allowance
        self._wait_until_ready()
        seconds = _WAITING + _BUSY * allowance.seconds
        until = time.monotonic() + seconds
        try:
            self.child.connection.send_bytes(json.dumps(request).encode("ascii"))
            for part in parts:
                self.child.connection.send_bytes(part)
            state, count = self._receive(until, 99).decode("ascii").split()
            answer = [self._receive(until, memory) for _ in range(int(count))]
        except TimeoutError:
            raise Died(f"gives no answer in {seconds:g} s") from None
        # ValueError: the answer is not a message. The process cannot be trusted.
        except (EOFError, OSError, ValueError) as error:
            raise Died(self._death(allowance)) from error
        words = b" ".join(answer).decode("utf-8", "replace") if state != "done" else ""
        if state == "broken":
            raise RuntimeError(f"the worker fails by itself: {words}")
        if state == "full":
            raise Died(f"needs more than {memory / 2**30:.2g} GiB of memory")
        if state == "refused":
            raise Refused(words)
        return answer

    def _wait_until_ready(self) -> None:
        if not self.ready:
            try:
                self.ready = self._receive(time.monotonic() + _START, 99) == READY
            except (EOFError, OSError) as error:
                raise RuntimeError("the worker process does not start") from error

    def _receive(self, until: float, largest: int) -> bytes:
        if not self.child.connection.poll(max(0.0, until - time.monotonic())):
            raise TimeoutError
        return self.child.connection.recv_bytes(largest)

    def _death(self, allowance: Allowance) -> str:
        """Return why there is no answer, as a verb with what follows it."""
        try:
            code = self.child.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return _NONSENSE
        if code == -signal.SIGXCPU:
            return f"takes more than {allowance.processor:g} s of processor time"
        return f"crashes ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"


class _Held:
    """The one worker of this process, and the lock of the thread that uses it."""

    def __init__(self) -> None:
        self.process: _Process | None = None
        self.lock = threading.RLock()


_held = _Held()


def start(*modules: str) -> None:
    """Start the worker if there is none. It imports modules while the caller continues."""
    with _held.lock:
        if _held.process is not None and _held.process.child.process.poll() is not None:
            end()
        if _held.process is None:
            _held.process = _Process(modules)


def ask(
    work: str,
    parts: Sequence[bytes],
    allowance: Allowance,
    read: Callable[[list[bytes]], T],
    **more: Any,
) -> T:
    """Return the answer of the worker's function "module:function" to some bytes.

    more: keyword arguments that JSON can hold. read: converts the parts of the answer; if it raises
    an exception, the worker is regarded as dead. Raises Refused if the function raised an
    exception, Died if there is no usable answer.
    """
    with _held.lock:
        start(work.partition(":")[0])
        assert _held.process is not None, "it was started"
        try:
            answer = _held.process.ask(work, parts, allowance, more)
            try:
                return read(answer)
            except Exception as error:
                raise Died(_NONSENSE) from error
        except Refused:
            raise
        # Also an interrupt: a late answer would otherwise be taken for that of the next call.
        except BaseException:
            end()
            raise


@contextmanager
def alone() -> Iterator[None]:
    """Keep other threads from the worker between this thread's calls, so that its state stays."""
    with _held.lock:
        yield


def end() -> None:
    """Kill the worker; the next call starts another one."""
    ended, _held.process = _held.process, None
    if ended is not None:
        ended.child.end()


def _forget() -> None:
    """After a fork, drop the worker, which belongs to the parent."""
    if _held.process is not None:
        _held.process.child.forget()
    _held.process, _held.lock = None, threading.RLock()


atexit.register(end)
os.register_at_fork(after_in_child=_forget)
