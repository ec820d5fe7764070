"""The hybrid matrix of a rectangle of a crossbar, and how two rectangles are joined.

                  j_top, v_top
               .---^---^---^---.
    v_left,    |               |  j_right,
    i_left  -->|     cells     |--> v_right         [ i_left   ]       [ v_left   ]
            -->|               |-->                 [ i_bottom ] = h @ [ v_bottom ]
               '---^---^---^---'                    [ v_right  ]       [ j_right  ]
                v_bottom, i_bottom                  [ v_top    ]       [ j_top    ]

A piece takes volts at its left and bottom ends and currents drawn from its right and top ends, and
gives the other half of each; i flows in, j flows out. Such an h exists for every resistance and
conductance, 0 included, and it is symmetric (reciprocity). No 1/r is ever added to a small
conductance, so nothing is lost to cancellation. Rows are counted from the read-out end upwards,
columns from the driven end, and each cell owns the segments on its left and below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from memxc.physics.network.nodal import WireResistance

Floats = NDArray[np.float64]
Sides = tuple[int, int, int, int]
LEFT, BOTTOM, RIGHT, TOP = range(4)


@dataclass(frozen=True, eq=False)
class Piece:
    """A stack of pieces: h (..., ports, ports), and the numbers of ports on the four sides."""

    h: Floats
    sides: Sides

    def side(self, number: int) -> slice:
        """Return the ports of one side, as a slice of h."""
        return _side(self.sides, number)

    def without(self, side: int) -> Piece:
        """Return the piece with the ends of one side left open: no current flows there."""
        at = self.side(side)
        keep = np.r_[: at.start, at.stop : sum(self.sides)]
        left, bottom, right, top = (0 if s == side else n for s, n in enumerate(self.sides))
        return Piece(self.h[..., keep[:, None], keep], (left, bottom, right, top))


@dataclass(frozen=True)
class _PortRange:
    """Ports that stay neighbours in a join.

    old: their place in h. outer: their place among the outer ports of h. new: their place in the
    new h.
    """

    old: slice
    outer: slice
    new: slice


@dataclass(frozen=True, eq=False)
class Lattice:
    """The wires of a small piece of rows x columns cells.

    shared: (cells, cells) ohms that the currents of two cells have in common.
    reach:  (cells, ports) volts across a cell per unit at a port.
    lines:  (ports, ports) h of the wires without any cell.
    """

    sides: Sides
    shared: Floats
    reach: Floats
    lines: Floats


@lru_cache(maxsize=64)
def wire_lattice(rows: int, columns: int, wires: WireResistance) -> Lattice:
    """Return the wires of a piece whose lines begin with a source and end in a neuron."""
    words = wires.source + wires.word_line * np.arange(1, columns + 1)
    bits = wires.neuron + wires.bit_line * np.arange(1, rows + 1)
    row, column = (axis.reshape(-1) for axis in np.indices((rows, columns)))
    on_row, on_column = np.eye(rows)[row], np.eye(columns)[column]
    shared = on_row @ on_row.T * np.minimum.outer(words[column], words[column])
    shared += on_column @ on_column.T * np.minimum.outer(bits[row], bits[row])
    reach = [on_row, -on_column, -words[column, None] * on_row, bits[row, None] * on_column]
    through = np.eye(rows + columns)
    ohms = np.repeat([words[-1], bits[-1]], [rows, columns])
    lines = np.block([[0 * through, through], [through, -ohms * through]])
    return Lattice((rows, columns, rows, columns), shared, np.hstack(reach), lines)


def cells(g: Floats, wires: Lattice) -> Floats:
    """Return h (n, ports, ports) of small pieces g (n, rows, columns), S, solved directly.

    The currents of the cells are J = g (reach u - shared J), for unit inputs u at the ports. The
    equations are never singular, even if wires or conductances are 0.
    """
    flat = g.reshape(len(g), len(wires.shared), 1)
    currents = np.linalg.solve(flat * wires.shared + np.eye(len(wires.shared)), flat * wires.reach)
    return np.asarray(wires.reach.T @ currents + wires.lines)


def join(near: Piece, far: Piece, axis: int) -> Piece:
    """Join two pieces, `far` to the right of `near` (axis 0) or above it (axis 1).

    At the joint, v = A j + K u of `near` and j = B v + Q' w of `far`, for inputs u and w at the
    outer ports. Hence v = (I - A B)^-1 (K u + A Q' w). -A and B are positive semidefinite, so I - A
    B, the only matrix to invert, has no eigenvalue below 1. With k ports at the joint, and a and b
    outer ports, a join takes about k^2 (6 k + 4 a + 2 b) + 2 k (a^2 + a b + b^2) flops.
    """
    sides, near_runs, far_runs = _layout(near.sides, far.sides, axis)
    out, into = near.side(axis + 2), far.side(axis)
    a, b = near.h[..., out, out], far.h[..., into, into]
    k, q = _outer(near.h[..., out, :], near_runs), _outer(far.h[..., into, :], far_runs)
    inverse = np.linalg.inv(np.eye(near.sides[axis + 2]) - a @ b)
    volts = inverse @ k
    h = np.empty((*near.h.shape[:-2], sum(sides), sum(sides)))
    _put(h, near.h, k.mT @ (b @ volts), near_runs)
    _put(h, far.h, q.mT @ (inverse @ a @ q), far_runs)
    across = q.mT @ volts
    for row in far_runs:
        for column in near_runs:
            block = across[..., row.outer, column.outer]
            h[..., row.new, column.new] = block
            h[..., column.new, row.new] = block.mT
    return Piece(h, sides)


def _outer(panel: Floats, runs: tuple[_PortRange, ...]) -> Floats:
    return np.concatenate([panel[..., run.old] for run in runs], axis=-1)


def _put(h: Floats, old: Floats, more: Floats, runs: tuple[_PortRange, ...]) -> None:
    for row in runs:
        for column in runs:
            np.add(
                old[..., row.old, column.old],
                more[..., row.outer, column.outer],
                out=h[..., row.new, column.new],
            )


def _side(sides: Sides, number: int) -> slice:
    first = sum(sides[:number])
    return slice(first, first + sides[number])


@lru_cache(maxsize=1024)
def _layout(
    near: Sides, far: Sides, axis: int
) -> tuple[Sides, tuple[_PortRange, ...], tuple[_PortRange, ...]]:
    """Return the sides of the joined piece, and the new places of both pieces' outer ports.

    On a side that both pieces have, the ports of `near` come first.
    """
    sizes = [0, 0, 0, 0]
    places: tuple[list[tuple[slice, int]], list[tuple[slice, int]]] = ([], [])
    for side in range(4):
        for which, (sides, joint) in enumerate(((near, axis + 2), (far, axis))):
            if side != joint and sides[side]:
                places[which].append((_side(sides, side), sum(sizes)))
                sizes[side] += sides[side]
    return (sizes[0], sizes[1], sizes[2], sizes[3]), _runs(places[0]), _runs(places[1])


def _runs(places: list[tuple[slice, int]]) -> tuple[_PortRange, ...]:
    runs: list[_PortRange] = []
    outer = 0
    for old, new in places:
        size = old.stop - old.start
        last = runs[-1] if runs else None
        if last and last.old.stop == old.start and last.new.stop == new:
            runs[-1] = _PortRange(
                slice(last.old.start, old.stop),
                slice(last.outer.start, outer + size),
                slice(last.new.start, new + size),
            )
        else:
            runs.append(_PortRange(old, slice(outer, outer + size), slice(new, new + size)))
        outer += size
    return tuple(runs)
