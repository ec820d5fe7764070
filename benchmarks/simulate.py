"""The reference network's accuracy on wired crossbars over a whole test set, from a fresh process.

python benchmarks/simulate.py [DATA.npz]

DATA holds x (pictures) and y (labels). Without it the network's own samples are repeated up to
10,000: the score then says nothing, the time is the same.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PICTURES = 10_000
ROUNDS = 3


def main() -> None:
    model = Path(__file__).parent.parent / "models" / "msccnn_fashion.onnx"
    memxc = [sys.executable, "-m", "memxc"]
    with tempfile.TemporaryDirectory() as folder:
        data = sys.argv[1] if len(sys.argv) > 1 else repeated(model, Path(folder) / "data.npz")
        out = f"{folder}/out"
        run([*memxc, "compile", str(model), "-o", out, "--quiet"])
        simulate = [*memxc, "simulate", out, "--data", str(data)]
        for title, more in (
            ("1 ohm a segment", []),
            ("10 ohm a segment", ["--set", "wire.r_word_line=10", "--set", "wire.r_bit_line=10"]),
            ("no wires", ["--set", "wire.r_word_line=0", "--set", "wire.r_bit_line=0"]),
            ("1 ohm, a draw for every placed crossbar", ["--set", "device.sigma=0.1"]),
            ("1 ohm, a draw a definition",
             ["--set", "device.sigma=0.1", "--draw-per", "definition"]),
        ):  # fmt: skip
            seconds, said = [], ""
            for _ in range(ROUNDS):
                # Nothing is taken from the results of the round before.
                (Path(out) / "simulate" / "results.jsonl").unlink(missing_ok=True)
                start = time.perf_counter()
                said = run([*simulate, *more])
                seconds.append(time.perf_counter() - start)
            row = next(line for line in said.splitlines() if line.startswith("as compiled"))
            print(f"{title:42} {min(seconds):6.2f} s  {' '.join(row.split())}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {peak:,.0f} MiB")


def repeated(model: Path, path: Path) -> Path:
    held = np.load(model.with_suffix("").with_suffix(".samples.npz"))
    times = -(-PICTURES // len(held["x"]))
    x = np.tile(held["x"], (times, 1, 1, 1))[:PICTURES]
    np.savez(path, x=x, y=np.tile(held["y"], times)[:PICTURES])
    return path


def run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
