"""The amplifiers of a lane as linear circuits of op-amps, resistors and capacitors.

An op-amp is a two-stage Miller skeleton. Its summing node n has the conductance y and the
capacitance c of the bit lines that end there, and the capacitance c_in of the op-amp's input:

                     r_f || c_f
          .------------[====]---------------.
          |          c_miller               |
          |         .---||------------------|
     i -->n -> gm1 -a -> gm2 ---------------w---> load (g_out, c_out)
          |         |                       |
       y || c   r1 || c1                 r2 || c2

    n:  (c + c_in + c_f) n' - c_f w'                  = i - (y + 1/r_f) n + w / r_f
    a:  (c1 + c_miller) a' - c_miller w'              = gm1 n - a / r1
    w:  (c2 + c_out + c_f + c_miller) w' - c_f n' - c_miller a'
                                                      = -gm2 a - (1/r2 + g_out + 1/r_f) w + n / r_f

A pair has this circuit twice. Op-amp 1 has the feedback r_join, and another r_join from its output
to the summing node of op-amp 2 (the drawing is in `physics.network.amplifier`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from memxc.physics.network.settling import LinearCircuits
from memxc.target import Amplifier

Floats = NDArray[np.float64]

#: The keys of a target's amplifier that make the skeleton.
SKELETON = ("gm1_s", "r1_ohm", "c1_f", "c_miller_f", "gm2_s", "r2_ohm", "c2_f", "c_in_f")
#: The damping ratio that c_f gives the loop: among two poles, 0.91 settles to 0.1 % first.
_DAMPING = 0.9


@dataclass(frozen=True, eq=False)
class LaneCircuits:
    """What the amplifiers of n lanes see; each array is (n,).

    y_plus, y_minus: siemens of the devices at the summing nodes of op-amp 1 and 2.
    c_plus, c_minus: farads of the bit lines at these nodes, without the op-amps' inputs.
    r_f, r_join: ohms. g_out, c_out: siemens and farads of the load at the output.
    A lane with one op-amp ignores y_plus, c_plus and r_join.
    """

    y_plus: Floats
    y_minus: Floats
    c_plus: Floats
    c_minus: Floats
    r_f: Floats
    r_join: Floats
    g_out: Floats
    c_out: Floats

    def __len__(self) -> int:
        """Return the number of lanes."""
        return len(self.r_f)

    def table(self) -> Floats:
        """Return all values, (n, 8)."""
        return np.stack([getattr(self, field.name) for field in fields(self)], axis=1)

    def some(self, lanes: NDArray[np.intp]) -> LaneCircuits:
        """Return some of the lanes."""
        return replace(self, **{f.name: getattr(self, f.name)[lanes] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class _Node:
    """A summing node and its feedback: siemens and farads to ground, ohms, farads; each (n,)."""

    y: Floats
    c: Floats
    r: Floats
    c_f: Floats


def feedback_f(y: Floats, c: Floats, r: Floats, amplifier: Amplifier) -> Floats:
    """Return the feedback capacitance c_f of each amplifier, in farads; 0 where it needs none.

    y, c: siemens and farads that end at the summing node, without the op-amp and its feedback.
    r: ohms of the feedback resistor.

    With an op-amp of one pole, -w / n = w_u / s and w_u = gm1 / c_miller, the loop obeys

        s^2 (c + c_in + c_f) + s (y + 1/r + w_u c_f) + w_u / r = 0

    and c_f gives it the damping ratio 0.9, by the quadratic equation that follows. A larger ratio
    settles more slowly, a smaller one rings (docs/decisions/0021-settling.md has the comparison).
    """
    assert amplifier.gm1_s is not None, "the op-amp has no skeleton"
    assert amplifier.c_miller_f is not None, "the op-amp has no skeleton"
    assert amplifier.c_in_f is not None, "the op-amp has no skeleton"
    w_u = amplifier.gm1_s / amplifier.c_miller_f
    g, c, k = y + 1 / r, c + amplifier.c_in_f, 4 * _DAMPING**2 * w_u / r
    # (w_u c_f + g)^2 = k (c + c_f)
    half = (k - 2 * w_u * g) / 2
    root = np.sqrt(np.maximum(half**2 + w_u**2 * (k * c - g**2), 0.0))
    return np.asarray(np.where(g**2 < k * c, (half + root) / w_u**2, 0.0))


def pair(
    lanes: LaneCircuits, amplifier: Amplifier, c_join: Floats, c_f: Floats, plus: bool
) -> LinearCircuits:
    """Return the circuits of differential lanes, with a step of the plus or the minus current.

    c_join, c_f: farads in parallel to the feedback resistors of op-amp 1 and 2, (n,).
    """
    count = len(lanes)
    c, g = np.zeros((count, 6, 6)), np.zeros((count, 6, 6))
    g_join = 1 / lanes.r_join
    idle = np.zeros(count)
    _add_opamp(
        c, g, 0, _Node(lanes.y_plus, lanes.c_plus, lanes.r_join, c_join), (g_join, idle), amplifier
    )
    second = _Node(lanes.y_minus + g_join, lanes.c_minus, lanes.r_f, c_f)
    _add_opamp(c, g, 3, second, (lanes.g_out, lanes.c_out), amplifier)
    g[:, 3, 2] -= g_join
    g[:, 2, 3] -= g_join
    return LinearCircuits(c, g, np.eye(6)[0 if plus else 3], 5)


def single(lanes: LaneCircuits, amplifier: Amplifier, c_f: Floats) -> LinearCircuits:
    """Return the circuits of lanes with one op-amp. c_f: farads, (n,)."""
    c, g = np.zeros((len(lanes), 3, 3)), np.zeros((len(lanes), 3, 3))
    node = _Node(lanes.y_minus, lanes.c_minus, lanes.r_f, c_f)
    _add_opamp(c, g, 0, node, (lanes.g_out, lanes.c_out), amplifier)
    return LinearCircuits(c, g, np.eye(3)[0], 2)


def _add_opamp(
    c: Floats, g: Floats, first: int, node: _Node, load: tuple[Floats, Floats], amplifier: Amplifier
) -> None:
    """Add an op-amp with its feedback to C and G, at the nodes n, a, w from `first` on."""
    gm1, r1, c1, c_miller, gm2, r2, c2, c_in = (getattr(amplifier, key) for key in SKELETON)
    n, a, w = first, first + 1, first + 2
    g_out, c_out = load
    c[:, n, n] += node.c + c_in + node.c_f
    c[:, a, a] += c1 + c_miller
    c[:, w, w] += c2 + c_out + node.c_f + c_miller
    for one, other, farads in ((n, w, node.c_f), (a, w, c_miller)):
        c[:, one, other] -= farads
        c[:, other, one] -= farads
    g[:, n, n] += node.y + 1 / node.r
    g[:, a, a] += 1 / r1
    g[:, w, w] += 1 / r2 + g_out + 1 / node.r
    g[:, n, w] -= 1 / node.r
    g[:, w, n] -= 1 / node.r
    g[:, a, n] -= gm1
    g[:, w, a] += gm2
