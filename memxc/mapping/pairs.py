"""A crossbar as pairs of devices: G+ - G- between an input (or bias line) and an output.

The pass `compensate` needs this view: it changes G+ - G- of the pairs, and every device must be
free to move. In a Crossbar, one conductance may stand at several places.

    differential                        inverted inputs
              c+     c-                          c
      x ---- G+ --- G-                   x ---- G-
                                        -x ---- G+
      one pair: one word line,          one pair: two word lines,
      two bit lines                     one bit line
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.windows import ints
from memxc.physics.network import amplifier

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Pairs:
    """A crossbar in which every device has a conductance of its own, and its pairs.

    wanted: (definitions, inputs, columns) siemens, G+ - G- of each pair. The bias lines come after
    the other inputs.
    slot, column: (devices,), the input and the output column of the pair that a device is in.
    sign: (devices,), +1 for the device G+ of its pair, -1 for G-.
    drive: (inputs, word lines), volts on a word line per volt at an input.
    g_min: siemens of an unused device.
    """

    crossbar: Crossbar
    wanted: Floats
    slot: Indices
    column: Indices
    sign: NDArray[np.int32]
    drive: Floats
    g_min: float

    @staticmethod
    def of(crossbar: Crossbar, gain: float, g_min: float) -> Pairs:
        """Return the pairs of a crossbar; gain: open-loop gain of its op-amps as inverters."""
        rows, bits = np.nonzero(crossbar.cell >= 0)
        g = crossbar.g[:, crossbar.cell[rows, bits]]
        slots, column = _slots(crossbar), crossbar.column[bits].astype(np.intp)
        sign = crossbar.sign[rows] * crossbar.polarity[bits]
        wanted = np.zeros((len(g), int(slots.max()) + 1, crossbar.sinks.lines))
        np.add.at(wanted.transpose(1, 2, 0), (slots[rows], column), (g * sign).T)
        cell = np.full(crossbar.cell.shape, -1)
        cell[rows, bits] = np.arange(len(rows))
        separate = replace(crossbar, g=g, cell=ints(cell))
        return Pairs(
            separate, wanted, slots[rows], column, sign, _drive(crossbar, slots, gain), g_min
        )

    def programmed(self, u: Floats, span: float) -> Crossbar:
        """Return the crossbar with other differences of its pairs.

        u: (definitions, inputs, columns), G+ - G- in siemens.

        The unused device of each pair goes to g_min, and the used one to at most g_min + span.
        Devices of 0 S are not built, and stay so.
        """
        used = np.clip(u[:, self.slot, self.column] * self.sign, 0.0, span)
        g = np.where(self.crossbar.g > 0, self.g_min + used, 0.0)
        return replace(self.crossbar, g=g)

    def siemens(self, volts: Floats, r_f: Floats, split: bool) -> Floats:
        """Return G+ - G- as the outputs show it: (definitions, inputs, columns), siemens.

        Wires and amplifiers are in it: it is the transfer from an input to a lane, divided by r_f.

        volts: (blocks, word lines, columns), lane volts per volt on a word line.
        r_f: (definitions, places, columns), ohm.
        split: whether a block is one place of a definition, not the whole definition. The result is
        the mean over the places.
        """
        groups, places, columns = r_f.shape
        transfer = self.drive @ volts
        if not split:
            return np.asarray(transfer / r_f.max(axis=1)[:, None, :])
        of_places = transfer.reshape(groups, places, -1, columns) / r_f[:, :, None, :]
        return np.asarray(of_places.mean(axis=1))


def _slots(crossbar: Crossbar) -> Indices:
    """Return the input that drives each word line: first the taps, then the bias lines in order."""
    slots = crossbar.line.astype(np.intp)
    for sign in (1, -1):
        lines = np.flatnonzero((crossbar.line == BIAS) & (crossbar.sign == sign))
        slots[lines] = crossbar.taps.lines + np.arange(len(lines))
    return slots


def _drive(crossbar: Crossbar, slots: Indices, gain: float) -> Floats:
    inverse = np.where(crossbar.line == BIAS, -1.0, amplifier.inverter(np.ones(1), gain))
    volts = np.where(crossbar.sign < 0, inverse, 1.0)
    return np.asarray((np.arange(slots.max() + 1)[:, None] == slots) * volts)
