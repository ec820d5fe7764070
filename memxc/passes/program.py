"""program: weights become pairs of conductances, lanes get their amplifiers' resistors.

    w * s_out / s_in = r_f * (G+ - G-),   the unused device of a pair stays at g_min and cancels

One slope (siemens per unit of weight) an output lane, shared by its row parts: the largest weight
or bias of the lane is programmed to g_max. A weight of exactly zero is a pair at g_min, or, where
the context says that zeros are absent, no device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar, Kernel
from memxc.ir.stages import Array, Linear
from memxc.ir.windows import ints
from memxc.passes import Context, DesignPass
from memxc.passes import _amplifiers as amplifiers
from memxc.passes import _levels as levels
from memxc.target import Device

Floats = NDArray[np.float64]

LEVELS = ("now", "later")


@dataclass(frozen=True)
class Program(DesignPass):
    """Linear -> Array: conductances within the device's range and levels, r_f and r_join.

    Exact up to rounding where the device has continuous levels and the amplifiers are ideal.
    levels: `now`, or `later` where compensate is to round to the device's levels.
    """

    name = "program"
    exact = False
    levels: str = "now"

    def run(self, design: Design, ctx: Context) -> Design:
        """The design with every Linear stage programmed."""
        if self.levels not in LEVELS:
            what = f"no levels {self.levels!r}"
            raise fail("usage", "program.levels", what, f"one of {', '.join(LEVELS)}")
        stages, first = [], 0
        for stage in design.stages:
            if isinstance(stage, Linear):
                known = None if self.levels == "later" else ctx.target.device
                stage = _array(stage, design, ctx, first, known)  # noqa: PLW2901
                first += sum(crossbar.groups for crossbar in stage.crossbars)
            stages.append(stage)
        return design.with_stages(stages)


def _array(stage: Linear, design: Design, ctx: Context, first: int, known: Device | None) -> Array:
    """known: the device on whose levels the conductances are, None for any within its range."""
    src, dst = design.buses[stage.src], design.buses[stage.dst]
    assert src.scale is not None, "calibrate comes before program"
    assert dst.scale is not None, "calibrate comes before program"
    target = ctx.target
    signed = ctx.signed if stage.cell != "resistor" else "differential"
    bias_unit = src.scale / target.device.read_voltage_v
    peaks = _peaks(stage.kernels, bias_unit, dst.width)
    crossbars = []
    for kernel, peak in zip(stage.kernels, peaks, strict=True):
        made = _crossbar(kernel, peak, bias_unit, stage, ctx, signed, first)
        if stage.cell != "resistor":
            made = replace(made, g=levels.nearest(made.g, known))
        crossbars.append(made)
        first += kernel.groups
    span = target.device.g_max - (0.0 if stage.cell == "resistor" else target.device.g_min)
    r_f = _feedback(stage.kernels, peaks, dst.scale / src.scale / span, dst.width)
    return Array(
        name=stage.name,
        src=stage.src,
        dst=stage.dst,
        crossbars=tuple(crossbars),
        r_f=r_f,
        r_join=amplifiers.joining(crossbars, dst.width, target),
        v_bias=target.device.read_voltage_v,
        gain=target.amplifier.gain,
        cell=stage.cell,
        schedule=stage.schedule,
        signed=signed,
    )


def _peaks(kernels: Sequence[Kernel], bias_unit: float, width: int) -> list[Floats]:
    """Largest magnitude (groups, columns) of each kernel's columns, equal along shared lanes."""
    own = [_own_peak(kernel, bias_unit) for kernel in kernels]
    shared = amplifiers.alike([kernel.sinks for kernel in kernels], own, width)
    return [np.where(peak > 0, peak, 1.0) for peak in shared]


def _own_peak(kernel: Kernel, bias_unit: float) -> Floats:
    """Largest magnitude of each column, (groups, columns), and of those that share its devices."""
    values = np.abs(np.asarray(kernel.values, dtype=np.float64))
    bias = np.zeros((kernel.groups, kernel.columns))
    if kernel.bias is not None:
        bias = np.abs(kernel.bias) * bias_unit / kernel.bias_lines
    if kernel.cell is None:
        blocks = values.reshape(kernel.groups, kernel.rows, kernel.columns)
        return np.asarray(np.maximum(blocks.max(axis=1, initial=0.0), bias))
    # A device has one slope, so the columns that it stands in have one peak.
    column, device = _families(kernel)
    most = np.zeros((1 + max(column.max(initial=0), device.max(initial=0)), kernel.groups))
    np.maximum.at(most, device, values.T)
    np.maximum.at(most, column, bias.T)
    return np.asarray(most[column].T)


def _families(kernel: Kernel) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The set that each column and each device belongs to; a column is in that of its devices."""
    assert kernel.cell is not None, "a dense kernel has no devices in two columns"
    rows, columns = np.nonzero(kernel.cell >= 0)
    node = kernel.columns + kernel.cell[rows, columns]
    size = kernel.columns + kernel.values.shape[1]
    joins = coo_array((np.ones(len(node), dtype=np.int8), (columns, node)), shape=(size, size))
    label = connected_components(joins, directed=False)[1]
    return label[: kernel.columns], label[kernel.columns :]


def _crossbar(
    kernel: Kernel,
    peak: Floats,
    bias_unit: float,
    stage: Linear,
    ctx: Context,
    signed: str,
    first: int,
) -> Crossbar:
    fixed, device = stage.cell == "resistor", ctx.target.device
    g_min = 0.0 if fixed else device.g_min
    span = device.g_max - g_min
    slope = span / peak
    pattern = kernel.pattern
    values = np.asarray(kernel.values, dtype=np.float64) * _per_device(slope, pattern, kernel)
    bias = np.zeros((kernel.groups, 0))
    if kernel.bias is not None:
        bias = np.asarray(kernel.bias, dtype=np.float64) * bias_unit / kernel.bias_lines * slope
    parts = [g_min + np.clip(part, 0.0, span) for part in (values, -values, bias, -bias)]
    if ctx.zeros == "absent":
        # 0 S is no device.
        found = (values, values, bias, bias)
        parts = [np.where(weight == 0, 0.0, g) for weight, g in zip(found, parts, strict=True)]
    layout = _inverted if signed == "inverted-inputs" else _differential
    lines = kernel.bias_lines if kernel.bias is not None else 0
    cell, line, sign, column, polarity = layout(pattern, kernel.values.shape[1], lines)
    g = np.concatenate(parts, axis=1)
    if fixed:
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


def _per_device(slope: Floats, pattern: NDArray[np.int32], kernel: Kernel) -> Floats:
    """The slope of each device's column, (groups, devices): a device has one column's slope."""
    devices = kernel.values.shape[1]
    spread = np.ones((kernel.groups, devices))
    rows, columns = np.nonzero(pattern >= 0)
    spread[:, pattern[rows, columns]] = slope[:, columns]
    return spread


def _differential(pattern: NDArray[np.int32], devices: int, bias: int) -> tuple[NDArray[Any], ...]:
    """(M+1) x 2: plus and minus bit lines interleaved, the bias on the last word lines."""
    rows, columns = pattern.shape
    cell = np.full((rows + bias, 2 * columns), -1, dtype=np.int32)
    cell[:rows, 0::2] = pattern
    cell[:rows, 1::2] = np.where(pattern >= 0, pattern + devices, -1)
    cell[rows:, 0::2] = 2 * devices + np.arange(columns)
    cell[rows:, 1::2] = 2 * devices + columns + np.arange(columns)
    line = np.concatenate([np.arange(rows), np.full(bias, BIAS)])
    column = np.repeat(np.arange(columns), 2)
    return cell, line, np.ones_like(line), column, np.tile([1, -1], columns)


def _inverted(pattern: NDArray[np.int32], devices: int, bias: int) -> tuple[NDArray[Any], ...]:
    """(2M+2) x 1: each input and its inverse on neighbouring word lines, one bit line an output.

    One op-amp inverts, so a positive weight stands on the inverted line.
    """
    rows, columns = pattern.shape
    cell = np.full((2 * (rows + bias), columns), -1, dtype=np.int32)
    cell[0 : 2 * rows : 2] = np.where(pattern >= 0, pattern + devices, -1)
    cell[1 : 2 * rows : 2] = pattern
    cell[2 * rows :: 2] = 2 * devices + columns + np.arange(columns)
    cell[2 * rows + 1 :: 2] = 2 * devices + np.arange(columns)
    line = np.concatenate([np.repeat(np.arange(rows), 2), np.full(2 * bias, BIAS)])
    return cell, line, np.tile([1, -1], rows + bias), np.arange(columns), np.full(columns, -1)


def _feedback(
    kernels: Sequence[Kernel], peaks: Sequence[Floats], unit: float, width: int
) -> Floats:
    """r_f of each lane, ohm: `unit` times the lane's peak; 1 ohm where nothing drives a lane."""
    r_f = np.ones(width)
    for kernel, peak in zip(kernels, peaks, strict=True):
        nets = kernel.sinks.nets()
        ohms = np.broadcast_to((unit * peak)[:, None, :], nets.shape)
        r_f[nets[nets >= 0]] = ohms[nets >= 0]
    return r_f
