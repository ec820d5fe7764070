"""Write a test bench for the netlist in DIR: its first sample in, the operating point out.

    python examples/bench.py build/m > build/bench.cir
    ngspice -b build/bench.cir

What is driven and read, and at how many volts, is what the head of the netlist says. Where an
output stays digital, what is printed are the values that it is computed from: the logits of a
softmax. Only for circuits of parallel stages: the word lines of sequential ones take turns, as
DIR/schedule.csv says, and one operating point is one turn.
"""

import re
import sys
from pathlib import Path

import numpy as np

PORT = re.compile(
    r"\* (input|output) (\d+), lanes (\d+) to (\d+): (\w+) to (\w+), (\S+) V a unit"
    r"(?:, clipped at (\S+) V)?(?:, before (\S+))?"
)
SUPPLY = re.compile(r"\* supply, driven by the test bench: (\w+) at (\S+) V")


def nets(first, last):
    """All nets from n0_3 to n0_19."""
    bus, _, begin = first.rpartition("_")
    return [f"{bus}_{lane}" for lane in range(int(begin), int(last.rpartition("_")[2]) + 1)]


def bench(folder):
    """Yield the lines of the bench."""
    turns = (folder / "schedule.csv").read_text().count("\n") - 1
    if turns:
        sys.exit(
            f"bench.py: {folder} has sequential stages: their places take turns, in {turns} rows "
            "of schedule.csv, which one operating point cannot show. Compile with --schedule "
            "parallel, or let memxc verify simulate it."
        )
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
            kind, number, begin, end, first, last, scale, clip, digital = found.groups()
            if kind == "output":
                if digital:
                    yield f"* output {number} is computed by {digital}: what is printed goes there"
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
