"""A Python process of ours beside this one: started by `subprocess`, and ended with this one.

multiprocessing would import the user's script again, which fails in scripts without a main guard
and in notebooks, and its semaphores want files that not every system lets it make.
"""

from __future__ import annotations

import json
import os
import subprocess  # noqa: TID251
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from signal import SIGKILL

#: Numerical libraries reserve memory for every thread, and such a process needs one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_BEGIN = """
import importlib, json, sys
path, module, handle, alive, *arguments = sys.argv[1:]
sys.path[:] = json.loads(path)
importlib.import_module(module).serve(int(handle), int(alive), *arguments)
"""


class Child:
    """A process that runs `serve(handle, alive, *arguments)` of a module.

    handle: the other end of `connection`; alive: the end of a pipe that closes when this process
    ends, however it ends (`memxc.worker.serve.end_with_parent` takes it). The keywords are
    variables of its environment. Raises OSError where the system starts no process.
    """

    def __init__(self, module: str, *arguments: str, **environment: str) -> None:
        self.connection, theirs = Pipe()
        # Nothing is ever written to this pipe.
        alive, self._life = os.pipe()
        ends = (theirs.fileno(), alive)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BEGIN, json.dumps(sys.path), module,
                 *map(str, ends), *arguments],
                pass_fds=ends,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD, **environment},
                # Ctrl-C is for this process, which ends the child; what that starts is its group.
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._close()
            raise
        finally:
            theirs.close()
            os.close(alive)

    def kill(self) -> None:
        """Kill the process and all that it has started."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, SIGKILL)

    def end(self) -> None:
        """Kill the process as `kill` does, wait for it, and close what leads to it."""
        self.kill()
        self.process.wait()
        self._close()

    def forget(self) -> None:
        """In a fork of the parent: close what leads to the process, which is not its own."""
        self._close()
        self.process.returncode = 0  # else it would complain that it was never waited for

    def _close(self) -> None:
        self.connection.close()
        os.close(self._life)


__all__ = ["Child", "Connection"]
