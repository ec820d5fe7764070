"""How the operating point of a design is found: stage by stage, a few crossbars at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost.operating import ArrayPoint, Floats, Kept, Net, OperatingPoint, Signal
from memxc.backends.cost.power import most_volts
from memxc.evaluation import evaluate
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Digital, Rename, Stage
from memxc.ir.windows import Windows
from memxc.physics.network import amplifier
from memxc.target import Target

#: At most so many samples are looked at, and of a wide network only so many volts of a bus.
SAMPLES = 16
_HELD = 1 << 21


#: Each lane takes about 100 bytes until the report is written. 2^25 of them are 3 GB.
_MOST_LANES = 1 << 25


def possible(design: Design) -> bool:
    """Return whether a design is narrow enough for its operating point to be kept."""
    hardware = (s for s in design.stages if not isinstance(s, Rename | Digital))
    return sum(design.buses[stage.dst].width for stage in hardware) <= _MOST_LANES


class Recorder:
    """Computes a design stage by stage, in order, and keeps its operating point.

    The crossbars of a stage are given one after the other: `start`, `add` for each, and `end`.
    """

    def __init__(self, design: Design, samples: Mapping[str, NDArray[Any]], signed: bool) -> None:
        """signed: keep averages with their sign, which op-amps of class A need."""
        self._design, self._signed = design, signed
        widest = max(bus.width for bus in design.buses.values())
        self._most = max(1, min(SAMPLES, _HELD // widest))
        self._readers = Counter(src for stage in design.stages for src in stage.srcs)
        self._values: dict[str, Floats] = {}
        self._volts: dict[str, Signal] = {}
        self._loads: dict[str, Kept] = {}
        self._arrays: list[ArrayPoint] = []
        self.samples = 0
        self._digital = design.digital
        for name in design.inputs:
            driven = evaluate.drive(design.buses[name], samples[name][: self._most])
            self.samples = len(driven)
            self._keep(name, driven)

    def other(self, stage: Stage) -> None:
        """Compute a stage that has no crossbars."""
        values = [self._values[src] for src in stage.srcs]
        found = evaluate.step(stage, self._design.buses, values)
        if isinstance(stage, Rename) or stage.dst in self._digital:
            self._values[stage.dst] = found
        else:
            self._keep(stage.dst, found)
        self._free(stage)

    def start(self, stage: Array) -> StageRecorder:
        """Start a stage of crossbars. `stage` may lack crossbars, r_f and r_join."""
        width = self._design.buses[stage.dst].width
        return StageRecorder(
            stage, self._values[stage.src], width, self._load(stage.src), self._signed
        )

    def end(self, stage: Array, recorder: StageRecorder) -> None:
        """End a stage. `stage` has its r_f and r_join."""
        point, volts = recorder.point(stage, most_volts(self._design, stage))
        self._arrays.append(point)
        self._keep(stage.dst, evaluate.limited(self._design.buses[stage.dst], volts))
        self._free(stage)

    def _load(self, name: str) -> Kept:
        """Return the loads of a bus as in `Net`, (3, width) siemens; they are added to in place."""
        none = np.zeros((3, self._design.buses[name].width), np.float32)
        return self._loads.setdefault(name, none)

    def _keep(self, name: str, values: Floats) -> None:
        self._volts[name] = Signal.of(values, self._signed)
        self._values[name] = values

    def _free(self, stage: Stage) -> None:
        self._readers.subtract(stage.srcs)
        for name in {*stage.srcs, stage.dst}:
            if not self._readers[name]:
                del self._values[name]

    def result(self, worst_v: float) -> OperatingPoint:
        """Return the operating point. worst_v: the volts of a net that has no limiter."""
        buses = self._design.buses
        # The load of a renamed net is a load of the net that it renames.
        for stage in reversed(self._design.stages):
            if isinstance(stage, Rename) and stage.dst in self._loads:
                ends = np.cumsum([0, *(buses[src].width for src in stage.srcs)])
                whole = np.zeros((3, ends[-1]))
                there = stage.index >= 0
                np.add.at(whole.T, stage.index[there], self._loads.pop(stage.dst).T[there])
                for src, first, last in zip(stage.srcs, ends, ends[1:], strict=False):
                    self._load(src)[:] += whole[:, first:last]
        driven = [*self._design.inputs]
        driven += [s.dst for s in self._design.stages if not isinstance(s, Rename)]
        nets = {
            name: Net(self._volts[name], mean, once, inverse, buses[name].limit or worst_v)
            for name in driven
            if name not in self._digital
            for mean, once, inverse in [self._load(name)]
        }
        return OperatingPoint(nets, tuple(self._arrays), self.samples)


@dataclass(eq=False)
class StageRecorder:
    """The sums over the crossbars of one stage.

    source: volts (samples, width of the source). loads: (3, width of the source), siemens that are
    added to: the mean over time, the largest at one time, and those behind inverters.
    """

    stage: Array
    source: Floats
    width: int
    loads: Kept
    signed: bool
    _watts: Floats = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        self._read = evaluate.Source(self.source)
        self._currents = {p: np.zeros((len(self.source), self.width + 1)) for p in (1, -1)}
        self._ends = {polarity: np.zeros(self.width) for polarity in (1, -1)}
        self._share: Kept = np.broadcast_to(np.float32(1), self.width)

    def add(self, crossbar: Crossbar) -> None:
        """Add a stack of crossbars."""
        at_once = 1.0 / crossbar.places if self.stage.sequential else 1.0
        for part in crossbar.parts():
            drains = part.drains()
            bias, inverse = part.line == BIAS, part.sign < 0
            for groups, places, words in evaluate.driven_lines(self.stage, part, self._read):
                evaluate.add_currents(self._currents, part, groups, places, words)
                squares = np.einsum("sgpw,sgpw->gw", words, words) * drains[groups]
                watts = squares.sum(axis=0) * at_once / len(words)
                self._watts += watts.sum(), watts[inverse & ~bias].sum(), watts[bias].sum()
            for polarity, siemens in amplifier.loads([part], self.width).items():
                self._ends[polarity] += siemens
            for kind, lines in ((0, ~bias & ~inverse), (2, ~bias & inverse)):
                if lines.any():
                    self._load(kind, part.taps, _on_lines(drains[:, lines], part.line[lines], part))
            if self.stage.sequential:
                if not self._share.flags.writeable:
                    self._share = self._share.copy()
                lanes = part.sinks.nets()
                self._share[lanes[lanes >= 0]] = at_once

    def _load(self, kind: int, taps: Windows, siemens: Floats) -> None:
        """Add the siemens (groups, lines) of word lines to the nets that drive them."""
        if not self.stage.sequential:
            added = np.zeros(self.loads.shape[1])
            taps.add(added, siemens)
            self.loads[kind] += added
            self.loads[1] += added if kind == 0 else 0.0
            return
        added = np.zeros(self.loads.shape[1])
        taps.add(added, siemens / taps.places)
        self.loads[kind] += added
        if kind == 0:
            once, sums = taps.merged(siemens)
            nets = once.nets()
            largest = np.zeros(self.loads.shape[1])
            values = np.broadcast_to(sums[:, None], nets.shape)
            np.maximum.at(largest, nets[nets >= 0], values[nets >= 0])
            self.loads[1] += largest

    @property
    def y_plus(self) -> Floats:
        """Siemens at the plus node of each lane, (width,)."""
        return self._ends[1]

    def point(self, stage: Array, worst_v: float) -> tuple[ArrayPoint, Floats]:
        """Return the operating point, and the volts (samples, width) behind the amplifiers."""
        plus, minus = (self._currents[polarity][:, :-1] for polarity in (1, -1))
        volts = evaluate.amplified(stage, plus, minus, self._ends)
        ends, (devices, inverted, bias) = self._ends, map(float, self._watts)
        return ArrayPoint(
            stage,
            self._share,
            Signal.of(plus, self.signed),
            ends[1].astype(np.float32),
            ends[-1].astype(np.float32),
            worst_v,
            devices,
            inverted,
            bias,
        ), volts


def measure(
    design: Design, samples: Mapping[str, NDArray[Any]], target: Target
) -> OperatingPoint | None:
    """Return the operating point of a programmed design, or None if it is too wide (`possible`)."""
    if not possible(design):
        return None
    recorder = Recorder(design, samples, target.amplifier.output_class == "A")
    for stage in design.stages:
        if isinstance(stage, Array):
            one = recorder.start(stage)
            for crossbar in stage.crossbars:
                one.add(crossbar)
            recorder.end(stage, one)
        else:
            recorder.other(stage)
    return recorder.result(target.device.read_voltage_v)


def _on_lines(siemens: Floats, line: NDArray[np.int32], part: Crossbar) -> Floats:
    """Return sums (groups, taps) of the siemens (groups, word lines) of the lines of each tap."""
    sums = np.zeros((part.taps.lines, len(siemens)))
    np.add.at(sums, line, siemens.T)
    return np.ascontiguousarray(sums.T)
