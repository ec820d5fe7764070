"""Crossbars of nonlinear cells with wires: Newton's method, for all vectors of a batch at once.

The unknowns are the volts w across the cells. Kirchhoff's voltage law along the two lines of every
cell reads

    w + M i(w) = w0         i(w): currents of the cells
                            M:    ohms that the currents of two cells have in common on a line
                            w0:   volts across the cells if they carried no current

and his current law holds by construction. M consists of two small matrices, one along word lines
and one along bit lines. No 1/r is ever formed, so wires of 0 ohm are exact: then w = w0.

A Newton step d solves d + M i'(w) d = -(w + M i(w) - w0) by conjugate gradients; for n x n cells
each of those takes 4 n^3 flops. 15 of them are enough if the wires take a fifth of the volts, 30 if
they take three fifths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail
from memxc.ir.stages import Drive
from memxc.physics.device.iv_laws import Law
from memxc.physics.network.nodal import WireResistance
from memxc.physics.network.threads import in_threads

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

#: Cells times points in memory at once, for each thread (about 20 numbers each).
_CELLS = 1 << 15
#: Error of Kirchhoff's law, relative to the largest volts: the goal, and the largest one accepted.
_WANTED, _TOLERANCE = 1e-12, 1e-10
#: The most Newton steps, halvings of one step, and steps of conjugate gradients within one step.
_STEPS, _HALVINGS, _GRADIENTS = 60, 12, 1000


def currents(
    g: Floats,
    law: Law,
    wires: WireResistance,
    volts: Floats,
    drive: Drive = "left",
    ends: Floats | None = None,
    threads: int | None = None,
) -> Floats:
    """Return amperes out of the bit-line ends of crossbars of nonlinear cells.

    The result is (n, points, columns). g: (n, rows, columns) S; 0 S is an open cell. volts: (n or
    1, points, rows) at the sources. ends: (n or 1, points, columns) volts at the bit-line ends,
    which an amplifier of finite gain does not hold at 0 V; None means 0 V. The work is spread over
    `threads` (None: one a core).

    Raises MemxcError (bad-target) if a cell leaves the volts at which its law was measured, and
    AssertionError for conductances or volts that are not possible, or if the answer misses
    Kirchhoff's voltage law by more than 1e-10 of the largest volts.
    """
    # Written with `all`, so that a nan fails too.
    assert ((g >= 0) & (g < np.inf)).all(), "a conductance is negative or not finite"
    n, rows, columns = g.shape
    points = volts.shape[1]
    held = np.zeros((1, points, columns)) if ends is None else ends
    assert np.isfinite(volts).all(), "volts at a source are not finite"
    assert np.isfinite(held).all(), "volts at a bit line are not finite"
    volts = np.broadcast_to(volts, (n, points, rows)).reshape(-1, rows, 1)
    held = np.broadcast_to(held, (n, points, columns)).reshape(-1, 1, columns)
    lines = _lines(rows, columns, wires, drive)
    answer = np.empty((n * points, columns))

    def work(at: slice) -> None:
        cells = g[np.arange(n * points)[at] // points]
        circuit = _Circuit(cells, law, lines, volts[at] - held[at])
        answer[at] = _solve(circuit).sum(axis=1)

    in_threads(work, n * points, max(1, _CELLS // (rows * columns)), threads)
    return answer.reshape(n, points, columns)


@dataclass(frozen=True, eq=False)
class _LatticeLines:
    """Ohms that two cells share: (columns, columns) on a word line, (rows, rows) on a bit line."""

    word: Floats
    bit: Floats

    def drops(self, amperes: Floats) -> Floats:
        """Return the volts that wires take from each cell, for currents (..., rows, columns)."""
        return amperes @ self.word + self.bit @ amperes


def _lines(rows: int, columns: int, wires: WireResistance, drive: Drive) -> _LatticeLines:
    near = wires.source + wires.word_line * np.arange(1, columns + 1)
    word = np.minimum.outer(near, near)
    if drive == "both" and near[0]:
        # The resistance left of both cells, in parallel with the resistance from there to the right
        # source.
        word = word * word[::-1, ::-1] / (near[0] + near[-1])
    bit = wires.neuron + wires.bit_line * np.arange(rows, 0, -1)
    return _LatticeLines(word, np.minimum.outer(bit, bit))


@dataclass(frozen=True, eq=False)
class _State:
    """Cells at some volts (m, rows, columns), with the error of Kirchhoff's voltage law.

    gap: the error in volts at each cell. missed: (m,) the largest error, relative to the largest
    volts of the circuit.
    """

    volts: Floats
    amperes: Floats
    slope: Floats
    gap: Floats
    missed: Floats

    def only(self, keep: NDArray[np.bool_]) -> _State:
        parts = self.volts, self.amperes, self.slope, self.gap, self.missed
        return _State(*(part[keep] for part in parts))


@dataclass(frozen=True, eq=False)
class _Circuit:
    """Crossbars (m, rows, columns), and the volts of their cells if these carried no current."""

    g: Floats
    law: Law
    lines: _LatticeLines
    open_volts: Floats

    def only(self, keep: NDArray[np.bool_]) -> _Circuit:
        return _Circuit(self.g[keep], self.law, self.lines, self.open_volts[keep])

    def at(self, volts: Floats) -> _State:
        amperes, slope = self.law(self.g, volts)
        gap = volts + self.lines.drops(amperes) - self.open_volts
        # The volts of an open cell do not matter, because it carries no current.
        gap[self.g == 0] = 0.0
        scale = np.abs(self.open_volts).max(axis=(1, 2))
        missed = np.abs(gap).max(axis=(1, 2)) / np.where(scale, scale, 1.0)
        return _State(volts, amperes, slope, gap, missed)


def _solve(circuit: _Circuit) -> Floats:
    """Return the amperes of the cells, (m, rows, columns)."""
    whole, left = circuit, np.arange(len(circuit.g))
    now = circuit.at(np.broadcast_to(circuit.open_volts, circuit.g.shape))
    volts, amperes, missed = now.volts.copy(), now.amperes.copy(), now.missed.copy()
    for _ in range(_STEPS):
        # Written with `~`, so that a nan goes on and fails the assertion below.
        going = ~(now.missed <= _WANTED)
        if not going.any():
            break
        left, circuit, now = left[going], circuit.only(going), now.only(going)
        now = _stepped(circuit, now)
        volts[left], amperes[left], missed[left] = now.volts, now.amperes, now.missed
    assert (missed <= _TOLERANCE).all(), "a crossbar of nonlinear cells is not solved"
    _check_reach(whole.law, volts[whole.g > 0])
    return amperes


def _stepped(circuit: _Circuit, now: _State) -> _State:
    """Make one Newton step, halved while the full step increases the error."""
    step = _step(circuit.lines, now)
    share = np.ones((len(now.volts), 1, 1))
    for _ in range(_HALVINGS):
        new = circuit.at(now.volts + share * step)
        away = ~(new.missed < now.missed)
        if not away.any():
            break
        share[away] /= 2
    return new


def _step(lines: _LatticeLines, now: _State) -> Floats:
    """Return the volts d of a Newton step, d + M (i' d) = -gap, by conjugate gradients.

    The unknown is y = sqrt(i') d, for which the matrix is symmetric. Single precision is enough,
    because the next step corrects what this one lacks. Close to the solution a step is to square
    the gap, far from it a tenth of the gap will do.
    """
    loss = np.clip(now.missed, 1e-5, 0.1)
    unit = np.abs(now.gap).max(axis=(1, 2), keepdims=True)
    root = np.sqrt(now.slope, dtype=np.float32)
    word, bit = lines.word.astype(np.float32), lines.bit.astype(np.float32)
    residual = -root * (now.gap / unit).astype(np.float32)
    solution, direction = np.zeros_like(residual), residual
    size = _dot(residual, residual)
    goal = loss.astype(np.float32) ** 2 * size
    for _ in range(_GRADIENTS):
        if (size <= goal).all():
            break
        weighted = root * direction
        answer = direction + root * (weighted @ word + bit @ weighted)
        length = _ratio(size, _dot(direction, answer))
        solution = solution + length * direction
        residual = residual - length * answer
        smaller = _dot(residual, residual)
        direction = residual + _ratio(smaller, size) * direction
        size = smaller
    volts = np.divide(solution, root, out=np.zeros_like(solution), where=root > 0)
    return np.asarray(unit * volts)


def _dot(a: Singles, b: Singles) -> Singles:
    return np.asarray(np.einsum("kij,kij->k", a, b))


def _ratio(a: Singles, b: Singles) -> Singles:
    """Return a / b for each circuit, and 0 for one that is solved to the last digit."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)[:, None, None]


def _check_reach(law: Law, volts: Floats) -> None:
    low, high = law.reach
    least, most = volts.min(initial=0.0), volts.max(initial=0.0)
    if least < low or most > high:
        what = f"measured from {low:g} to {high:g} V, a cell has {least:g} to {most:g} V"
        raise fail("bad-target", "device.iv_csv", what, "measure further, or limit the volts")
