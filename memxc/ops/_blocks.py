"""What lane functions are built of: the analog blocks of the textbooks, so that counts add up.

A count says what the simplest such circuit takes; the function in the netlist is the exact one.
"""

from __future__ import annotations

import numpy as np

from memxc.ir.stages import Circuit

#: One polarity of a signal: an op-amp with two diodes in its feedback.
RECTIFIER = Circuit("rectifier", opamps=1, diodes=2)
#: Both polarities, one of them inverted: a rectifier and a summing amplifier.
FULL_WAVE = Circuit("full_wave", opamps=2, diodes=2)
#: A bound on a signal: a rectifier around a reference.
LIMITER = Circuit("limiter", opamps=1, diodes=2)
#: The sign of a signal: an op-amp without feedback, its output clamped.
COMPARATOR = Circuit("comparator", opamps=1, diodes=2)
#: A sum of any number of signals and constants: a summing amplifier and an inverter.
SUM = Circuit("sum", opamps=2)
#: One signal less another.
DIFFERENCE = Circuit("difference", opamps=1)
#: One junction in the feedback of an op-amp, or in front of it.
LOGARITHM = Circuit("logarithm", opamps=1, diodes=1)
EXPONENTIAL = Circuit("exponential", opamps=1, diodes=1)
#: The transfer function of a differential pair, its current turned into a voltage.
PAIR = Circuit("pair", opamps=2)
MULTIPLIER = Circuit("multiplier", multipliers=1)
#: A multiplier in the feedback of an op-amp; for a root it squares, and a diode keeps its sign.
DIVIDER = Circuit("divider", opamps=1, multipliers=1)
ROOT = Circuit("root", opamps=1, multipliers=1, diodes=1)
#: From volts to codes and back.
CODES = Circuit("codes", converters=2)

#: Exporters write a missing bound as the largest float32, or as infinity.
UNBOUNDED = float(np.finfo(np.float32).max)
#: Where a logarithm ends that would not: float32 has no number between this and zero.
LEAST = 1e-38
#: Where an exponential ends: float32 has nothing larger than its value.
MOST_EXPONENT = 88.7
#: The square below which a divider gives up: what it divides by is zero within 1e-15.
NO_DIVISOR = 1e-30


def built(name: str, *blocks: Circuit) -> Circuit:
    """The circuit of that name, made of all these blocks."""
    return Circuit(
        name,
        opamps=sum(block.opamps for block in blocks),
        diodes=sum(block.diodes for block in blocks),
        multipliers=sum(block.multipliers for block in blocks),
        inverters=sum(block.inverters for block in blocks),
        converters=sum(block.converters for block in blocks),
    )
