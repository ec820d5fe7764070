"""Crossbars that share summing nodes, with their amplifiers: the closed loop's effective matrix.

    V --> crossbars --> t' V amperes --> summing nodes (v volts) --> op-amps --> w = -A v
                                              ^                              |
                                              '--- feedback, joining: G -----'

V are the volts on the word lines, y is the admittance of the crossbars between the nodes, and G is
what feedback and joining resistors add. Kirchhoff's current law at the nodes, and the same with the
op-amps' gain A, read

    (y + G) v = t' V               (y + G) / A w = -t' V

The second form stays finite for an infinite gain, because G grows with A.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memxc.physics.network.admittance import Ports
from memxc.physics.network.nodal import Amplifiers
from memxc.physics.network.threads import in_threads

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Numbers held at once, for each thread, while a stack is closed (32 MiB).
_HELD = 1 << 22
#: Largest error that is accepted in an equation, relative to its largest term.
_TOLERANCE = 1e-11


def matrix(
    parts: Sequence[tuple[Ports, Indices]],
    amplifiers: Amplifiers,
    nodes: int,
    threads: int | None = None,
) -> Floats:
    """Return effective matrices (n, word lines, lanes), volts per volt: outputs = volts @ matrix.

    parts: a stack of n crossbars for each tile on the nodes, with the node (columns,) in 0 ..
    nodes-1 at which each bit line ends, or -1 if it is terminated at 0 V. The word lines of all
    parts follow each other. r_f and r_join of the amplifiers are (lanes,) or (n, lanes). Raises
    AssertionError for a node without an amplifier, and if the solution misses an equation by more
    than 1e-11.
    """
    plus, minus = amplifiers.plus, amplifiers.minus
    held = np.union1d(minus, plus[plus >= 0])
    assert np.array_equal(held, np.arange(nodes)), "a summing node has no amplifier"
    count, words = len(parts[0][0].t), sum(ports.t.shape[1] for ports, _ in parts)
    answer = np.empty((count, words, len(minus)))

    def work(at: slice) -> None:
        t, y = _summed(parts, nodes, at)
        loads = _loads(amplifiers, nodes, at, count)
        np.matmul(t, -_answers(y / amplifiers.gain + loads, minus), out=answer[at])

    in_threads(work, count, max(1, _HELD // (nodes * (words + 4 * nodes))), threads)
    return answer


def offsets(parts: Sequence[tuple[Ports, Indices]], amplifiers: Amplifiers, nodes: int) -> Floats:
    """Return the output volts per volt of input offset of each node's op-amp, (n, nodes, lanes).

    Arguments as in `matrix`. The nodes are at o - w / A for offsets o, so everything between them
    and 0 V or an output draws more current: (y + G) / A w = (y + G') o - t' V, where G' are the
    resistors that end at a node.
    """
    at = slice(0, len(parts[0][0].t))
    _, y = _summed(parts, nodes, at)
    answers = _answers(
        y / amplifiers.gain + _loads(amplifiers, nodes, at, at.stop), amplifiers.minus
    )
    joined = amplifiers.plus >= 0
    g_join = np.where(joined, 1 / amplifiers.r_join, 0.0)
    ends = np.zeros((at.stop, nodes))
    ends[:, amplifiers.minus] = 1 / amplifiers.r_f + g_join
    ends[:, amplifiers.plus[joined]] = g_join[..., joined]
    drawn = y + ends[:, :, None] * np.eye(nodes)
    return np.asarray(drawn.mT @ answers)


def _summed(parts: Sequence[tuple[Ports, Indices]], nodes: int, at: slice) -> tuple[Floats, Floats]:
    """Return all parts' transfers (n, word lines, nodes) and their admittance (n, nodes, nodes)."""
    transfers, admittance = [], np.zeros((1, nodes, nodes))
    for ports, node in parts:
        ends = (node[:, None] == np.arange(nodes)).astype(np.float64)
        transfers.append(ports.t[at] @ ends)
        admittance = admittance + ends.T @ ports.y_out[at] @ ends
    return np.concatenate(transfers, axis=1), admittance


def _loads(amplifiers: Amplifiers, nodes: int, at: slice, count: int) -> Floats:
    """Return G / A (n, nodes, nodes), S, of feedback and joining resistors."""
    loss, shape = 1 / amplifiers.gain, (count, len(amplifiers.minus))
    g_f, g_join = (
        1 / np.broadcast_to(ohms, shape)[at] for ohms in (amplifiers.r_f, amplifiers.r_join)
    )
    g_join = np.where(amplifiers.plus >= 0, g_join, 0.0)
    plus, minus = amplifiers.plus, amplifiers.minus
    g = np.zeros((len(g_f), nodes, nodes))
    g[:, minus, minus] = (1 + loss) * g_f + loss * g_join
    joined = g_join.any(axis=0)
    plus, minus, g_join = plus[joined], minus[joined], g_join[:, joined]
    g[:, plus, plus] = (1 + loss) * g_join
    g[:, minus, plus] = g_join
    return g


def _answers(equations: Floats, minus: Indices) -> Floats:
    """Return the volts (n, nodes, lanes) behind op-amp 2 per ampere drawn from a node."""
    nodes = equations.shape[-1]
    wanted = (np.arange(nodes)[:, None] == minus).astype(np.float64)
    answers = np.linalg.solve(
        equations.mT, np.broadcast_to(wanted, (len(equations), *wanted.shape))
    )
    # A check: the sum over all lanes is put back into the equations.
    probe = answers.sum(axis=2)[:, :, None]
    missed = np.abs(equations.mT @ probe - wanted.sum(axis=1)[:, None])
    terms = np.abs(equations.mT) @ np.abs(probe)
    assert (missed <= _TOLERANCE * np.maximum(terms, 1)).all(), "the amplifiers are not solved"
    return np.asarray(answers)
