"""Stop on Ctrl-C and SIGTERM, even if one call of a library takes minutes.

Python handles a signal only after its main thread has returned from such a call. Another thread
notices the signal at once, and ends the process if the main thread does not return in time. While
a SPICE engine solves, no thread can run, so `verify` runs it in a process of its own (memxc.jobs).
For the same reason C++ libraries read the user's model in a process of their own (memxc.worker).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

from memxc.errors import escaped

#: Seconds in which the main thread may handle a signal itself and end in its usual way.
_PATIENCE = 1.5
#: Seconds between two signals to the main thread.
_AGAIN = 0.02

#: A note for the message of a stopped command, such as "; nothing was written".
left = ""

#: The exit code for the first signal, or 0. A command may end before it handles the signal.
asked = 0


class Stopped(KeyboardInterrupt):
    """A signal as an exception with its number, so that temporary folders are removed."""


def listen() -> None:
    """Turn both signals into `Stopped` from now on."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    reached = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        global asked  # noqa: PLW0603 - a handler returns to nobody
        asked = asked or 128 + number
        # Raised only once, because a second one would interrupt the removal of temporary folders.
        if not reached.is_set() and not _importing(frame):
            reached.set()
            raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        # A command that a shell starts with & has to ignore interrupts.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    threading.Thread(target=_watch, args=(heard, reached), daemon=True).start()


def words() -> str:
    """The message for a stopped command."""
    return f"\nstopped{escaped(left)}."


def code(error: BaseException) -> int:
    """The exit code for `Stopped` or an interrupt, which may also be the cause of `error`."""
    cause = error.__cause__ or error
    return 128 + (cause.args[0] if isinstance(cause, Stopped) else signal.SIGINT)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported. Some imports lose an exception, and some crash."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _watch(heard: int, reached: threading.Event) -> None:
    number = os.read(heard, 1)[0]
    main = threading.main_thread().ident
    assert main is not None, "it has started"
    until = time.monotonic() + _PATIENCE
    while not reached.wait(_AGAIN) and time.monotonic() < until:
        signal.pthread_kill(main, number)  # the import may have ended
        os.read(heard, 1)  # discard the byte of this signal
    if reached.is_set():
        number = os.read(heard, 1)[0]  # a second signal of the user
        time.sleep(_PATIENCE)
    try:
        for room in ("memxc.jobs", "memxc.worker"):
            if room in sys.modules:  # otherwise it has started nothing
                sys.modules[room].end()
        os.write(2, f"{words()}\n".encode("ascii", "backslashreplace"))
    finally:
        os._exit(128 + number)
