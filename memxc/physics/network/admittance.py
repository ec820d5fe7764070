"""The port admittance of a crossbar with wires: a matrix that holds every answer of the crossbar.

    sources                 [ i_sources ]   [ y_in  -t    ] [ v_sources ]
       |                    [ i_ends    ] = [ -t'   y_out ] [ v_ends    ]
  +----------+
  | crossbar |-- ends of    The currents i flow into the crossbar at its ports,
  +----------+   bit lines  and v are the volts there.

It is built by nested dissection: small pieces of the crossbar are solved directly and joined two by
two; only the ends on the sides of a piece remain. An n x n crossbar takes 80 n^3 flops (counted; 40
products of two n x n matrices) and 20 n^2 for each n of the smallest pieces' 16 cells, nearly all
in matrix products. Elimination column by column would take more than n^4 / 3. Ends that stay open,
at the top and past the last column, are dropped early.
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

#: Cells whose pieces are in memory at once, for each thread (about 50 numbers a cell).
_CELLS = 1 << 14
#: Largest error that is accepted, relative to the largest transfer, with up to this many lines.
_TOLERANCE, _LINES = 1e-10, 1 << 10


@dataclass(frozen=True, eq=False)
class Ports:
    """Port admittance Y = [[y_in, -t], [-t', y_out]], siemens, of a stack of n crossbars.

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
    """Return the port admittance of crossbars g (n, rows, columns), S; 0 means no device.

    Word lines are driven at the first column's end or at both ends, each through r_source and one
    segment; bit lines are read past the last row through one segment and r_neuron. Any resistance
    may be 0. The stack is spread over `threads` (None: one a core).

    Raises AssertionError for a conductance that is negative or not finite, and if the answer breaks
    Kirchhoff's current law by more than 1e-10 of its largest transfer (with over 1,024 lines, by
    more in proportion, for so many roundings add up): resistances a million times larger than those
    of the cells can cause that. With wires of 0 .. 100 ohm and cells of
    1e-6 .. 1e-3 S the error stays below 1e-13.
    """
    assert g.ndim == 3, "conductances are not (n, rows, columns)"
    # Written with `all`, so that a nan fails too.
    assert ((g >= 0) & (g < np.inf)).all(), "a conductance is negative or not finite"
    n, rows, columns = g.shape
    shapes = (n, rows, rows), (n, rows, columns), (n, columns, columns)
    answer = Ports(*(np.empty(shape) for shape in shapes))
    step = max(1, _CELLS // (rows * columns))
    in_threads(lambda part: _solve(g[part], wires, drive, answer, part), n, step, threads)
    return answer


def _solve(g: Floats, wires: WireResistance, drive: Drive, answer: Ports, chunk: slice) -> None:
    """Write the port admittances of one part of the stack to their place in `answer`."""
    rows, columns = g.shape[1:]
    # A piece counts rows from the read-out end, so the rows are turned around.
    turned = g[:, ::-1]
    # On a perfect conductor two sources are one.
    both = drive == "both" and wires.source + wires.word_line > 0
    piece = nested_dissection.whole_crossbar(turned, wires, keep_right=both)
    y = _closed(piece, columns, wires) if both else piece.h
    first = piece.sides[0]
    words, bits = slice(0, rows), slice(first, first + columns)
    answer.y_in[chunk] = y[:, words, words][:, ::-1, ::-1]
    answer.t[chunk] = -y[:, words, bits][:, ::-1]
    answer.y_out[chunk] = y[:, bits, bits]
    _check(answer, chunk)


def _closed(piece: Piece, columns: int, wires: WireResistance) -> Floats:
    """Return the admittance of the left and bottom ends, with the right ends tied to the sources.

    Each right end is connected to the source of its word line through `ohms`.
    """
    at, rows = piece.side(RIGHT), piece.sides[0]
    # The right source is one segment past the last column of the crossbar, before any padding.
    ohms = wires.source + wires.word_line * (1 + columns - piece.sides[1])
    kept = at.start
    across = piece.h[:, at, :kept] - np.eye(rows, kept)
    loop = ohms * np.eye(rows) - piece.h[:, at, at]
    return piece.h[:, :kept, :kept] + across.mT @ np.linalg.solve(loop, across)


def _check(answer: Ports, chunk: slice) -> None:
    """Assert that equal volts at every end drive no current; any current that flows is an error.

    In 800 random crossbars with resistances from 1e-6 to 1e6 ohm, the t of a crossbar and the t of
    its transpose never differed by more than this error.
    """
    y_in, t, y_out = answer.y_in[chunk], answer.t[chunk], answer.y_out[chunk]
    allowed = _TOLERANCE * max(1.0, max(t.shape[1:]) / _LINES) * np.abs(t).max(axis=(1, 2))
    for block, other in ((y_in, t), (y_out, t.mT)):
        error = np.abs(block.sum(axis=2) - other.sum(axis=2)).max(axis=1)
        # Written with `all`, so that a nan fails too.
        assert (error <= allowed).all(), "a crossbar's admittance breaks Kirchhoff's current law"
