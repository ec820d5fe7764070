"""The short-circuit port admittance of a crossbar with wires: every answer it can give, at once.

Built by nested dissection: small pieces of the crossbar are solved directly and joined two by two;
only the ends on a piece's sides remain. An n x n crossbar takes 80 n^3 flops (counted; 40 products
of two n x n matrices) and 20 n^2 for each n of the smallest pieces' 16 cells, nearly all in matrix
products, where elimination column by column takes n^4 / 3 and more. Ends that stay open, at the top
and past the last column, are dropped early.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.ir.stages import Drive
from memxc.physics.network import nested_dissection
from memxc.physics.network.hybrid import RIGHT, Piece
from memxc.physics.network.nodal import WireResistance
from memxc.physics.network.threads import in_threads

Floats = NDArray[np.float64]

#: Cells whose pieces are in memory at once, for each thread (some 50 numbers a cell).
_CELLS = 1 << 14
#: Largest error that is let pass, relative to the largest transfer.
_TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Ports:
    """Y = [[y_in, -t], [-t', y_out]] in siemens, of a stack of n crossbars, wires and all.

    y_in:  (n, rows, rows) amperes out of the sources per volt at the sources.
    t:     (n, rows, columns) amperes into the grounded bit-line ends per volt at the sources.
    y_out: (n, columns, columns) amperes into the crossbar per volt at the bit-line ends.
    """

    y_in: Floats
    t: Floats
    y_out: Floats


def port_admittance(
    g: Floats, wires: WireResistance, drive: Drive = "left", threads: int | None = None
) -> Ports:
    """Port admittance of crossbars g (n, rows, columns) S, 0 where no device stands.

    Word lines are driven at the first column's end or at both ends, each through r_source and one
    segment; bit lines are read past the last row through one segment and r_neuron. Any resistance
    may be 0. The stack is spread over `threads` (default: all cores). Raises AssertionError for a
    conductance that is negative or not finite, and where the answer breaks Kirchhoff's current law
    by more than 1e-10 of its largest transfer: resistances a million times those of the cells can
    do that. With wires of 0 .. 100 ohm and cells of 1e-6 .. 1e-3 S it stays below 1e-13.
    """
    assert g.ndim == 3, "conductances are not (n, rows, columns)"
    # Not `any(g < 0)`: what is not a number fails too.
    assert ((g >= 0) & (g < np.inf)).all(), "a conductance is negative or not finite"
    n, rows, columns = g.shape
    shapes = (n, rows, rows), (n, rows, columns), (n, columns, columns)
    found = Ports(*(np.empty(shape) for shape in shapes))
    step = max(1, _CELLS // (rows * columns))
    in_threads(lambda part: _solve(g[part], wires, drive, found, part), n, step, threads)
    return found


def _solve(g: Floats, wires: WireResistance, drive: Drive, found: Ports, chunk: slice) -> None:
    """Port admittances of one part of the stack, written to their place."""
    rows, columns = g.shape[1:]
    # Inside, row 0 is the one next to the read-out and column 0 the one next to the source.
    turned = g[:, ::-1]
    # Two sources on one perfect conductor are one source.
    both = drive == "both" and wires.source + wires.word_line > 0
    piece = nested_dissection.whole_crossbar(turned, wires, keep_right=both)
    y = _closed(piece, columns, wires) if both else piece.h
    first = piece.sides[0]
    words, bits = slice(0, rows), slice(first, first + columns)
    found.y_in[chunk] = y[:, words, words][:, ::-1, ::-1]
    found.t[chunk] = -y[:, words, bits][:, ::-1]
    found.y_out[chunk] = y[:, bits, bits]
    _check(found, chunk)


def _closed(piece: Piece, columns: int, wires: WireResistance) -> Floats:
    """Admittance of the left and bottom ends once the right ends hang on the left ends' sources."""
    at, rows = piece.side(RIGHT), piece.sides[0]
    # The right source stands one segment past the last column, not past the columns added to it.
    ohms = wires.source + wires.word_line * (1 + columns - piece.sides[1])
    own = at.start
    across = piece.h[:, at, :own] - np.eye(rows, own)
    loop = ohms * np.eye(rows) - piece.h[:, at, at]
    return piece.h[:, :own, :own] + across.mT @ np.linalg.solve(loop, across)


def _check(found: Ports, chunk: slice) -> None:
    """Equal volts at every end drive no current: what flows nevertheless is error.

    Between two ways through the same crossbar (word and bit lines exchanged) t never differed by
    more than this, in 800 random crossbars with resistances from 1e-6 to 1e6 ohm.
    """
    y_in, t, y_out = found.y_in[chunk], found.t[chunk], found.y_out[chunk]
    allowed = _TOLERANCE * np.abs(t).max(axis=(1, 2))
    for own, other in ((y_in, t), (y_out, t.mT)):
        left = np.abs(own.sum(axis=2) - other.sum(axis=2)).max(axis=1)
        # Not `any(left > allowed)`: what is not a number fails too.
        assert (left <= allowed).all(), "a crossbar's admittance breaks Kirchhoff's current law"
