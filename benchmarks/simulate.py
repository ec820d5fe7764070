"""Measure the reference network on wired crossbars over a whole test set, in fresh processes.

python benchmarks/simulate.py [DATA.npz]

DATA has x (pictures) and y (labels). Without it the network's own samples are repeated up to
10,000: the time is the same, and the score has no meaning.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

PICTURES = 10_000
ROUNDS = 3
NO_WIRES = ("--set", "wire.r_word_line=0", "--set", "wire.r_bit_line=0")
VARIED = ("--set", "device.sigma=0.1")
CIRCUITS = {
    "no wires": NO_WIRES,
    "1 ohm a segment": (),
    "10 ohm a segment": ("--set", "wire.r_word_line=10", "--set", "wire.r_bit_line=10"),
    "1 ohm, a draw for every placed crossbar": VARIED,
    "1 ohm, a draw a definition": (*VARIED, "--draw-per", "definition"),
    "no wires, cells with a sinh curve": (
        *NO_WIRES, "--set", "device.iv=sinh", "--set", "device.sinh_v0=0.25"
    ),
}  # fmt: skip


def main() -> None:
    model = Path(__file__).parent.parent / "models" / "msccnn_fashion.onnx"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        data = Path(sys.argv[1]) if len(sys.argv) > 1 else repeated(model, Path(folder))
        run(["compile", str(model), "-o", str(out), "--quiet"])
        for title, more in CIRCUITS.items():
            seconds, mean = timed(out, data, more)
            print(f"{title:42} {seconds:6.2f} s  {100 * mean:6.2f} %", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {peak:,.0f} MiB")


def timed(out: Path, data: Path, more: Sequence[str]) -> tuple[float, float]:
    """Seconds of the fastest round, and the circuit's mean score."""
    seconds, said = [], ""
    for _ in range(ROUNDS):
        # So that no result of the round before is used.
        (out / "simulate" / "results.jsonl").unlink(missing_ok=True)
        start = time.perf_counter()
        said = run(["simulate", str(out), "--data", str(data), *more, "--json"])
        seconds.append(time.perf_counter() - start)
    (row,) = json.loads(said)["rows"]
    return min(seconds), row["mean"]


def repeated(model: Path, folder: Path) -> Path:
    held = np.load(model.with_suffix("").with_suffix(".samples.npz"))
    times = -(-PICTURES // len(held["x"]))
    x = np.tile(held["x"], (times, 1, 1, 1))[:PICTURES]
    np.savez(folder / "data.npz", x=x, y=np.tile(held["y"], times)[:PICTURES])
    return folder / "data.npz"


def run(words: Sequence[str]) -> str:
    """What memxc prints, in a process of its own."""
    command = [sys.executable, "-m", "memxc", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
