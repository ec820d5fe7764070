"""Measure how fast memxc and other solvers solve a crossbar with wires, on one core.

    python benchmarks/crossbar.py [SIZE ...]

All inputs are solved at once. Prints the processor time of the fastest round, and ratios to memxc.
`pip install pyklu` and `pip install badcrossbar` (which needs cairo's headers) add two rows. The
times of badcrossbar and the SPICE engine include assembling the matrix; the others do not.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import neospice
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csc_array, csc_matrix, diags_array, eye_array, kron
from scipy.sparse.linalg import splu
from threadpoolctl import threadpool_limits

from memxc.physics.network import admittance
from memxc.physics.network.nodal import WireResistance
from memxc.verify.library import wired

Floats = NDArray[np.float64]

#: The circuit of badcrossbar: only segments, driven at the first column, read after the last row.
WIRES = WireResistance(source=0.0, word_line=1.0, bit_line=1.0, neuron=0.0)
ROUNDS, SECONDS, TILES = 15, 3.0, 16


def main() -> None:
    logging.disable(logging.INFO)  # badcrossbar tells every step
    for size in map(int, sys.argv[1:] or ("128", "256")):
        g = np.random.default_rng(0).uniform(1e-6, 1e-4, (TILES, size, size))
        with threadpool_limits(1):
            one_core(size, g[0])
        all_cores(size, g)


def one_core(size: int, g: Floats) -> None:
    ours = least(lambda: admittance.port_admittance(g[None], WIRES, threads=1))
    print(f"{size} x {size}, 1 ohm a segment, one core, least of up to {ROUNDS} rounds")
    row("memxc: t, y_in and y_out", ours, ours)
    t = admittance.port_admittance(g[None], WIRES).t[0]
    for name, way in others(g):
        error = np.abs(way() - t).max() / np.abs(t).max()
        row(name, least(way), ours, f"  t differs by {error:.0e}")
    row("neospice, one input", least(spice(g)), ours)
    product = least(lambda: g @ g, inner=100)
    print(f"  one {size} x {size} matrix product {product * 1e3:.3f} ms: memxc takes", end=" ")
    print(f"{ours / product:.0f} of them, {ours / product / size:.2f} x {size}")


def all_cores(size: int, g: Floats) -> None:
    seconds = {
        threads: least(
            lambda n=threads: admittance.port_admittance(g, WIRES, threads=n), time.perf_counter
        )
        for threads in (1, None)
    }
    print(
        f"  {TILES} tiles: {seconds[1]:.3f} s on one core, {seconds[None]:.3f} s on all of them\n"
    )


def row(name: str, seconds: float, ours: float, note: str = "") -> None:
    print(f"  {name:26} {seconds * 1e3:10.2f} ms  {seconds / ours:8.2f} x memxc{note}")


def least(
    way: Callable[[], object], clock: Callable[[], float] = time.process_time, inner: int = 1
) -> float:
    """Seconds of the fastest round, because other load on the machine can only add time."""
    found: list[float] = []
    while len(found) < 2 or (len(found) < ROUNDS and inner * sum(found) < SECONDS):
        start = clock()
        for _ in range(inner):
            way()
        found.append((clock() - start) / inner)
    return min(found)


def others(g: Floats) -> Iterator[tuple[str, Callable[[], Floats]]]:
    """Solvers that give all transfers (rows, columns) of g, each with as many right-hand sides."""
    matrix = nodal(g)

    def superlu() -> Floats:
        options = {"SymmetricMode": True}
        factors = splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
        return ends(factors.solve, *g.shape)

    yield "scipy splu", superlu
    if find_spec("PyKLU"):
        from PyKLU import Klu  # noqa: PLC0415

        yield "KLU (pyklu)", lambda: ends(Klu(csc_matrix(matrix)).solve, *g.shape)
    if find_spec("badcrossbar"):
        import badcrossbar  # noqa: PLC0415

        quiet = {"node_voltages": False, "all_currents": False}
        yield (
            "badcrossbar",
            lambda: badcrossbar.compute(np.eye(len(g)), 1 / g, r_i=1.0, **quiet).currents.output,
        )


def nodal(g: Floats) -> csc_array:
    """Siemens between the nodes of the word lines, row by row, then those of the bit lines."""
    rows, columns = g.shape
    word, bit = (chain(n) for n in (columns, rows))
    cells = diags_array(g.reshape(-1))
    words = kron(eye_array(rows), word) / WIRES.word_line + cells
    bits = kron(bit[::-1, ::-1], eye_array(columns)) / WIRES.bit_line + cells
    return csc_array(block_array([[words, -cells], [-cells, bits]]))


def chain(nodes: int) -> csc_array:
    """Unit conductances in a row, the first from ground, nothing beyond the last node."""
    middle = np.full(nodes, 2.0)
    middle[-1] = 1.0
    off = np.full(nodes - 1, -1.0)
    return csc_array(diags_array([off, middle, off], offsets=[-1, 0, 1]))


def ends(solve: Callable[[Floats], Floats], rows: int, columns: int) -> Floats:
    """Transfers from a solve for each bit line's end."""
    cells, at = rows * columns, np.arange(columns)
    currents = np.zeros((2 * cells, columns), order="F")
    currents[2 * cells - columns + at, at] = 1 / WIRES.bit_line
    return solve(currents)[:cells:columns] / WIRES.word_line


def spice(g: Floats) -> Callable[[], object]:
    """One input through a SPICE engine, from the netlist's text on."""
    rows, columns = g.shape
    volts = np.random.default_rng(1).uniform(0, 0.2, rows)
    cards = ["* one input", wired("xb0", g, WIRES)]
    cards += [f"v{i} i{i} 0 {v:.9e}" for i, v in enumerate(volts)]
    cards += [f"vb{j} b{j} 0 0" for j in range(columns)]
    words = [*(f"i{i}" for i in range(rows)), *(f"b{j}" for j in range(columns))]
    text = "\n".join([*cards, "x0 " + " ".join(words) + " xb0", ".op", ".end"])
    simulator = neospice.Simulator()
    return lambda: simulator.run_dc(simulator.parse(text))


if __name__ == "__main__":
    main()
