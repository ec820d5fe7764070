"""Crossbars of nonlinear cells, wires and all: Newton's method, every vector of a batch at once.

The unknowns are the volts w across the cells. With i(w) their currents, M the ohms that two cells
share along a line and w0 the volts of cells that carry nothing, Kirchhoff's voltage law reads
w + M i(w) = w0; his current law holds by itself. M is two small matrices, one along word lines and
one along bit lines, and no 1/r is ever formed: wires of 0 ohm are exact, and then w = w0. A Newton
step is solved by conjugate gradients; for n x n cells each of those takes 4 n^3 flops, and 15 of
them do for drops of a fifth of the volts, 30 for three fifths.
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

#: Cells times points in memory at once, for each thread (some 20 numbers each).
_CELLS = 1 << 15
#: What Kirchhoff's law may be missed by, relative to the largest volts: aimed at, and let pass.
_WANTED, _TOLERANCE = 1e-12, 1e-10
#: The most steps of Newton, halvings of one, and steps of conjugate gradients in one.
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
    """Amperes (n, points, columns) out of the bit-line ends of crossbars g (n, rows, columns) S.

    volts (n or 1, points, rows) at the sources; ends (n or 1, points, columns) at the bit-line
    ends (None: 0 V), as an amplifier of finite gain has them. 0 S is an open cell. The work is
    spread over `threads` (None: all cores). Raises MemxcError (bad-target) where a cell leaves the
    volts that its law was measured at; AssertionError for conductances or volts that are none, and
    where the answer misses Kirchhoff's voltage law by more than 1e-10 of the largest volts.
    """
    # Not `any(g < 0)`: what is not a number fails too.
    assert ((g >= 0) & (g < np.inf)).all(), "a conductance is negative or not finite"
    n, rows, columns = g.shape
    points = volts.shape[1]
    held = np.zeros((1, points, columns)) if ends is None else ends
    assert np.isfinite(volts).all(), "volts at a source are not finite"
    assert np.isfinite(held).all(), "volts at a bit line are not finite"
    volts = np.broadcast_to(volts, (n, points, rows)).reshape(-1, rows, 1)
    held = np.broadcast_to(held, (n, points, columns)).reshape(-1, 1, columns)
    lines = _lines(rows, columns, wires, drive)
    found = np.empty((n * points, columns))

    def work(at: slice) -> None:
        cells = g[np.arange(n * points)[at] // points]
        circuit = _Circuit(cells, law, lines, volts[at] - held[at])
        found[at] = _solve(circuit).sum(axis=1)

    in_threads(work, n * points, max(1, _CELLS // (rows * columns)), threads)
    return found.reshape(n, points, columns)


@dataclass(frozen=True, eq=False)
class _LatticeLines:
    """Ohms that two cells share: on one word line by columns, on one bit line by rows."""

    word: Floats
    bit: Floats

    def drops(self, amperes: Floats) -> Floats:
        """Volts that the wires take from each cell for the cells' amperes (..., rows, columns)."""
        return amperes @ self.word + self.bit @ amperes


def _lines(rows: int, columns: int, wires: WireResistance, drive: Drive) -> _LatticeLines:
    near = wires.source + wires.word_line * np.arange(1, columns + 1)
    word = np.minimum.outer(near, near)
    if drive == "both" and near[0]:
        # Left of both cells, in parallel with the way from there to the source on the right.
        word = word * word[::-1, ::-1] / (near[0] + near[-1])
    bit = wires.neuron + wires.bit_line * np.arange(rows, 0, -1)
    return _LatticeLines(word, np.minimum.outer(bit, bit))


@dataclass(frozen=True, eq=False)
class _State:
    """Cells at some volts (m, rows, columns), and what Kirchhoff's law is missed by: volts at each
    cell, and the largest (m,) relative to the largest volts of the circuit."""

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
    """Crossbars (m, rows, columns), and the volts of their cells if these carried nothing."""

    g: Floats
    law: Law
    lines: _LatticeLines
    open_volts: Floats

    def only(self, keep: NDArray[np.bool_]) -> _Circuit:
        return _Circuit(self.g[keep], self.law, self.lines, self.open_volts[keep])

    def at(self, volts: Floats) -> _State:
        amperes, slope = self.law(self.g, volts)
        gap = volts + self.lines.drops(amperes) - self.open_volts
        # An open cell has whatever volts the wires leave.
        gap[self.g == 0] = 0.0
        scale = np.abs(self.open_volts).max(axis=(1, 2))
        missed = np.abs(gap).max(axis=(1, 2)) / np.where(scale, scale, 1.0)
        return _State(volts, amperes, slope, gap, missed)


def _solve(circuit: _Circuit) -> Floats:
    """Amperes of the cells."""
    whole, left = circuit, np.arange(len(circuit.g))
    now = circuit.at(np.broadcast_to(circuit.open_volts, circuit.g.shape))
    volts, amperes, missed = now.volts.copy(), now.amperes.copy(), now.missed.copy()
    for _ in range(_STEPS):
        # What is not a number goes on, and fails below.
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
    """One step of Newton's method, halved where the whole one leads away."""
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
    """Volts to add, d + M (i' d) = -gap, by conjugate gradients on y = sqrt(i') d.

    In single precision: what a step lacks, the next one adds. Near the answer a step is to
    square the gap, far from it a tenth will do.
    """
    loss = np.clip(now.missed, 1e-5, 0.1)
    unit = np.abs(now.gap).max(axis=(1, 2), keepdims=True)
    root = np.sqrt(now.slope, dtype=np.float32)
    word, bit = lines.word.astype(np.float32), lines.bit.astype(np.float32)
    rest = -root * (now.gap / unit).astype(np.float32)
    found, way = np.zeros_like(rest), rest
    size = _dot(rest, rest)
    goal = loss.astype(np.float32) ** 2 * size
    for _ in range(_GRADIENTS):
        if (size <= goal).all():
            break
        pushed = root * way
        answer = way + root * (pushed @ word + bit @ pushed)
        length = _ratio(size, _dot(way, answer))
        found = found + length * way
        rest = rest - length * answer
        smaller = _dot(rest, rest)
        way = rest + _ratio(smaller, size) * way
        size = smaller
    volts = np.divide(found, root, out=np.zeros_like(found), where=root > 0)
    return np.asarray(unit * volts)


def _dot(a: Singles, b: Singles) -> Singles:
    return np.asarray(np.einsum("kij,kij->k", a, b))


def _ratio(a: Singles, b: Singles) -> Singles:
    """a / b for each circuit, 0 where it is solved to the last digit."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)[:, None, None]


def _check_reach(law: Law, volts: Floats) -> None:
    low, high = law.reach
    least, most = volts.min(initial=0.0), volts.max(initial=0.0)
    if least < low or most > high:
        what = f"measured from {low:g} to {high:g} V, a cell has {least:g} to {most:g} V"
        raise fail("bad-target", "device.iv_csv", what, "measure further, or limit the volts")
