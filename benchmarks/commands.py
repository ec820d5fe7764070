"""Measure the time of whole commands: `memxc --help`, and compiling the reference network.

python benchmarks/commands.py [MODEL.onnx]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5


def main() -> None:
    root = Path(__file__).parent.parent
    model = sys.argv[1] if len(sys.argv) > 1 else str(root / "models" / "msccnn_fashion.onnx")
    memxc = [sys.executable, "-m", "memxc"]
    with tempfile.TemporaryDirectory() as folder:
        show("memxc --help", [*memxc, "--help"])
        show("python -c 'import numpy'", [sys.executable, "-c", "import numpy"])
        show(
            f"memxc compile {Path(model).name}",
            [*memxc, "compile", model, "-o", f"{folder}/out", "--force", "--quiet"],
        )


def show(name: str, command: list[str]) -> None:
    seconds = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    # The first run fills the disk cache and writes the byte code.
    timed = sorted(seconds[1:])
    print(f"{name:40} {statistics.median(timed):6.3f} s  ({timed[0]:.3f} to {timed[-1]:.3f})")


if __name__ == "__main__":
    main()
