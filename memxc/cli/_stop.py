"""Ctrl-C and SIGTERM, also while one call of a library takes minutes.

Python handles a signal when its main thread is back from such a call. A thread hears of it at once,
and ends the process where the main thread does not come back in time. A SPICE engine lets no thread
run while it solves, so `verify` has it in a process of its own (memxc.jobs); so has, for the same
reason, whatever reads the user's model in C++ (memxc.worker).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

from memxc.errors import escaped

#: Seconds that the main thread has to hear of a signal; then it ends in its own, orderly way.
_PATIENCE = 1.5
#: Seconds until it is told again.
_AGAIN = 0.02

#: What a stopped command leaves behind, or wants: "; nothing was written", or nothing to say.
left = ""

#: The exit code for the first signal, or 0. A command may come to its end before it hears of it.
asked = 0


class Stopped(KeyboardInterrupt):
    """A signal, its number, as an exception: temporary folders are removed on the way out."""


def listen() -> None:
    """Turn both signals into `Stopped`, from now on."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    reached = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        global asked  # noqa: PLW0603 - a handler returns to nobody
        asked = asked or 128 + number
        # Only once: a second one would interrupt the removal of temporary folders.
        if not reached.is_set() and not _importing(frame):
            reached.set()
            raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        # Behind a shell's & an interrupt is ignored, and has to be.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    threading.Thread(target=_watch, args=(heard, reached), daemon=True).start()


def words() -> str:
    """What is said when a command was stopped."""
    return f"\nstopped{escaped(left)}."


def code(error: BaseException) -> int:
    """The exit code for `Stopped`, or for an interrupt, either as itself or as a cause."""
    cause = error.__cause__ or error
    return 128 + (cause.args[0] if isinstance(cause, Stopped) else signal.SIGINT)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: some lose an exception then, and some crash of it."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _watch(heard: int, reached: threading.Event) -> None:
    number = os.read(heard, 1)[0]
    main = threading.main_thread().ident
    assert main is not None, "it has started"
    until = time.monotonic() + _PATIENCE
    while not reached.wait(_AGAIN) and time.monotonic() < until:
        signal.pthread_kill(main, number)  # the import may be over
        os.read(heard, 1)  # what that has written
    if reached.is_set():
        number = os.read(heard, 1)[0]  # whoever asks again means it
        time.sleep(_PATIENCE)
    try:
        for room in ("memxc.jobs", "memxc.worker"):
            if room in sys.modules:  # else it has started nothing
                sys.modules[room].end()
        os.write(2, f"{words()}\n".encode("ascii", "backslashreplace"))
    finally:
        os._exit(128 + number)
