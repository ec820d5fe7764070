"""Programmed crossbars as effective weights: Array stages become Linear ones again.

    volts on word lines --> crossbar, wires, amplifiers --> volts on lanes = volts @ E + bias

The amplifiers are linear, so a stage is a matrix E, volts per volt; in units of activation a weight
is E * src.scale / dst.scale. E contains all that is known of the circuit: levels and draws of the
devices, the finite gain, and the loads of row parts on their common nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar, Kernel
from memxc.ir.stages import Array, Linear
from memxc.ir.windows import GROUND, Ints, Windows, identity_windows, ints
from memxc.physics.network import amplifier, stage_matrix
from memxc.physics.network.drive import one_block_a_place, word_line_drive
from memxc.physics.network.nodal import WireResistance

Floats = NDArray[np.float64]
#: Numbers held at once while conductances become weights; bounds the memory of a large stack.
_HELD = 1 << 22


def effective(design: Design, wires: WireResistance | None = None) -> Design:
    """Return the design with every Array as a Linear stage, with one kernel a crossbar.

    The kernels of row parts add up. Without wires, `evaluate` gives the same outputs for both
    designs up to rounding. wires: the resistances; None, or 0 everywhere, means perfect conductors.
    """
    perfect = wires is None or not any(astuple(wires))
    return design.with_stages(
        _linear(stage, design, None if perfect else wires) if isinstance(stage, Array) else stage
        for stage in design.stages
    )


@dataclass(frozen=True, eq=False)
class _Closing:
    """Volts of each lane per ampere into its plus and minus node, each (width + 1,).

    The last entry is a spare one for discarded lanes. offset: volts (width,) of the op-amps'
    offsets.
    """

    plus: Floats
    minus: Floats
    offset: Floats | None

    def alike(self, lanes: Ints) -> bool:
        """Return whether all places of lanes (groups, places, columns) have the same amplifiers."""
        if lanes.shape[1] == 1:
            return True
        wanted = lanes >= 0
        for volts in (self.plus, self.minus):
            largest = np.where(wanted, volts[lanes], -np.inf).max(axis=1)
            least = np.where(wanted, volts[lanes], np.inf).min(axis=1)
            if (largest - least > 1e-12 * np.abs(volts).max()).any():
                return False
        return True

    def of_bits(self, crossbar: Crossbar, lanes: Ints) -> Floats:
        """Return volts per ampere (blocks, bit lines) of lanes (blocks, places, columns)."""
        # All places are alike, so any place whose lane is not discarded will do.
        lane = np.maximum(lanes.max(axis=1), -1)[:, crossbar.column]
        return np.asarray(np.where(crossbar.polarity > 0, self.plus[lane], self.minus[lane]))


def _linear(stage: Array, design: Design, wires: WireResistance | None) -> Linear:
    src, dst = design.buses[stage.src], design.buses[stage.dst]
    assert src.scale is not None, "a programmed stage reads a bus without a scale"
    assert dst.scale is not None, "a programmed stage drives a bus without a scale"
    scales = src.scale, dst.scale
    # Read noise is computed for perfect wires: what wires take off it is small against the noise.
    closing = _closing(stage, dst.width) if wires is None or stage.read_noise else None
    if wires is not None:
        kernels, offset = stage_matrix.kernels(stage, scales, wires)
    else:
        assert closing is not None, "no wires, no amplifiers"
        kernels = tuple(_kernel(part, stage, closing, scales) for part in stage.crossbars)
        offset = closing.offset
    if offset is not None:
        kernels = (*kernels, _shift(offset / dst.scale))
    noise: tuple[Kernel, ...] = ()
    if stage.read_noise:
        assert closing is not None, "no amplifiers"
        noise = tuple(_kernel(part, stage, closing, scales, 2) for part in stage.crossbars)
    return Linear(
        stage.name, stage.src, stage.dst, kernels, stage.cell, stage.schedule, noise=noise
    )


def _shift(units: Floats) -> Kernel:
    """Return a kernel without taps that adds the offsets' volts to every lane, in output units."""
    nothing = Windows(ints([GROUND]), ints([0]), ints([0]), ints([]))
    return Kernel(np.zeros((1, 0)), None, units[None], nothing, identity_windows(len(units)), (1,))


def _closing(stage: Array, width: int) -> _Closing:
    loads = amplifier.loads(stage.crossbars, width)
    y_plus, y_minus = loads[1], loads[-1]
    one, none = np.ones((1, width)), np.zeros((1, width))
    if stage.single_ended:
        minus = amplifier.single(one, y_minus, stage.r_f, stage.gain)
        plus = none
        offset = amplifier.single(none, y_minus, stage.r_f, stage.gain, stage.offset)
    else:
        rest = (y_plus, y_minus, stage.r_f, stage.r_join, stage.gain)
        plus, minus = amplifier.pair(one, none, *rest), amplifier.pair(none, one, *rest)
        offset = amplifier.pair(none, none, *rest, stage.offset)
    volts = None if stage.offset is None else offset[0]
    return _Closing(np.append(plus[0], 0.0), np.append(minus[0], 0.0), volts)


def _kernel(
    crossbar: Crossbar,
    stage: Array,
    closing: _Closing,
    scales: tuple[float, float],
    power: Literal[1, 2] = 1,
) -> Kernel:
    """Return the weights of a crossbar as a kernel.

    power 2: the variances that read noise gives them, per squared input (cells are independent, so
    their variances add).
    """
    spread = 1.0 if power == 1 else stage.read_noise
    taps, sinks, grid = crossbar.taps, crossbar.sinks, crossbar.grid
    lanes = sinks.nets()
    if not closing.alike(lanes):
        # Amplifiers differ from place to place, so every place becomes a group of its own.
        taps, sinks, grid = one_block_a_place(taps), one_block_a_place(sinks), (1,)
        lanes = sinks.nets()
    shares = len(lanes) // crossbar.groups
    rows, columns = taps.lines, sinks.lines
    join = (crossbar.column[:, None] == np.arange(columns)).astype(np.float64)
    driven = word_line_drive(crossbar, stage, scales) ** power
    matrix = np.empty((len(lanes), rows + 1, columns))
    for groups in _chunks(crossbar):
        blocks = slice(groups.start * shares, groups.stop * shares)
        t = np.repeat(crossbar.conductance(groups), shares, axis=0)
        volts = closing.of_bits(crossbar, lanes[blocks])
        matrix[blocks] = driven @ (spread * t * volts[:, None, :]) ** power @ join
    bias = matrix[:, rows] if (crossbar.line == BIAS).any() else None
    return Kernel(matrix[:, :rows].reshape(len(lanes), -1), None, bias, taps, sinks, grid)


def _chunks(crossbar: Crossbar) -> Iterator[slice]:
    step = max(1, _HELD // max(1, crossbar.word_lines * crossbar.bit_lines))
    for first in range(0, crossbar.groups, step):
        yield slice(first, min(first + step, crossbar.groups))
