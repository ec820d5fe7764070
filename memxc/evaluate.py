"""The reference meaning of a Design, in numpy and float64. Knows no operator and no target.

A bus with a scale carries volts, one without carries units of activation; so the same walk serves
a lowered and a programmed Design.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from memxc import digital
from memxc.ir import expr
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Digital, Lanes, Linear, Stage, Wires
from memxc.ir.windows import Ints, Windows
from memxc.physics import amplifier

Floats = NDArray[np.float64]

#: Numbers held at once while windows are gathered; bounds the memory of a large layer (256 MiB).
_CHUNK = 1 << 25


def run(design: Design, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Every bus of the design, (samples, width), from inputs (samples, *shape without batch)."""
    buses = {name: drive(design.buses[name], inputs[name]) for name in design.inputs}
    for stage in design.stages:
        buses[stage.dst] = step(stage, design.buses, [buses[src] for src in stage.srcs])
    return buses


def outputs(design: Design, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """The network's outputs in units of activation, (samples, *shape without batch)."""
    buses = run(design, inputs)
    return {name: read(design.buses[name], buses[name]) for name in design.outputs}


def drive(bus: Bus, values: NDArray[np.generic]) -> Floats:
    """An input tensor put on its bus: scaled to volts, clipped where the source is limited."""
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    return _limited(bus, flat if bus.scale is None else flat * bus.scale)


def read(bus: Bus, values: Floats) -> Floats:
    """A bus as a tensor in units of activation, (samples, *shape without batch)."""
    units = values if bus.scale is None else values / bus.scale
    # A first axis that is no batch of one is part of the sample.
    shape = bus.shape[1:] if bus.shape[:1] == (1,) else bus.shape
    return units.reshape(len(values), *shape)


def step(stage: Stage, buses: Mapping[str, Bus], values: Sequence[Floats]) -> Floats:
    """What one stage puts on its bus, (samples, width), given the values of its sources."""
    dst = buses[stage.dst]
    match stage:
        case Linear():
            return _limited(dst, _linear(stage, dst, buses[stage.src], values[0]))
        case Array():
            return _limited(dst, _array(stage, dst.width, values[0]))
        case Lanes():
            return _limited(dst, _lanes(stage, dst, buses, values))
        case Wires():
            return _take(np.concatenate(values, axis=1), stage.index)
        case Digital():
            tensors = [read(buses[src], v) for src, v in zip(stage.srcs, values, strict=True)]
            result: Floats = digital.apply(stage.function, tensors, stage.options)
            return result.reshape(len(result), -1)


def word_line_volts(
    crossbar: Crossbar, nets: Ints, source: Floats, v_bias: float, gain: float
) -> Floats:
    """Volts on the word lines: `nets` (..., rows) -> (samples, ..., word lines)."""
    rows = np.where(crossbar.line == BIAS, 0, crossbar.line)
    lines = nets[..., rows] if nets.shape[-1] else np.zeros((*nets.shape[:-1], len(rows)), np.int32)
    volts = _take(source, lines)
    volts[..., crossbar.line == BIAS] = v_bias
    inverted = crossbar.sign < 0
    if inverted.any():
        bias = inverted & (crossbar.line == BIAS)
        volts[..., inverted] = amplifier.inverter(volts[..., inverted], gain)
        volts[..., bias] = -v_bias
    return volts


def _linear(stage: Linear, dst: Bus, src: Bus, source: Floats) -> Floats:
    # Contributions are in output units per input unit; a scaled but not yet programmed design
    # (between calibrate and program) carries volts.
    into = 1.0 if src.scale is None else 1.0 / src.scale
    units = source * into
    out = np.zeros((len(source), dst.width + 1))
    for kernel in stage.kernels:
        for groups, places in _chunks(kernel.taps, kernel.rows + kernel.columns, len(source)):
            taps = _take(units, kernel.taps.nets(groups, places))
            part = taps @ kernel.weight(groups)
            if kernel.bias is not None:
                part += np.asarray(kernel.bias[groups], dtype=np.float64)[:, None, :]
            _add(out, kernel.sinks.nets(groups, places), part)
    return out[:, :-1] * (1.0 if dst.scale is None else dst.scale)


def _array(stage: Array, width: int, source: Floats) -> Floats:
    currents = {polarity: np.zeros((len(source), width + 1)) for polarity in (1, -1)}
    loads = {polarity: np.zeros((1, width + 1)) for polarity in (1, -1)}
    for crossbar in stage.crossbars:
        lines = crossbar.word_lines + crossbar.bit_lines
        for groups, places in _chunks(crossbar.taps, lines, len(source)):
            nets = crossbar.taps.nets(groups, places)
            volts = word_line_volts(crossbar, nets, source, stage.v_bias, stage.gain)
            g = crossbar.conductance(groups)
            sinks = crossbar.sinks.nets(groups, places)
            for polarity in (1, -1):
                bits = np.flatnonzero(crossbar.polarity == polarity)
                if len(bits):
                    lanes = sinks[..., crossbar.column[bits]]
                    _add(currents[polarity], lanes, volts @ g[..., bits])
                    load = g[..., bits].sum(axis=1)[None, :, None, :]
                    _add(loads[polarity], lanes, np.broadcast_to(load, (1, *lanes.shape)))
    plus, minus = (currents[p][:, :-1] for p in (1, -1))
    y_plus, y_minus = (loads[p][0, :-1] for p in (1, -1))
    if stage.signed == "inverted-inputs":
        return amplifier.single(minus, y_minus, stage.r_f, stage.gain)
    return amplifier.pair(plus, minus, y_plus, y_minus, stage.r_f, stage.r_join, stage.gain)


def _lanes(stage: Lanes, dst: Bus, buses: Mapping[str, Bus], values: Sequence[Floats]) -> Floats:
    inputs: list[Floats] = []
    for src, taps, volts in zip(stage.srcs, stage.taps, values, strict=True):
        units = volts / (buses[src].scale or 1.0)
        # One line at a time: the lanes of a wide pool would not fit in memory at once.
        for line in range(taps.lines):
            nets = taps.cut(slice(line, line + 1)).nets()
            inputs.append(_take(units, nets.reshape(-1)))
    result = expr.evaluate(stage.expr, inputs)
    return np.broadcast_to(result, inputs[0].shape) * (dst.scale or 1.0)


def _limited(bus: Bus, values: Floats) -> Floats:
    return values if bus.limit is None else np.clip(values, -bus.limit, bus.limit)


def _take(values: Floats, nets: Ints) -> Floats:
    """`values` (samples, width) at `nets` of any shape; a negative net is at 0 V."""
    taken: Floats = (
        values[:, np.maximum(nets, 0)] if values.shape[1] else np.zeros((len(values), *nets.shape))
    )
    if (nets < 0).any():
        taken[:, nets < 0] = 0.0
    return taken


def _add(out: Floats, lanes: Ints, part: Floats) -> None:
    """Add `part` (samples, ...) at `lanes` (...); discarded lanes go to the spare last column."""
    flat = np.where(lanes < 0, out.shape[1] - 1, lanes).reshape(-1)
    values = part.reshape(len(part), -1)
    if np.bincount(flat).max(initial=0) <= 1:
        out[:, flat] += values
        return
    for sample, value in enumerate(values):
        out[sample] += np.bincount(flat, weights=value, minlength=out.shape[1])


def _chunks(taps: Windows, lines: int, samples: int) -> Iterator[tuple[slice, slice]]:
    """Slices of groups and places that keep what is gathered at once under _CHUNK numbers."""
    places = max(1, min(taps.places, _CHUNK // max(1, samples * lines)))
    groups = max(1, min(taps.groups, _CHUNK // max(1, samples * lines * places)))
    for first_group in range(0, taps.groups, groups):
        for first_place in range(0, taps.places, places):
            yield (
                slice(first_group, first_group + groups),
                slice(first_place, first_place + places),
            )
