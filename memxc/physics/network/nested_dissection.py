"""A whole crossbar by nested dissection: small pieces are solved directly, then joined by twos.

    +--+--+--+--+      +-----+-----+      +-----------+
    +--+--+--+--+      |     |     |      |           |
    +--+--+--+--+  ->  +-----+-----+  ->  |           |
    +--+--+--+--+      |     |     |      |           |
    +--+--+--+--+      +-----+-----+      +-----------+

Each piece is a hybrid matrix (network.hybrid). A join removes the ports between two pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.physics.network.hybrid import RIGHT, TOP, Piece, cells, join, wire_lattice
from memxc.physics.network.nodal import WireResistance

Floats = NDArray[np.float64]

#: Largest side of a piece that is solved directly, and of a block whose pieces are joined in
#: stacks.
_DIRECT, _STACKED = 4, 32


@dataclass(frozen=True)
class _Cut:
    """How one axis is cut: into `blocks` equal blocks, each of `direct` * 2**doublings lines."""

    blocks: int
    direct: int
    doublings: int

    @property
    def lines(self) -> int:
        return self.blocks * (self.direct << self.doublings)


def whole_crossbar(g: Floats, wires: WireResistance, keep_right: bool) -> Piece:
    """Return the crossbars g (n, rows, columns), S, as one stack of pieces without top ends.

    Row 0 is next to the read-out, column 0 next to the source. Rows and columns of open cells may
    be added at the far ends. The right ends remain if `keep_right`.
    """
    down, along = _cut(g.shape[1]), _cut(g.shape[2])
    padded = np.zeros((len(g), down.lines, along.lines))
    padded[:, : g.shape[1], : g.shape[2]] = g
    # One row of blocks at a time, because the processor's cache holds that much.
    height = down.lines // down.blocks
    grid = []
    for first in range(0, down.lines, height):
        row_wires = replace(wires, neuron=0.0 if first else wires.neuron)
        grid.append(_blocks(padded[:, first : first + height], down, along, row_wires))
    return _region(grid, range(along.blocks), keep_right, False)


def _blocks(g: Floats, down: _Cut, along: _Cut, wires: WireResistance) -> Piece:
    """Return a row of blocks (n, along) from its conductances (n, rows, columns)."""
    rows, columns = down.direct, along.direct
    grid = g.reshape(len(g), -1, rows, g.shape[2] // columns, columns).swapaxes(2, 3)
    piece = _smallest(grid, wires)
    for double in range(max(down.doublings, along.doublings)):
        if double < along.doublings:
            piece = join(_every(piece, np.s_[:, :, ::2]), _every(piece, np.s_[:, :, 1::2]), 0)
        if double < down.doublings:
            piece = join(_every(piece, np.s_[:, ::2]), _every(piece, np.s_[:, 1::2]), 1)
    return _every(piece, np.s_[:, 0])


def _cut(lines: int) -> _Cut:
    """Return the cheapest way to cut an axis: each added line has a cost, and so has each block."""
    cuts = [
        _Cut(-(-lines // (direct << doublings)), direct, doublings)
        for direct in range(1, _DIRECT + 1)
        for doublings in range(_STACKED.bit_length())
        if direct << doublings <= _STACKED
    ]
    return min(cuts, key=lambda cut: cut.lines * (1 + 1 / (8 * cut.direct)) + cut.blocks**2 / 5)


def _smallest(grid: Floats, wires: WireResistance) -> Piece:
    """Return pieces of conductances (n, down, along, rows, columns), S.

    The first column of pieces has the sources, the first row of pieces the neurons.
    """
    rows, columns = grid.shape[-2:]
    h = np.empty((*grid.shape[:3], 2 * (rows + columns), 2 * (rows + columns)))
    for down in range(grid.shape[1]):
        for along, source in ((np.s_[:1], wires.source), (np.s_[1:], 0.0)):
            neuron = 0.0 if down else wires.neuron
            kind = wire_lattice(rows, columns, replace(wires, source=source, neuron=neuron))
            part, into = grid[:, down, along], h[:, down, along]
            into[:] = cells(part.reshape(-1, rows, columns), kind).reshape(into.shape)
    return Piece(h, (rows, columns, rows, columns))


def _every(piece: Piece, at: tuple[slice | int, ...]) -> Piece:
    return Piece(piece.h[at], piece.sides)


def _region(grid: Sequence[Piece], along: range, right: bool, top: bool) -> Piece:
    """Return rows of stacks (n, along) of pieces as one stack (n,).

    The right and top ends remain if `right` and `top`.
    """
    if len(grid) == len(along) == 1:
        piece = _every(grid[0], np.s_[:, along[0]])
        piece = piece if right else piece.without(RIGHT)
        return piece if top else piece.without(TOP)
    rows, columns = grid[0].sides[:2]
    if len(grid) == 1 or len(along) * columns >= max(len(grid) * rows, 2 * columns):
        half = len(along) // 2
        near = _region(grid, along[:half], True, top)
        return join(near, _region(grid, along[half:], right, top), 0)
    half = len(grid) // 2
    near = _region(grid[:half], along, right, True)
    return join(near, _region(grid[half:], along, right, top), 1)
