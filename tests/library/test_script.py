"""The example: a script without a main guard, whose engine runs in processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "library.py"


def test_the_seven_commands_as_a_script(model, tmp_path):
    assert len(EXAMPLE.read_text("utf-8").splitlines()) <= 15
    samples = model.with_suffix(".samples.npz")
    command = [sys.executable, EXAMPLE, model, samples, tmp_path / "out", tmp_path / "twin.onnx"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert first.startswith("<memxc.Build 'net' for hfox-128: ")
    assert second == f"verify True lvs True {tmp_path / 'out'}"
    assert third.startswith("scores [0.")
    assert (tmp_path / "out" / "manifest.json").is_file()
    assert (tmp_path / "twin.onnx").stat().st_size > 1000
