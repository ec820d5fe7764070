"""The analog blocks of which lane functions are built, as textbooks have them.

A count is what the simplest such circuit takes. The function in the netlist is exact.
"""

from __future__ import annotations

import numpy as np

from memxc.ir.stages import Circuit

#: It passes one polarity of a signal: an op-amp with two diodes in its feedback.
RECTIFIER = Circuit("rectifier", opamps=1, diodes=2)
#: It inverts one polarity and passes the other: a rectifier and a summing amplifier.
FULL_WAVE = Circuit("full_wave", opamps=2, diodes=2)
#: It bounds a signal: a rectifier around a reference.
LIMITER = Circuit("limiter", opamps=1, diodes=2)
#: It gives the sign of a signal: an op-amp without feedback and with a clamped output.
COMPARATOR = Circuit("comparator", opamps=1, diodes=2)
#: It adds any number of signals and constants: a summing amplifier and an inverter.
SUM = Circuit("sum", opamps=2)
#: It subtracts one signal from another.
DIFFERENCE = Circuit("difference", opamps=1)
#: A logarithm has a junction in the feedback of an op-amp, an exponential has it in front.
LOGARITHM = Circuit("logarithm", opamps=1, diodes=1)
EXPONENTIAL = Circuit("exponential", opamps=1, diodes=1)
#: It has the transfer function of a differential pair, with the current turned into a voltage.
PAIR = Circuit("pair", opamps=2)
MULTIPLIER = Circuit("multiplier", multipliers=1)
#: A multiplier in the feedback of an op-amp. For a root it squares, and a diode keeps its sign.
DIVIDER = Circuit("divider", opamps=1, multipliers=1)
ROOT = Circuit("root", opamps=1, multipliers=1, diodes=1)
#: It converts volts to codes and back.
CODES = Circuit("codes", converters=2)

#: Exporters write a missing bound as the largest float32, or as infinity.
UNBOUNDED = float(np.finfo(np.float32).max)
#: A logarithm takes a smaller signal for this: float32 has no smaller number above zero.
LEAST = 1e-38
#: An exponential takes a larger signal for this: float32 has no larger number than its value.
MOST_EXPONENT = 88.7
#: A divisor with a smaller square counts as zero: it is zero within 1e-15.
NO_DIVISOR = 1e-30


def built(name: str, *blocks: Circuit) -> Circuit:
    """Return a circuit of that name, made of all these blocks."""
    return Circuit(
        name,
        opamps=sum(block.opamps for block in blocks),
        diodes=sum(block.diodes for block in blocks),
        multipliers=sum(block.multipliers for block in blocks),
        inverters=sum(block.inverters for block in blocks),
        converters=sum(block.converters for block in blocks),
    )
