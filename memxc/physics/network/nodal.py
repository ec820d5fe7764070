"""Crossbars with wires, solved as a whole: every node is an unknown of one sparse linear system.

This is slow and plain; it is the oracle for everything faster. Nodal analysis: the currents into
every node, sum of g (v_other - v), are 0.

    source --r_source--o--r_word--o---------r_word--o------- ...     word line i
                                  | g               | g
                                  o                 o
                                  | r_bit           | r_bit          bit lines
                                  o ...             o ...
                                  | r_bit           | r_bit
                                  o--r_neuron--node o--r_neuron--node

Word line i is driven at its first column through r_source and one segment, and for drive "both" at
its last column in the same way. Bit line j is read past its last row through one segment and
r_neuron. An R x C crossbar driven at one end thus has R*C segments of each kind. A resistance of 0
joins its two nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from memxc.ir.stages import Drive
from memxc.target import Wire

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class WireResistance:
    """Ohms of a source, of one word-line segment, of one bit-line segment, of a neuron's input."""

    source: float
    word_line: float
    bit_line: float
    neuron: float

    @staticmethod
    def of(wire: Wire) -> WireResistance:
        """Return the resistances of a target."""
        return WireResistance(
            wire.r_source_ohm, wire.r_word_line_ohm, wire.r_bit_line_ohm, wire.r_neuron_ohm
        )


@dataclass(frozen=True, eq=False)
class Grid:
    """One placed crossbar.

    g: (word lines, bit lines) S, 0 is open. node: (bit lines,) the summing node of each bit line.
    volts: (points, word lines) at the sources.
    """

    g: Floats
    node: Indices
    volts: Floats
    drive: Drive = "left"


@dataclass(frozen=True, eq=False)
class Amplifiers:
    """The amplifiers of lanes.

    plus, minus: (lanes,) summing nodes; -1 for no plus node. r_f, r_join: feedback and joining
    resistors, ohms. gain: open-loop gain.
    """

    plus: Indices
    minus: Indices
    r_f: Floats
    r_join: Floats
    gain: float


def solve(
    grids: Sequence[Grid], amplifiers: Amplifiers, nodes: int, wires: WireResistance
) -> Floats:
    """Return the volts (points, lanes) behind the amplifiers.

    Nodes 0 .. nodes-1 are the summing nodes.
    """
    net = _Network(nodes)
    feeds = [net.crossbar(grid, wires) for grid in grids]
    volts = np.concatenate([grid.volts for grid in grids], axis=1)
    net.drive(np.concatenate(feeds))
    if np.isinf(amplifiers.gain):
        currents = net.into(nodes, volts)
        plus = np.where(amplifiers.plus >= 0, currents[:, amplifiers.plus], 0.0)
        return np.asarray(amplifiers.r_f * (plus - currents[:, amplifiers.minus]))
    return -amplifiers.gain * net.closed(amplifiers, volts)[:, amplifiers.minus]


def admittance(grid: Grid, wires: WireResistance) -> Floats:
    """Return the port admittance (rows + columns, rows + columns), S, with the sources first.

    It is the current into the sources' and the bit lines' ends per volt there. `node` and `volts`
    of the grid are not used.
    """
    columns = grid.g.shape[1]
    net = _Network(columns)
    net.drive(net.crossbar(replace(grid, node=np.arange(columns)), wires))
    ends = np.concatenate([net.sources, net.label[:columns]])
    free = np.setdiff1d(np.arange(net.matrix.shape[0]), ends)
    direct, across = net.matrix[ends][:, ends].toarray(), net.matrix[free][:, ends]
    if not len(free):
        return np.asarray(direct)
    inner = splu(net.matrix[free][:, free].tocsc()).solve(across.toarray())
    return np.asarray(direct - across.T @ inner)


def across(grid: Grid, wires: WireResistance) -> Floats:
    """Return the volts (points, word lines, bit lines) across the crossings.

    The summing nodes are held at 0 V. At an open crossing they are the volts between its lines.
    """
    nodes = int(grid.node.max()) + 1
    net = _Network(nodes)
    net.drive(net.crossbar(grid, wires))
    held, free, inner = net.solved(nodes, grid.volts)
    volts = np.zeros((net.matrix.shape[0], len(grid.volts)))
    volts[net.sources], volts[free] = grid.volts.T, inner
    volts[held] = 0.0
    word, bit = (volts[net.label[lines]] for lines in net.crossings)
    return np.asarray(np.moveaxis(word - bit, -1, 0))


class _Network:
    """Resistors between numbered nodes. The summing nodes come first, the sources last."""

    def __init__(self, nodes: int) -> None:
        self.count = nodes
        self.parts: list[tuple[Indices, Indices, Floats]] = []

    def crossbar(self, grid: Grid, wires: WireResistance) -> Indices:
        """Add one crossbar, and return its source nodes."""
        rows, columns = grid.g.shape
        source, word = self._new(rows), self._new(rows * columns).reshape(rows, columns)
        bit = self._new((rows + 1) * columns).reshape(rows + 1, columns)
        ends = {"left": [0], "both": [0, -1]}[grid.drive]
        for column in ends:
            end = self._new(rows)
            self._resistors(source, end, wires.source)
            self._resistors(end, word[:, column], wires.word_line)
        self._resistors(word[:, :-1], word[:, 1:], wires.word_line)
        self._resistors(bit[:-1], bit[1:], wires.bit_line)
        self._resistors(bit[-1], grid.node, wires.neuron)
        at = np.nonzero(grid.g)
        self.parts.append((word[at], bit[:-1][at], grid.g[at]))
        self.crossings = word, bit[:-1]
        return source

    def drive(self, sources: Indices) -> None:
        """Join nodes with no resistance between them, and set up the equations of all nodes."""
        a, b, g = (np.concatenate(x) for x in zip(*self.parts, strict=True))
        short = np.isinf(g)
        links = coo_matrix((np.ones(short.sum()), (a[short], b[short])), (self.count, self.count))
        _, label = connected_components(links, directed=False)
        a, b, g = label[a[~short]], label[b[~short]], g[~short]
        size = int(label.max()) + 1
        # Every node has a tiny leak, so that an unconnected stretch of wire has a solution.
        diagonal = np.bincount(a, g, size) + np.bincount(b, g, size) + 1e-18
        rows = np.concatenate([a, b, np.arange(size)])
        columns = np.concatenate([b, a, np.arange(size)])
        full = coo_matrix((np.concatenate([-g, -g, diagonal]), (rows, columns)), (size, size))
        self.matrix, self.label, self.sources = full.tocsr(), label, label[sources]

    def into(self, nodes: int, volts: Floats) -> Floats:
        """Return the currents (points, nodes) into the summing nodes, which are held at 0 V."""
        held, free, x = self.solved(nodes, volts)
        out = self.matrix[held][:, free] @ x + self.matrix[held][:, self.sources] @ volts.T
        return np.asarray(-out.T)

    def solved(self, nodes: int, volts: Floats) -> tuple[Indices, Indices, Floats]:
        """Return the held nodes, the free ones, and the volts (free, points) of these."""
        held = self.label[:nodes]
        free = np.setdiff1d(np.arange(self.matrix.shape[0]), np.append(held, self.sources))
        x = (
            splu(self.matrix[free][:, free].tocsc()).solve(
                -self.matrix[free][:, self.sources] @ volts.T
            )
            if len(free)
            else np.zeros((0, len(volts)))
        )
        return np.asarray(held), free, np.asarray(x)

    def closed(self, amplifiers: Amplifiers, volts: Floats) -> Floats:
        """Return the volts (points, nodes) of the summing nodes with the amplifiers around them."""
        gain, join = amplifiers.gain, np.isfinite(amplifiers.r_join) & (amplifiers.plus >= 0)
        plus, minus = self.label[amplifiers.plus[join]], self.label[amplifiers.minus]
        g_join, g_f = 1 / amplifiers.r_join[join], 1 / amplifiers.r_f
        rows = np.concatenate([plus, minus[join], minus[join], minus])
        columns = np.concatenate([plus, minus[join], plus, minus])
        values = np.concatenate([(1 + gain) * g_join, g_join, gain * g_join, (1 + gain) * g_f])
        size = self.matrix.shape[0]
        full = (self.matrix + coo_matrix((values, (rows, columns)), (size, size))).tocsr()
        free = np.setdiff1d(np.arange(size), self.sources)
        x = np.zeros((size, len(volts)))
        x[free] = splu(full[free][:, free].tocsc()).solve(-full[free][:, self.sources] @ volts.T)
        return np.asarray(x[self.label].T)

    def _new(self, count: int) -> Indices:
        self.count += count
        return np.arange(self.count - count, self.count)

    def _resistors(self, a: Indices, b: Indices, ohms: float) -> None:
        g = np.full(a.size, 1 / ohms if ohms else np.inf)
        self.parts.append((a.reshape(-1), b.reshape(-1), g))
