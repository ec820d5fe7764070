"""The worker: its answers, its limits, and its end."""

from __future__ import annotations

import bz2
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from memxc import worker

ENOUGH = worker.Allowance(20, 2**28)
#: A regular expression that practically never ends, and that holds Python's interpreter lock.
SPIN = [b"(a+)+$", b"a" * 60 + b"b"]
#: 512 MiB of zeros.
BOMB = bz2.compress(bytes(2**24)) * 32


def split(text: bytes, allowance: worker.Allowance = ENOUGH) -> list[bytes]:
    """Call a function that answers with a list of bytes."""
    return worker.ask("re:split", [b",", text], allowance, list)


def number() -> int:
    """Return the number of the process that answers."""
    split(b"")
    return worker._held.process.child.process.pid


def test_answers_come_from_one_process_that_stays():
    assert split(b"a,bc,") == [b"a", b"bc", b""]
    assert number() == number() != os.getpid()
    # More than a pipe can buffer, in both directions.
    assert split(b"a" * 2**22) == [b"a" * 2**22]


def test_what_the_work_raises_is_told_and_the_process_stays():
    before = number()
    with pytest.raises(worker.Refused, match="Invalid data stream"):
        worker.ask("bz2:decompress", [b"nothing"], ENOUGH, list)
    assert number() == before


@pytest.mark.parametrize(
    ("work", "parts", "seconds", "words", "more"),
    [
        ("os:abort", [], 20, r"crashes \(SIGABRT\)", {}),
        ("os:_exit", [], 20, r"crashes \(exit code 3\)", {"status": 3}),
        ("re:match", SPIN, 0.2, "takes more than 1 s of processor time", {}),
        ("bz2:decompress", [BOMB], 20, "needs more than 0.25 GiB of memory", {}),
        # The answer is not a list of bytes.
        ("os:getpid", [], 20, r"crashes \(exit code 1\)", {}),
    ],
)
def test_the_worker_answers_again_after_a_call_that_crashed_it(work, parts, seconds, words, more):
    before = number()
    with pytest.raises(worker.Died, match=words):
        worker.ask(work, parts, worker.Allowance(seconds, 2**28), list, **more)
    assert split(b"a,b") == [b"a", b"b"]
    assert number() != before


def test_the_seconds_are_those_of_all_calls_with_one_allowance():
    # Each takes about a quarter of a second.
    slow = [b"(a+)+$", b"a" * 21 + b"b"]
    shared = worker.Allowance(1, 2**28)

    def often():
        for _ in range(100):
            assert worker.ask("re:findall", slow, shared, list) == []

    with pytest.raises(worker.Died, match="takes more than 1 s"):
        often()


def test_an_answer_that_makes_no_sense_is_none():
    before = number()
    with pytest.raises(worker.Died, match="makes no sense"):
        worker.ask("re:split", [b",", b"a,b"], ENOUGH, int)
    assert number() != before


def test_threads_take_turns():
    found = {}

    def ask(name):
        found[name] = [split(b"%d,%d" % (name, i)) for i in range(200)]

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [[b"%d" % n, b"%d" % i] for i in range(200)] for n in range(4)}


def test_a_fork_has_a_worker_of_its_own():
    before, (end, start) = number(), os.pipe()
    with warnings.catch_warnings():
        # Python warns of a fork in a process with threads; this child ends at once.
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        try:
            os.write(start, b"%d" % number())
            worker.end()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(end, 99)) not in (0, before)
    os.close(start)
    os.close(end)
    assert number() == before


#: A process whose worker loops forever, and which prints that worker's process number.
PARENT = """
from memxc import worker
allowance = worker.Allowance(300, 2**28)
worker.ask("re:split", [b",", b""], allowance, list)
print(worker._held.process.child.process.pid, flush=True)
{}
"""


def lives(stat: Path) -> bool:
    """Return whether a process is running; a zombie that waits for its parent is not."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
@pytest.mark.parametrize("call", [f"worker.ask('re:match', {SPIN}, allowance, list)", "input()"])
def test_it_ends_when_its_parent_is_killed(call):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(call)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    place = Path("/proc") / parent.stdout.readline().strip() / "stat"
    time.sleep(0.3)  # until it has started to work
    assert lives(place)
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 10
    while lives(place) and time.monotonic() < until:
        time.sleep(0.05)
    assert not lives(place)
