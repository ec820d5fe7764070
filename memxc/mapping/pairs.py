"""A crossbar by its pairs of devices: one input or bias line, one output column, plus and minus."""

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
    """A crossbar in which every cell has a conductance of its own.

    wanted: (definitions, inputs, columns) S, G+ - G- of each pair; the bias lines are the last
    inputs. slot, column, sign: of every cell, the pair it is of and its side. drive: (inputs, word
    lines), volts on a word line per volt at an input. g_min: siemens of a device that is off.
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
        """The pairs of a crossbar behind inverters of some open-loop gain."""
        rows, bits = np.nonzero(crossbar.cell >= 0)
        g = crossbar.g[:, crossbar.cell[rows, bits]]
        slots, column = _slots(crossbar), crossbar.column[bits].astype(np.intp)
        sign = crossbar.sign[rows] * crossbar.polarity[bits]
        wanted = np.zeros((len(g), int(slots.max()) + 1, crossbar.sinks.lines))
        np.add.at(wanted.transpose(1, 2, 0), (slots[rows], column), (g * sign).T)
        cell = np.full(crossbar.cell.shape, -1)
        cell[rows, bits] = np.arange(len(rows))
        own = replace(crossbar, g=g, cell=ints(cell))
        return Pairs(own, wanted, slots[rows], column, sign, _drive(crossbar, slots, gain), g_min)

    def programmed(self, u: Floats, span: float) -> Crossbar:
        """The crossbar with other differences of its pairs, the unused device of each off."""
        used = np.clip(u[:, self.slot, self.column] * self.sign, 0.0, span)
        # 0 S is no device, and none is added.
        g = np.where(self.crossbar.g > 0, self.g_min + used, 0.0)
        return replace(self.crossbar, g=g)

    def siemens(self, volts: Floats, r_f: Floats, split: bool) -> Floats:
        """What the pairs effectively are, (definitions, inputs, columns), from lane volts per volt
        on a word line (blocks, word lines, columns); r_f: ohm (definitions, places, columns).

        split: the blocks are places; the mean over them is taken.
        """
        groups, places, columns = r_f.shape
        found = self.drive @ volts
        if not split:
            return np.asarray(found / r_f.max(axis=1)[:, None, :])
        apart = found.reshape(groups, places, -1, columns) / r_f[:, :, None, :]
        return np.asarray(apart.mean(axis=1))


def _slots(crossbar: Crossbar) -> Indices:
    """The input of each word line: taps first, then the bias lines in their order."""
    slots = crossbar.line.astype(np.intp)
    for sign in (1, -1):
        lines = np.flatnonzero((crossbar.line == BIAS) & (crossbar.sign == sign))
        slots[lines] = crossbar.taps.lines + np.arange(len(lines))
    return slots


def _drive(crossbar: Crossbar, slots: Indices, gain: float) -> Floats:
    inverse = np.where(crossbar.line == BIAS, -1.0, amplifier.inverter(np.ones(1), gain))
    volts = np.where(crossbar.sign < 0, inverse, 1.0)
    return np.asarray((np.arange(slots.max() + 1)[:, None] == slots) * volts)
