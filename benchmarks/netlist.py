"""Measure how fast memxc, a plain Python loop and raw bytes write crossbar netlists.

    python benchmarks/netlist.py [DEFINITIONS]

Prints seconds, device lines a second and ratios, measured side by side, interleaved, in one run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from memxc.backends.netlist import body
from memxc.ir.deck import Grids
from memxc.ir.windows import ints

ROWS, COLUMNS, ROUNDS = 127, 128, 5


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    g = 1 / np.random.default_rng(0).uniform(1e4, 1e6, (count, ROWS * COLUMNS))
    cell = ints(np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS))
    grids = Grids(tuple(f"xb{i}" for i in range(count)), g, cell)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.cir"
        memxc(path, grids)
        size = path.stat().st_size
        ways: dict[str, Callable[[], None]] = {
            "raw bytes": lambda: raw(path, size),
            "memxc": lambda: memxc(path, grids),
            "python loop": lambda: loop(path, grids),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - start)
    lines = count * ROWS * COLUMNS
    print(f"{lines:,} device lines, {size / 1e6:.0f} MB, median of {ROUNDS}")
    base = statistics.median(times["memxc"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(
            f"  {name:12} {median:7.3f} s  {lines / median / 1e6:7.2f} M lines/s  "
            f"{median / base:6.2f} x memxc"
        )


def memxc(path: Path, grids: Grids) -> None:
    with path.open("wb") as file:
        file.writelines(body.definitions(grids))


def raw(path: Path, size: int) -> None:
    block = bytes(1 << 24)
    with path.open("wb", buffering=0) as file:
        for first in range(0, size, len(block)):
            file.write(block[: size - first])


def loop(path: Path, grids: Grids) -> None:
    with path.open("w") as file:
        for name, g in zip(grids.names, grids.g, strict=True):
            file.write(f".subckt {name}\n")
            for row in range(ROWS):
                for column in range(COLUMNS):
                    ohm = 1 / g[grids.cell[row, column]]
                    file.write(f"R{row:03d}_{column:03d} w{row:03d} c{column:03d} {ohm:.9e}\n")
            file.write(f".ends {name}\n")


if __name__ == "__main__":
    main()
