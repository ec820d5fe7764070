"""Write a test bench for the netlist in DIR: its first sample in, the operating point out.

    python examples/bench.py build/m > build/bench.cir
    ngspice -b build/bench.cir

What is driven and read, and at how many volts, is what the head of the netlist says. For circuits
of parallel stages: the word lines of sequential ones take turns, as DIR/schedule.csv says.
"""

import re
import sys
from pathlib import Path

import numpy as np

PORT = re.compile(
    r"\* (input|output) (\d+), lanes (\d+) to (\d+): (\w+) to (\w+), (\S+) V a unit"
    r"(?:, clipped at (\S+) V)?"
)
SUPPLY = re.compile(r"\* supply, driven by the test bench: (\w+) at (\S+) V")


def nets(first, last):
    """All nets from n0_3 to n0_19."""
    bus, _, begin = first.rpartition("_")
    return [f"{bus}_{lane}" for lane in range(int(begin), int(last.rpartition("_")[2]) + 1)]


def bench(folder):
    """Yield the lines of the bench."""
    top = next((folder / "netlist").glob("*.cir")).resolve()
    samples = np.load(folder / "samples.npz")
    inputs = [samples[name][0].ravel() for name in samples.files if name != "y"]
    yield f"* the first sample of {folder.name}"
    yield f'.include "{top}"'
    read = []
    for line in top.open():
        if found := SUPPLY.match(line):
            yield f"v{found[1]} {found[1]} 0 {found[2]}"
        elif found := PORT.match(line):
            kind, number, begin, end, first, last, scale, clip = found.groups()
            if kind == "output":
                read += [f"v({net})/{scale}" for net in nets(first, last)]
                continue
            volts = inputs[int(number) - 1][int(begin) : int(end) + 1] * float(scale)
            if clip:
                volts = volts.clip(-float(clip), float(clip))
            for net, value in zip(nets(first, last), volts, strict=True):
                yield f"v{net} {net} 0 {value:.9e}"
    yield from (".control", "op", *(f"print {each}" for each in read), "quit", ".endc", ".end")


if __name__ == "__main__":
    print(*bench(Path(sys.argv[1])), sep="\n")
