"""Ctrl-C and SIGTERM on real processes, in the middle of calls that take minutes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

#: Seconds: two are promised, a busy machine may take more; the calls take minutes.
PATIENCE = 12
CODES = ("number", "code")
INTERRUPT, OTHER = pytest.param(signal.SIGINT, 130, id="INT"), (signal.SIGTERM, 143)
SIGNALS = pytest.mark.parametrize(CODES, [INTERRUPT, pytest.param(*OTHER, id="TERM")])
#: Where a process has much to do before it is stopped, the other signal is in the slow run.
ONE_SIGNAL = pytest.mark.parametrize(
    CODES, [INTERRUPT, pytest.param(*OTHER, id="TERM", marks=pytest.mark.slow)]
)


def started(*command, **kwargs):
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs,
        # Behind a shell's & an interrupt is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip


def stopped(process, number):
    """Send a signal to a process, and return its exit code and standard error."""
    start = time.monotonic()
    process.send_signal(number)
    try:
        told, error = process.communicate(timeout=300)
    finally:
        process.kill()
    assert time.monotonic() - start < PATIENCE
    assert told == ""
    return process.returncode, error


def at_work(process, word, seconds):
    """Wait for a child with this word in its command line that has worked for some seconds."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for path in Path("/proc").glob("[0-9]*"):
            try:
                mine = word in (path / "cmdline").read_text()
                _, parent, *more = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            busy = int(more[9]) > seconds * os.sysconf("SC_CLK_TCK")
            if mine and busy and int(parent) == process.pid:
                return path
        time.sleep(0.1)
    raise AssertionError("nothing at work")


def ended(path):
    """Whether a process ends soon. A zombie has ended."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def wide(memxc, tmp_path):
    """One crossbar for which the engine needs minutes, in a single call."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(SIZE, SIZE // 2)).astype(np.float32), "w")
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "wide",
        [info("x", TensorProto.FLOAT, (1, SIZE))], [info("y", TensorProto.FLOAT, (1, SIZE // 2))],
        [weight],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "wide.onnx")
    made = memxc("compile", tmp_path / "wide.onnx", "-o", tmp_path / "out", "--tile", 2 * SIZE)
    assert made.code == 0
    return tmp_path / "out"


SIZE = 768


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
@ONE_SIGNAL
def test_verify_stops_while_the_engine_works(wide, tmp_path, number, code):
    (tmp_path / "tmp").mkdir()
    world = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    process = started("-m", "memxc", "verify", wide, "--count", 1, env=world)
    # More than the imports take.
    worker = at_work(process, "memxc.jobs", 1)
    assert stopped(process, number) == (code, "\n\nstopped.\n")
    assert ended(worker)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
@ONE_SIGNAL
def test_a_model_on_which_onnx_spins_and_holds_the_interpreter(tmp_path, number, code):
    (tmp_path / "tmp").mkdir()
    process = started("-m", "memxc", "check", spinning(tmp_path / "m.onnx"),
                      env={**os.environ, "TMPDIR": str(tmp_path / "tmp")})  # fmt: skip
    worker = at_work(process, "memxc.worker.serve", 1.5)
    assert stopped(process, number) == (code, "\n\nstopped.\n")
    assert ended(worker)
    assert list((tmp_path / "tmp").iterdir()) == []


def spinning(path):
    """A term with a single dot, for which ONNX's inference never ends."""
    info = helper.make_tensor_value_info
    einsum = helper.make_node("Einsum", ["x"], ["y"], equation="a.bc->abc")
    graph = helper.make_graph(
        [einsum], "spin",
        [info("x", TensorProto.FLOAT, (1, 2, 3))], [info("y", TensorProto.FLOAT, None)],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@SIGNALS
@pytest.mark.parametrize("command", [["-m", "memxc"], ["-c", "from memxc.cli import main; main()"]])
def test_a_signal_while_the_command_line_is_imported(tmp_path, command, number, code):
    """Before memxc can print a message, it prints nothing."""
    (tmp_path / "click.py").write_text(
        "import sys, time\nprint('ready', file=sys.stderr, flush=True)\ntime.sleep(300)\n"
    )
    process = started(*command, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert process.stderr.readline() == "ready\n"
    assert stopped(process, number) == (code, "")


#: A command that imports a library which loses an exception that is not its own.
IMPORTING = """
import sys, time
from memxc.cli import _stop
_stop.listen()
try:
    import careless
    time.sleep(300)
except KeyboardInterrupt as error:
    assert "careless" in sys.modules, "cut short"
    sys.exit(_stop.code(error))
"""
CARELESS = """
import sys, time
print("ready", file=sys.stderr, flush=True)
for _ in range(10):
    try:
        time.sleep(0.05)
    except BaseException:
        pass
"""


@SIGNALS
def test_a_signal_within_an_import_waits_for_its_end(tmp_path, number, code):
    (tmp_path / "careless.py").write_text(CARELESS)
    process = started("-c", IMPORTING, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert process.stderr.readline() == "ready\n"
    assert stopped(process, number) == (code, "")


#: A command within one call of a library, which lets other threads run and never comes back: it
#: locks a mutex of C for the second time.
AT_WORK = """
import ctypes, sys
from memxc.cli import _stop
_stop.listen()
_stop.left = "; some is left"
lock, mutex = ctypes.CDLL(None).pthread_mutex_lock, ctypes.create_string_buffer(128)
lock(mutex)
print("ready", file=sys.stderr, flush=True)
lock(mutex)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a mutex of zeros is none")
@ONE_SIGNAL
def test_a_command_stops_while_a_library_does_not_return(number, code):
    process = started("-c", AT_WORK)
    assert process.stderr.readline() == "ready\n"
    time.sleep(2)  # until it is in the call, and not before it
    assert stopped(process, number) == (code, "\nstopped; some is left.\n")


#: A command that is stopped, and takes longer to tidy up than one has that hears of nothing.
TIDY = """
import sys, time
from memxc.cli import _stop
_stop.listen()
try:
    print("ready", file=sys.stderr, flush=True)
    time.sleep(300)
except KeyboardInterrupt as error:
    time.sleep({seconds})
    sys.exit(_stop.code(error))
"""


@ONE_SIGNAL
def test_a_command_that_handles_the_signal_has_time_to_clean_up(number, code):
    process = started("-c", TIDY.format(seconds=4))
    assert process.stderr.readline() == "ready\n"
    assert stopped(process, number) == (code, "")


@ONE_SIGNAL
def test_a_second_signal_ends_the_command_at_once(number, code):
    process = started("-c", TIDY.format(seconds=300))
    assert process.stderr.readline() == "ready\n"
    process.send_signal(number)
    time.sleep(2)
    assert stopped(process, number) == (code, "\nstopped.\n")


def test_an_ignored_interrupt_stays_ignored():
    code = "from memxc.cli import _stop; import signal, os; _stop.listen(); " \
           "os.kill(os.getpid(), signal.SIGINT); print('on')"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    assert done.stdout == "on\n"
