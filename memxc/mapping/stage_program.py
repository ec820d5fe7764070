"""How a stage is programmed: weights become pairs of conductances, lanes get their resistors.

    w * s_out / s_in = r_f * (G+ - G-)

s_in and s_out are the scales of the buses, in volts per unit. The unused device of a pair stays at
g_min, and g_min cancels in the difference. All crossbars that add to one lane have one slope,
siemens per unit of weight: the lane's largest weight or bias is programmed to g_max. A weight of
exactly zero is a pair at g_min, or no device if zeros are absent.

A lane of small weights would get a small r_f, which its op-amp cannot drive. Where the target gives
the smallest r_f (amplifier.r_f_min_ohm), such a lane is programmed below g_max instead. A fixed
resistor in place of a weight is at least amplifier.r_average_min_ohm, if the target gives this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memxc.interfaces import Context
from memxc.ir.design import Bus
from memxc.ir.kernel import Crossbar, Kernel, blocks_at_once
from memxc.ir.stages import Array, Linear, Signed
from memxc.ir.windows import ints
from memxc.mapping import conductance, feedback, levels, subimage
from memxc.mapping.feedback import largest_weights
from memxc.physics.network.amplifier import loads
from memxc.target import Device

Floats = NDArray[np.float64]

#: At most so many nets are looked at together, to bound the memory.
_CHUNK = 1 << 20


def plan(stage: Linear, src: Bus, dst: Bus, ctx: Context, known: Device | None) -> StageProgram:
    """Return how a stage between calibrated buses is programmed.

    known: the device whose levels are used; None if any conductance within its range is.
    """
    bare = StageProgram(stage, src, dst, ctx, known, ())
    peaks = _peaks(stage.kernels, bare.bias_unit, dst.width)
    least = (ctx.target.amplifier.r_f_min_ohm or 0.0) / bare.ohms_per_peak
    return replace(bare, peaks=tuple(np.maximum(peak, least) for peak in peaks))


@dataclass(frozen=True, eq=False)
class StageProgram:
    """How a stage is programmed, between buses that have scales.

    known: the device whose levels are used; None if any conductance within its range is.
    peaks: (groups, columns) of each kernel, the weight that becomes the largest conductance. It may
    be larger than all weights of its lane.
    """

    stage: Linear
    src: Bus
    dst: Bus
    ctx: Context
    known: Device | None
    peaks: tuple[Floats, ...]

    def crossbars(self, first: int = 0) -> Iterator[Crossbar]:
        """Yield the crossbars. first: the number of the first definition."""
        for kernel, peak in zip(self.stage.kernels, self.peaks, strict=True):
            yield self._made(kernel, peak, first)
            first += kernel.groups

    def parts(self, first: int = 0) -> Iterator[Crossbar]:
        """Yield the crossbars a few blocks of a stack at a time, as Crossbar.parts does."""
        for kernel, peak in zip(self.stage.kernels, self.peaks, strict=True):
            biased = 0 if kernel.bias is None else kernel.columns
            step = blocks_at_once(2 * (kernel.values.shape[1] + biased))
            # A fixed resistor is left out if it is zero in all blocks: these must be seen together.
            whole = not self.stage.programmable or step >= kernel.groups
            for start in range(0, kernel.groups, kernel.groups if whole else step):
                some = slice(start, None if whole else start + step)
                yield self._made(subimage.some_groups(kernel, some), peak[some], first + start)
            first += kernel.groups

    def _made(self, kernel: Kernel, peak: Floats, first: int) -> Crossbar:
        crossbar = _crossbar(kernel, peak, self, first)
        if not self.stage.programmable:
            return crossbar
        return replace(crossbar, g=levels.nearest_level(crossbar.g, self.known))

    def array(self, crossbars: Sequence[Crossbar]) -> Array:
        """Return the stage with its crossbars, and with the resistors of its amplifiers."""
        r_f, r_join = self.resistors(loads(crossbars, self.dst.width)[1])
        return replace(self.bare(), crossbars=tuple(crossbars), r_f=r_f, r_join=r_join)

    def resistors(self, load: Floats) -> tuple[Floats, Floats]:
        """Return r_f and r_join of each lane, (dst width,) ohm.

        load: siemens of the devices on each lane's plus bit lines, (dst width,).
        """
        r_f = _feedback(self.stage.kernels, self.peaks, self.ohms_per_peak, self.dst.width)
        return r_f, feedback.joining(load, self.ctx.target)

    def bare(self) -> Array:
        """Return the stage without crossbars and resistors."""
        target, stage = self.ctx.target, self.stage
        return Array(
            name=stage.name,
            src=stage.src,
            dst=stage.dst,
            crossbars=(),
            r_f=np.broadcast_to(1.0, self.dst.width),
            r_join=np.broadcast_to(1.0, self.dst.width),
            v_bias=target.device.read_voltage_v,
            gain=target.amplifier.gain,
            cell=stage.cell,
            schedule=stage.schedule,
            signed=self.signed,
        )

    @property
    def signed(self) -> Signed:
        """How a negative weight is built. Fixed resistors are always differential."""
        return self.ctx.signed if self.stage.programmable else "differential"

    @property
    def g_min(self) -> float:
        """Siemens of a weight of zero."""
        return self.ctx.target.device.g_min if self.stage.programmable else 0.0

    @property
    def span(self) -> float:
        """Siemens between a weight of zero and the largest weight of a lane."""
        target = self.ctx.target
        if not self.stage.programmable and target.amplifier.r_average_min_ohm is not None:
            return 1.0 / target.amplifier.r_average_min_ohm
        return target.device.g_max - self.g_min

    @property
    def ohms_per_peak(self) -> float:
        """The feedback resistor of a lane, divided by the lane's peak."""
        assert self.src.scale is not None, "calibrate comes before program"
        assert self.dst.scale is not None, "calibrate comes before program"
        return self.dst.scale / self.src.scale / self.span

    @property
    def bias_unit(self) -> float:
        """Volts of an input that is one, divided by the volts of a bias line."""
        assert self.src.scale is not None, "calibrate comes before program"
        return self.src.scale / self.ctx.target.device.read_voltage_v


def _peaks(kernels: Sequence[Kernel], bias_unit: float, width: int) -> list[Floats]:
    """Return the largest magnitude of each kernel's columns, (groups, columns).

    It is the same for all columns that add to one lane, and 1 for columns without weights.
    """
    peaks = [_own_peak(kernel, bias_unit) for kernel in kernels]
    shared = feedback.equalized([kernel.sinks for kernel in kernels], peaks, width)
    return [np.where(peak > 0, peak, 1.0) for peak in shared]


def _own_peak(kernel: Kernel, bias_unit: float) -> Floats:
    """Return the largest magnitude of each column, (groups, columns), within one kernel.

    Columns that share a device share its slope, and so their peak.
    """
    bias = np.zeros((kernel.groups, kernel.columns))
    if kernel.bias is not None:
        bias = np.abs(kernel.bias) * bias_unit / kernel.bias_lines
    if kernel.cell is None:
        return np.asarray(np.maximum(largest_weights(kernel), bias))
    values = np.abs(np.asarray(kernel.values, dtype=np.float64))
    column, device = _families(kernel)
    peak = np.zeros((1 + max(column.max(initial=0), device.max(initial=0)), kernel.groups))
    np.maximum.at(peak, device, values.T)
    np.maximum.at(peak, column, bias.T)
    return np.asarray(peak[column].T)


def _families(kernel: Kernel) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the family of each column and device: columns that share devices are in one."""
    assert kernel.cell is not None, "a dense kernel has no devices in two columns"
    rows, columns = np.nonzero(kernel.cell >= 0)
    node = kernel.columns + kernel.cell[rows, columns]
    size = kernel.columns + kernel.values.shape[1]
    joins = coo_array((np.ones(len(node), dtype=np.int8), (columns, node)), shape=(size, size))
    label = connected_components(joins, directed=False)[1]
    return label[: kernel.columns], label[kernel.columns :]


def _crossbar(kernel: Kernel, peak: Floats, program: StageProgram, first: int) -> Crossbar:
    slope = program.span / peak
    pattern = kernel.pattern
    values = conductance.sloped(kernel, slope)
    bias = np.zeros((kernel.groups, 0))
    if kernel.bias is not None:
        volts = np.asarray(kernel.bias, dtype=np.float64) * program.bias_unit / kernel.bias_lines
        bias = volts * slope
    layout = (
        conductance.inverted if program.signed == "inverted-inputs" else conductance.differential
    )
    lines = kernel.bias_lines if kernel.bias is not None else 0
    cell, line, sign, column, polarity = layout(pattern, kernel.values.shape[1], lines)
    g = conductance.differential_pairs(values, bias, program.g_min, program.span, program.ctx.zeros)
    if not program.stage.programmable:
        # A fixed resistor of no conductance is left out, and a minus bit line without any.
        cell = np.where(np.max(g, axis=0)[np.maximum(cell, 0)] > 0, cell, -1)
        keep = (polarity > 0) | np.any(cell >= 0, axis=0)
        bits = np.flatnonzero(keep)
        cell, column, polarity = cell[:, bits], column[bits], polarity[bits]
    return Crossbar(
        g=g,
        cell=ints(cell),
        line=ints(line),
        sign=ints(sign),
        column=ints(column),
        polarity=ints(polarity),
        definition=ints(np.arange(first, first + kernel.groups)),
        taps=kernel.taps,
        sinks=kernel.sinks,
        grid=kernel.grid,
    )


def _feedback(
    kernels: Sequence[Kernel], peaks: Sequence[Floats], unit: float, width: int
) -> Floats:
    """Return r_f of each lane in ohm, (width,): `unit` times the peak, or 1 ohm without columns."""
    r_f = np.ones(width)
    for kernel, peak in zip(kernels, peaks, strict=True):
        once, which = kernel.sinks.distinct()
        ohms = np.empty((once.groups, kernel.columns))
        ohms[which] = unit * peak
        for groups, places in once.pieces(_CHUNK):
            nets = once.nets(groups, places)
            driven = nets >= 0
            r_f[nets[driven]] = np.broadcast_to(ohms[groups, None], nets.shape)[driven]
    return r_f
