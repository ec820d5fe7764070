"""Measure time and memory of reports of ImageNet networks: onnx's own nine light graphs.

    python benchmarks/light.py [NAME ...]

Prints seconds of wall-clock time, seconds of processor time and the peak of memory of
`memxc compile --report-only` in a process of its own, one thread. The weights in these
files are constant. If all crossbars differ, counting takes longer, with the same memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import onnx

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def main() -> None:
    found = {path.stem.removeprefix("light_"): path for path in sorted(LIGHT.glob("light_*.onnx"))}
    names = sys.argv[1:] or list(found)
    print(f"{'network':16}{'seconds':>9}{'processor':>11}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            wall, processor, megabytes = measured(found[name], Path(folder) / name)
            print(f"{name:16}{wall:9.1f}{processor:11.1f}{megabytes:9.0f}", flush=True)


def measured(model: Path, out: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and megabytes of one report."""
    command = [sys.executable, "-m", "memxc", "compile", model, "-o", out, "--report-only"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*map(str, command), "--quiet"], env=os.environ | THREADS, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{model.name}: memxc failed with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
