"""Work on several processes: in order, and as many at once as were asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from memxc import jobs


class Counting:
    """An executor that works at once, and counts what was submitted and not yet asked for."""

    def __init__(self) -> None:
        self.open, self.most = 0, 0

    def submit(self, work, *item):
        self.open += 1
        self.most = max(self.most, self.open)
        return SimpleNamespace(result=lambda: self._asked(work(*item)))

    def _asked(self, value):
        self.open -= 1
        return value


@pytest.mark.parametrize("count", [1, 3, 40])
def test_every_process_has_work_and_little_waits(count):
    executor = Counting()
    found = list(jobs.Pool(5, executor).ordered(divmod, ((i, 3) for i in range(count))))
    assert found == [divmod(i, 3) for i in range(count)]
    assert executor.most == min(count, 10)


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_in_order(processes):
    with jobs.pool(processes) as pool:
        assert list(pool.ordered(divmod, ((i, 3) for i in range(7)))) == [
            divmod(i, 3) for i in range(7)
        ]


#: What does not answer, in a process that has started another, as engines do.
WORK = """
import os, pathlib, subprocess, tempfile, time

def asleep():
    child = subprocess.Popen(["sleep", "300"])
    pathlib.Path("new").write_text(f"{os.getpid()} {child.pid} {tempfile.gettempdir()}")
    pathlib.Path("new").rename("note")
    time.sleep(300)
"""

#: A pool at work on that, in a script without a main guard: no process may import it again.
SCRIPT = """
import pathlib, sys, time
from memxc import jobs
from work import asleep

with jobs.pool(1) as pool:
    pool.executor.submit(asleep)
    while not pathlib.Path("note").exists():
        time.sleep(0.05)
    if sys.argv[1] == "leave":
        raise KeyboardInterrupt
    time.sleep(300)
"""


@pytest.fixture
def script(tmp_path):
    """script(word) -> the process; in its folder `tmp` is for temporary files."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "work.py").write_text(WORK)
    world = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}

    def start(word):
        command = [sys.executable, "script.py", word]
        return subprocess.Popen(command, cwd=tmp_path, env=world, stderr=subprocess.DEVNULL)

    return start


def noted(folder):
    """The processes and the temporary folder, as soon as they are written down."""
    until = time.monotonic() + 60
    while not (folder / "note").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    *pids, place = (folder / "note").read_text().split()
    return list(map(int, pids)), Path(place)


def running(pid):
    """Whether a process is there, and no zombie that nobody asks about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pids):
    """Whether the processes end, within the seconds that a busy machine may need for that."""
    until = time.monotonic() + 20
    while any(map(running, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(running, pids))


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")


@needs_proc
def test_a_block_left_by_an_exception_ends_its_processes(script, tmp_path):
    with script("leave") as process:
        assert process.wait(timeout=100) != 0
    pids, place = noted(tmp_path)
    assert gone(pids)
    assert place.parent == tmp_path / "tmp"
    assert list((tmp_path / "tmp").iterdir()) == []


@needs_proc
def test_no_process_outlives_one_that_is_killed(script, tmp_path):
    with script("stay") as process:
        pids, _ = noted(tmp_path)
        assert all(map(running, pids))
        process.send_signal(signal.SIGKILL)
    assert gone(pids)


def test_a_process_that_ends_by_itself():
    with pytest.raises(jobs.Died), jobs.pool(1) as pool:
        list(pool.ordered(os._exit, [(1,)]))


def test_what_the_work_raises_is_raised_here():
    with pytest.raises(ZeroDivisionError), jobs.pool(1) as pool:
        list(pool.ordered(divmod, [(1, 0)]))


def test_an_ended_pool_starts_no_process():
    with jobs.pool(1) as pool:
        jobs.end()
        with pytest.raises(jobs.Died):
            list(pool.ordered(divmod, [(1, 3)]))
