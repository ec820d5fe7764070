"""The cards of a unit with the dynamics of its amplifiers, lines and loads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost.lane_loads import ArrayLoads, NetLoads
from memxc.physics.network.lane_dynamics import SKELETON, feedback_f
from memxc.target import Amplifier, Target
from memxc.verify import decks
from memxc.verify.library import Library
from memxc.verify.stage_units import Unit

Floats = NDArray[np.float64]

_OPAMP = """.subckt memxc_skeleton n w
g1 0 a n 0 {gm1_s:.9e}
r1 a 0 {r1_ohm:.9e}
c1 a 0 {c1_f:.9e}
cm a w {c_miller_f:.9e}
g2 w 0 a 0 {gm2_s:.9e}
r2 w 0 {r2_ohm:.9e}
c2 w 0 {c2_f:.9e}
ci n 0 {c_in_f:.9e}
.ends
"""


def transient_deck(
    unit: Unit,
    volts: Floats,
    loads: ArrayLoads,
    hung: NetLoads,
    cells: Library,
    target: Target,
    op_amp: str | None = None,
) -> str:
    """Return a deck in which the inputs of a unit step from 0 V to `volts` (inputs,) at time 0.

    The outputs are `u0o0`, `u0o1`, ... . loads, hung: of the stage and of its outputs. Inverters
    are ideal and there are no limiters. op_amp: the subcircuit `memxc_skeleton` (ports n w); None
    is the linear skeleton of the target's op-amp.
    """
    amplifier = target.amplifier
    steps = (
        f"vi{number} u0i{number} 0 pulse(0 {to:.12e} 0 1e-15 1e-15 1 2)\n"
        for number, to in enumerate(volts.tolist())
    )
    inverters = (f"eu0n{word} u0v{word} 0 0 u0i{word} 1\n" for word in decks.inverted_inputs(unit))
    return "".join(
        [
            "* the unit of a stage's slowest lane\n",
            _skeleton(amplifier) if op_amp is None else op_amp,
            cells.periphery() + cells.text(unit.definitions()),
            *steps,
            decks.crossbar_cards(unit, "u0"),
            *inverters,
            *_lanes(unit, loads, hung, target),
        ]
    )


def _skeleton(amplifier: Amplifier) -> str:
    """Return the subcircuit of the target's op-amp as a linear circuit."""
    return _OPAMP.format(**{key: getattr(amplifier, key) for key in SKELETON})


def load(lane: int, hung: NetLoads, target: Target) -> tuple[float, float]:
    """Return siemens and farads at the output of a lane."""
    amplifier, wire = target.amplifier, target.wire
    assert wire.c_word_line_f is not None
    assert amplifier.r_f_min_ohm is not None
    assert amplifier.c_in_f is not None
    siemens = hung.siemens[lane] + hung.functions[lane] / amplifier.r_f_min_ohm
    farads = hung.segments[lane] * wire.c_word_line_f + hung.functions[lane] * amplifier.c_in_f
    return float(siemens), float(farads)


def _lanes(unit: Unit, loads: ArrayLoads, hung: NetLoads, target: Target) -> Iterator[str]:
    """Yield the cards of the amplifiers of each lane, and of its output's load."""
    amplifier, wire = target.amplifier, target.wire
    assert wire.c_bit_line_f is not None
    # An amplifier has a lane at one of the places at least; its parts are the same at all.
    for number, lane in enumerate(unit.lanes.max(axis=0).tolist()):
        siemens, farads = load(lane, hung, target)
        yield _parallel(f"o{number}", f"u0o{number}", "0", siemens, farads)
        y_minus, c_minus = loads.siemens[-1][lane], loads.segments[-1][lane] * wire.c_bit_line_f
        if not unit.stage.single_ended:
            y, c = loads.siemens[1][lane], loads.segments[1][lane] * wire.c_bit_line_f
            r_join = float(unit.r_join[number])
            yield _opamp(f"p{number}", f"u0p{number}", f"u0q{number}", y, c, r_join, amplifier)
            yield f"rj{number} u0q{number} u0m{number} {r_join:.9e}\n"
            y_minus = y_minus + 1 / r_join
        r_f = float(unit.r_f[number])
        node, out = f"u0m{number}", f"u0o{number}"
        yield _opamp(f"m{number}", node, out, y_minus, c_minus, r_f, amplifier)


def _opamp(
    name: str, node: str, out: str, y: float, c: float, ohms: float, amplifier: Amplifier
) -> str:
    """Return an op-amp with its feedback, and the farads `c` of the bit lines at its node.

    y: siemens at the node, for the choice of c_f; the crossbars draw them.
    """
    c_f = float(feedback_f(np.array([y]), np.array([c]), np.array([ohms]), amplifier)[0])
    return f"x{name} {node} {out} memxc_skeleton\nc{name} {node} 0 {c:.9e}\n" + _parallel(
        f"f{name}", node, out, 1 / ohms, c_f
    )


def _parallel(name: str, one: str, other: str, siemens: float, farads: float) -> str:
    """Return a resistor and a capacitor between two nets, each if it is not 0."""
    cards = f"r{name} {one} {other} {1 / siemens:.9e}\n" if siemens > 0 else ""
    return cards + (f"c{name} {one} {other} {farads:.9e}\n" if farads > 0 else "")
