"""The results of simulate: each line has a checksum, and one command runs in a folder at a time."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time

import numpy as np
import pytest

from memxc.build_folder import read

MEMXC = sys.executable, "-m", "memxc"


@pytest.fixture
def out(memxc, model, tmp_path):
    place = tmp_path / "out"
    assert memxc("compile", model, "-o", place, "--quiet").code == 0
    return place


@pytest.fixture
def data(tmp_path):
    x = np.random.default_rng(5).uniform(-1, 1, (5, 2, 6, 5))
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(5) % 4)
    return tmp_path / "data.npz"


def _lines(out):
    return (out / "simulate" / "results.jsonl").read_text().splitlines()


@pytest.mark.parametrize("edit", [{"value": 0.125}, {"seed": [1, 0]}, {"check": "0" * 64}])
def test_a_line_changed_by_hand_is_told_and_is_no_result(memxc, out, data, edit):
    args = "--data", data, "--set", "device.sigma=0.3"
    found = memxc("simulate", out, *args, "--json").json
    path = out / "simulate" / "results.jsonl"
    first, second = (json.loads(line) for line in _lines(out))
    assert "target" in second
    changed = json.dumps({**second, **edit})
    path.write_text(f"{json.dumps(first)}\n{changed}\n")
    done = memxc("simulate", out, *args, "--json")
    assert done.code == 0
    assert done.json["rows"] == found["rows"]
    (warning,) = done.json["warnings"]
    assert warning in done.err
    assert warning.startswith(f"{path}: lines changed or cut since simulate wrote them (2)")
    assert _lines(out)[1] == changed
    assert len(_lines(out)) == 3


def test_a_second_simulate_waits_for_the_first(out, data):
    with (
        read.locked(out, print),
        subprocess.Popen(
            [*MEMXC, "simulate", out, "--data", data], stderr=subprocess.PIPE, text=True
        ) as second,
    ):
        said = second.stderr.readline()
        time.sleep(0.2)
        assert second.poll() is None
        assert not (out / "simulate").exists()
        second.kill()
    assert said == f"another memxc uses {out}: waiting for it\n"


def test_a_lock_ends_with_its_process(out):
    code = (
        "import sys, time; from pathlib import Path; from memxc.build_folder import read\n"
        "with read.locked(Path(sys.argv[1]), print): print('in', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "in\n"
        holder.kill()
        holder.wait()
        told = []
        with read.locked(out, told.append):
            assert told == []


def test_a_file_system_without_locks_is_told(out, monkeypatch):
    def refuse(place, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    told = []
    with read.locked(out, told.append):
        assert told == [f"{out} cannot be locked (No locks available): start no other memxc in it"]
