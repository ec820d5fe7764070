"""A whole crossbar from its cells by nested dissection: small pieces first, then joined by twos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.physics.nodal import Wires
from memxc.physics.pieces import RIGHT, TOP, Piece, cells, join

Floats = NDArray[np.float64]

#: Largest side of a piece that is solved directly, and of one that is joined in a stack of all.
_DIRECT, _STACKED = 4, 16


@dataclass(frozen=True)
class _Cut:
    """One axis of the crossbar: `blocks` equal blocks, each of `direct` * 2**doublings lines."""

    blocks: int
    direct: int
    doublings: int

    @property
    def lines(self) -> int:
        return self.blocks * (self.direct << self.doublings)


def whole(g: Floats, wires: Wires, keep_right: bool) -> Piece:
    """The crossbars g (n, rows, columns) as one stack of pieces, without a top.

    Row 0 is next to the read-out, column 0 next to the source. Lines of open cells may have been
    added after the last row and column; the right ends are there if `keep_right`.
    """
    down, along = _cut(g.shape[1]), _cut(g.shape[2])
    padded = np.zeros((len(g), down.lines, along.lines))
    padded[:, : g.shape[1], : g.shape[2]] = g
    rows, columns = down.direct, along.direct
    grid = padded.reshape(len(g), down.lines // rows, rows, along.lines // columns, columns)
    piece = _smallest(grid.swapaxes(2, 3), wires)
    for double in range(max(down.doublings, along.doublings)):
        if double < along.doublings:
            piece = join(_every(piece, np.s_[:, :, ::2]), _every(piece, np.s_[:, :, 1::2]), 0)
        if double < down.doublings:
            piece = join(_every(piece, np.s_[:, ::2]), _every(piece, np.s_[:, 1::2]), 1)
    return _region(piece, range(down.blocks), range(along.blocks), keep_right, False)


def _cut(lines: int) -> _Cut:
    """The way to cut an axis that adds the fewest lines; among equals, the largest blocks."""
    cuts = [
        _Cut(-(-lines // (direct << doublings)), direct, doublings)
        for doublings in range(_STACKED.bit_length())
        for direct in range(1, _DIRECT + 1)
        if direct << doublings <= _STACKED
    ]
    return min(cuts, key=lambda cut: (cut.lines * (1 + 1 / cut.direct / 8), cut.blocks))


def _smallest(grid: Floats, wires: Wires) -> Piece:
    """The stack (n, down, along) of pieces; those at an edge have the sources or neurons too."""
    rows, columns = grid.shape[-2:]
    words = wires.word_line * np.arange(1, columns + 1)
    bits = wires.bit_line * np.arange(1, rows + 1)
    ports = 2 * (rows + columns)
    h = np.empty((*grid.shape[:3], ports, ports))
    for down, neuron in ((slice(0, 1), wires.neuron), (slice(1, None), 0.0)):
        for along, source in ((slice(0, 1), wires.source), (slice(1, None), 0.0)):
            h[:, down, along] = cells(grid[:, down, along], words + source, bits + neuron).h
    return Piece(h, (rows, columns, rows, columns))


def _every(piece: Piece, at: tuple[slice, ...]) -> Piece:
    return Piece(piece.h[at], piece.sides)


def _region(grid: Piece, down: range, along: range, right: bool, top: bool) -> Piece:
    """A rectangle of a stack (n, down, along) of pieces as one, with or without right and top."""
    if len(down) == len(along) == 1:
        piece = Piece(grid.h[:, down[0], along[0]], grid.sides)
        piece = piece if right else piece.without(RIGHT)
        return piece if top else piece.without(TOP)
    rows, columns = grid.sides[:2]
    if len(down) == 1 or len(along) * columns >= max(len(down) * rows, 2 * columns):
        half = len(along) // 2
        near = _region(grid, down, along[:half], True, top)
        return join(near, _region(grid, down, along[half:], right, top), 0)
    half = len(down) // 2
    near = _region(grid, down[:half], along, right, True)
    return join(near, _region(grid, down[half:], along, right, top), 1)
