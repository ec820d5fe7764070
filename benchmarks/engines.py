"""Measure how fast the SPICE engines solve a crossbar with wires, side by side.

    python benchmarks/engines.py [ROWSxCOLUMNS ...]

A crossbar with 1 ohm segments and an op-amp behind each bit line is swept over as many points as
`memxc verify --wire` needs: all inputs at 0 V, each input alone, and four more. Prints the
processor time of each installed engine, the ratio to the fastest, and the error against a direct
sparse solution. An engine that took over a minute for one size is not asked for the next.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from numpy.typing import NDArray

from memxc import engines
from memxc.physics.network import admittance
from memxc.physics.network.nodal import WireResistance
from memxc.verify.library import wired

Floats = NDArray[np.float64]

WIRES = WireResistance(source=1.0, word_line=1.0, bit_line=1.0, neuron=1.0)
SECONDS, PROBES, R_F = 60.0, 4, 1e4


def main() -> None:
    sizes = [size.split("x") for size in sys.argv[1:] or ("16x32", "32x64")]
    left = [name for name in engines.names() if engines.get(name).version()]
    for rows, columns in ((int(rows), int(columns)) for rows, columns in sizes):
        g = np.random.default_rng(0).uniform(1e-6, 1e-4, (rows, columns))
        probes = np.random.default_rng(1).uniform(-0.2, 0.2, (PROBES, rows))
        volts = np.concatenate([np.zeros((1, rows)), 0.2 * np.eye(rows), probes])
        wanted = -R_F * volts @ admittance.port_admittance(g[None], WIRES).t[0]
        print(f"{rows} x {columns}, 1 ohm a segment, {len(volts)} points")
        took = {name: timed(name, g, volts, wanted) for name in left}
        least = min(seconds for seconds, _ in took.values())
        for name, (seconds, error) in took.items():
            print(f"  {name:10} {seconds:9.2f} s  {seconds / least:7.1f} x  error {error:.0e}")
        left = [name for name in left if took[name][0] < SECONDS]


def timed(name: str, g: Floats, volts: Floats, wanted: Floats) -> tuple[float, float]:
    """Processor seconds of an engine, and its largest error relative to the largest volts."""
    nets = [f"o{j}" for j in range(g.shape[1])]
    start = clock()
    found = engines.get(name).sweep(deck(g, volts), nets, len(volts))
    return clock() - start, float(np.abs(found - wanted).max() / np.abs(wanted).max())


def clock() -> float:
    """Seconds of processor time of this process and of the programs that it ran."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def deck(g: Floats, volts: Floats) -> str:
    rows, columns = g.shape
    cards = ["* crossbar", "vk k 0 0", wired("xb0", g, WIRES).rstrip()]
    for i, column in enumerate(volts.T):
        pairs = [f"{k},{value:.12e}" for k, value in enumerate(column)]
        cards.append(f"b{i} i{i} 0 v=pwl(v(k),\n+ " + ",\n+ ".join(pairs) + ")")
    nets = [*(f"i{i}" for i in range(rows)), *(f"m{j}" for j in range(columns))]
    cards.append("x1 " + "\n+ ".join(nets) + " xb0")
    for j in range(columns):
        cards += [f"v{j} m{j} 0 0", f"h{j} o{j} 0 v{j} {-R_F}"]
    return "\n".join(cards) + "\n"


if __name__ == "__main__":
    main()
