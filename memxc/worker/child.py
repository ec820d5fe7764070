"""A child process that runs Python: started by `subprocess`, and ended when this process ends.

multiprocessing would import the user's script again, which fails in notebooks and in scripts
without a main guard. Its semaphores also need files that not every system permits.
"""

from __future__ import annotations

import json
import os
import subprocess  # noqa: TID251
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from signal import SIGKILL

#: Numerical libraries reserve memory for every thread, and such a process needs only one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_BEGIN = """
import importlib, json, sys
path, module, handle, alive, *arguments = sys.argv[1:]
sys.path[:] = json.loads(path)
importlib.import_module(module).serve(int(handle), int(alive), *arguments)
"""


class Child:
    """A process that runs `serve(handle, alive, *arguments)` of a module.

    handle: the other end of `connection`. alive: the end of a pipe that closes when this process
    ends, in whatever way (`memxc.worker.serve.end_with_parent` uses it). The keywords are variables
    of the child's environment. Raises OSError if the system cannot start a process.
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
                # Ctrl-C must reach only this process, which ends the child and its process group.
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._close()
            raise
        finally:
            theirs.close()
            os.close(alive)

    def kill(self) -> None:
        """Kill the process and everything that it has started."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, SIGKILL)

    def end(self) -> None:
        """Kill the process as `kill` does, wait for it, and close the connections to it."""
        self.kill()
        self.process.wait()
        self._close()

    def forget(self) -> None:
        """In a fork of the parent: close the connections to a process that is the parent's."""
        self._close()
        self.process.returncode = 0  # otherwise subprocess warns that nobody waited for it

    def _close(self) -> None:
        self.connection.close()
        os.close(self._life)


__all__ = ["Child", "Connection"]
