"""The reference meaning of a Design, in numpy and float64. It knows no operator and no target.

A bus with a scale carries volts, one without carries units of activation. The same code therefore
evaluates a lowered and a programmed Design.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.evaluation import digital
from memxc.ir import expr
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Digital, Lanes, Linear, Rename, Stage
from memxc.ir.windows import Ints, Windows
from memxc.physics.network import amplifier

Floats = NDArray[np.float64]

#: Numbers gathered at once (8 MiB): few enough to stay in the processor's cache, and to bound the
#: memory of a large layer.
_CHUNK = 1 << 20


def run(design: Design, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Return every bus (samples, width), from inputs (samples, *shape without batch)."""
    return dict(walk(design, inputs))


def walk(design: Design, inputs: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, Floats]]:
    """Yield every bus as `run` does, in the order they are driven.

    A bus is freed after its last reader, so that a large network needs little memory.
    """
    readers = Counter(src for stage in design.stages for src in stage.srcs)
    buses: dict[str, Floats] = {}
    for name in design.inputs:
        buses[name] = drive(design.buses[name], inputs[name])
        yield name, buses[name]
    for stage in design.stages:
        buses[stage.dst] = step(stage, design.buses, [buses[src] for src in stage.srcs])
        yield stage.dst, buses[stage.dst]
        readers.subtract(stage.srcs)
        for name in {*stage.srcs, stage.dst}:
            if not readers[name]:
                del buses[name]


def batches(
    design: Design, inputs: Mapping[str, NDArray[Any]]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the samples in batches: all at once for a small network, one by one for a wide one."""
    count = max(map(len, inputs.values()), default=1)
    size = max(1, _CHUNK // max(bus.width for bus in design.buses.values()))
    for first in range(0, count, size):
        yield {name: values[first : first + size] for name, values in inputs.items()}


def outputs(design: Design, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Return the network's outputs in units of activation, (samples, *shape without batch)."""
    parts: dict[str, list[Floats]] = {name: [] for name in design.outputs}
    for batch in batches(design, inputs):
        for name, values in walk(design, batch):
            if name in parts:
                parts[name].append(read(design.buses[name], values))
    return {name: np.concatenate(chunks) for name, chunks in parts.items()}


def drive(bus: Bus, values: NDArray[np.generic]) -> Floats:
    """Return a tensor from outside as its bus carries it: scaled to volts, clipped at the limit."""
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    return limited(bus, flat if bus.scale is None else flat * bus.scale)


def reach(bus: Bus) -> float:
    """Return the largest magnitude, in units of activation, that an input may have unclipped."""
    return math.inf if bus.limit is None or bus.scale is None else bus.limit / bus.scale


def read(bus: Bus, values: Floats) -> Floats:
    """Return a bus as a tensor in units of activation, (samples, *shape without batch)."""
    units = values if bus.scale is None else values / bus.scale
    return units.reshape(len(values), *bus.sample)


def step(stage: Stage, buses: Mapping[str, Bus], values: Sequence[Floats]) -> Floats:
    """Return the values that a stage puts on its bus, (samples, width).

    values: those of its source buses, each (samples, width).
    """
    dst = buses[stage.dst]
    match stage:
        case Linear():
            return limited(dst, _linear(stage, dst, buses[stage.src], values[0]))
        case Array():
            return limited(dst, _array(stage, dst.width, values[0]))
        case Lanes():
            return limited(dst, _lanes(stage, dst, buses, values))
        case Rename():
            return _take(np.concatenate(values, axis=1), stage.index)
        case Digital():
            tensors = [read(buses[src], v) for src, v in zip(stage.srcs, values, strict=True)]
            if stage.subgraph is not None:
                shapes = [buses[src].shape for src in stage.srcs]
                return drive(dst, digital.island(stage.name, stage.subgraph, tensors, shapes, dst))
            result: Floats = digital.apply(stage.function, tensors, stage.options)
            return result.reshape(len(result), -1)


def word_line_volts(crossbar: Crossbar, inputs: Floats, v_bias: float, gain: float) -> Floats:
    """Return the voltages on the word lines (..., word lines) for tap voltages (..., rows)."""
    bias, inverted = crossbar.line == BIAS, crossbar.sign < 0
    # A crossbar of a bias alone has no taps.
    rows = np.where(bias, 0, crossbar.line)
    volts = inputs[..., rows] if inputs.shape[-1] else np.zeros((*inputs.shape[:-1], len(rows)))
    volts[..., bias] = v_bias
    if inverted.any():
        volts[..., inverted] = amplifier.inverter(volts[..., inverted], gain)
        volts[..., inverted & bias] = -v_bias
    return volts


class Source:
    """The values of a bus, (samples, width), read through windows. A negative net is at 0."""

    def __init__(self, values: Floats) -> None:
        self._values = values
        self.samples = len(values)
        self._frame: Ints | None = None
        self._framed = values

    def at(
        self, windows: Windows, groups: slice = slice(None), places: slice = slice(None)
    ) -> Floats:
        """Return the values at windows, (samples, groups, places, lines)."""
        # Most kernels of a stage share one frame, so the framed values are kept for the next one.
        if windows.frame is not self._frame:
            self._frame, self._framed = windows.frame, _take(self._values, windows.frame.ravel())
        return self._framed[:, windows.index(groups, places)]


def _linear(stage: Linear, dst: Bus, src: Bus, source: Floats) -> Floats:
    # Contributions are in output units per input unit; a scaled but not yet programmed design
    # (between calibrate and program) carries volts.
    units = Source(source if src.scale is None else source * (1.0 / src.scale))
    out = np.zeros((len(source), dst.width + 1))
    for kernel in stage.kernels:
        columns = max(1, _CHUNK // max(1, kernel.rows))
        for groups, places in kernel.taps.pieces(_CHUNK, min(columns, kernel.columns), len(source)):
            taps = units.at(kernel.taps, groups, places)
            lanes = kernel.sinks.nets(groups, places)
            # A dense layer may have too many weights to hold them all in double precision.
            for first in range(0, kernel.columns, columns):
                chosen = slice(first, first + columns)
                part = taps @ kernel.weight(groups, chosen)
                if kernel.bias is not None:
                    part += np.asarray(kernel.bias[groups, chosen], dtype=np.float64)[:, None, :]
                _add(out, lanes[..., chosen], part)
    return out[:, :-1] * (1.0 if dst.scale is None else dst.scale)


def driven_lines(
    stage: Array, crossbar: Crossbar, source: Source
) -> Iterator[tuple[slice, slice, Floats]]:
    """Yield groups, places, and the volts (samples, groups, places, word lines) of a stack there.

    source: the volts of the source bus.
    """
    for groups, places in crossbar.taps.pieces(_CHUNK, crossbar.bit_lines, source.samples):
        taps = source.at(crossbar.taps, groups, places)
        yield groups, places, word_line_volts(crossbar, taps, stage.v_bias, stage.gain)


def add_currents(
    currents: Mapping[int, Floats], crossbar: Crossbar, groups: slice, places: slice, words: Floats
) -> None:
    """Add the amperes of plus (1) and minus (-1) bit lines, (samples, width + 1) each, in place.

    groups, places, words: as `driven_lines` yields them. The last column is for lanes that nobody
    reads.
    """
    parts = words @ crossbar.conductance(groups)
    sinks = crossbar.sinks.nets(groups, places)
    for polarity, amperes in currents.items():
        bits = np.flatnonzero(crossbar.polarity == polarity)
        if len(bits):
            _add(amperes, sinks[..., crossbar.column[bits]], parts[..., bits])


def amplified(stage: Array, plus: Floats, minus: Floats, loads: Mapping[int, Floats]) -> Floats:
    """Return the volts (samples, width) behind the amplifiers of a stage, before any limiter.

    plus, minus: amperes (samples, width). loads: siemens at the summing nodes (`amplifier.loads`).
    """
    if stage.single_ended:
        return amplifier.single(minus, loads[-1], stage.r_f, stage.gain, stage.offset)
    return amplifier.pair(
        plus, minus, loads[1], loads[-1], stage.r_f, stage.r_join, stage.gain, stage.offset
    )


def _array(stage: Array, width: int, source: Floats) -> Floats:
    currents = {polarity: np.zeros((len(source), width + 1)) for polarity in (1, -1)}
    volts = Source(source)
    for crossbar in stage.crossbars:
        for groups, places, words in driven_lines(stage, crossbar, volts):
            add_currents(currents, crossbar, groups, places, words)
    plus, minus = (currents[p][:, :-1] for p in (1, -1))
    return amplified(stage, plus, minus, amplifier.loads(stage.crossbars, width))


def _lanes(stage: Lanes, dst: Bus, buses: Mapping[str, Bus], values: Sequence[Floats]) -> Floats:
    inputs: list[Floats] = []
    for src, taps, volts in zip(stage.srcs, stage.taps, values, strict=True):
        units = Source(volts / (buses[src].scale or 1.0))
        for line in range(taps.lines):
            inputs.append(units.at(taps.cut(slice(line, line + 1))).reshape(len(volts), -1))
    result = expr.evaluate(stage.expr, inputs)
    return np.broadcast_to(result, inputs[0].shape) * (dst.scale or 1.0)


def limited(bus: Bus, values: Floats) -> Floats:
    """Return the volts (samples, width) behind the limiter of a bus, if it has one."""
    return values if bus.limit is None else np.clip(values, -bus.limit, bus.limit)


def _take(values: Floats, nets: Ints) -> Floats:
    """Return `values` (samples, width) at `nets` (lanes,); a negative net is at 0 V."""
    if not values.shape[1]:
        return np.zeros((len(values), len(nets)))
    taken: Floats = values[:, nets]
    taken[:, nets < 0] = 0.0
    return taken


def _add(out: Floats, lanes: Ints, part: Floats) -> None:
    """Add `part` (samples, ...) at `lanes` (...) of `out`. DISCARD goes to its last column."""
    flat = np.where(lanes < 0, out.shape[1] - 1, lanes).reshape(-1)
    for sample, value in zip(out, part, strict=True):
        np.add.at(sample, flat, value.reshape(-1))
