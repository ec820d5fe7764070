"""Evaluate a network stage by stage with nonlinear cells: crossbars by Newton's method.

Such a stage has no matrix, so every place of every picture is solved by itself
(physics.device.newton says what that costs). Op-amps of finite gain leave volts on the bit lines.
These are computed from the currents at 0 V, and a second time from the currents at the first
result; each iteration leaves about 1 / gain of the error before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.evaluation import evaluate
from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array, Stage
from memxc.physics.device import iv_laws, newton
from memxc.physics.device.iv_laws import Law
from memxc.physics.network import amplifier
from memxc.physics.network.nodal import WireResistance
from memxc.target import Target

Floats = NDArray[np.float64]

#: Volts of word lines gathered at once.
_CHUNK = 1 << 22


def outputs(
    design: Design,
    target: Target,
    inputs: Mapping[str, NDArray[Any]],
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Floats]:
    """Return the network's outputs (samples, *shape without batch) in units of activation.

    progress: called with the share of the work that is done.
    """
    count = len(next(iter(inputs.values())))
    results: dict[str, list[Floats]] = {name: [] for name in design.outputs}
    done = 0
    for batch in evaluate.batches(design, inputs):
        buses = {name: evaluate.drive(design.buses[name], batch[name]) for name in design.inputs}
        size = len(next(iter(batch.values())))
        for number, stage in enumerate(design.stages):
            progress((done + size * number / len(design.stages)) / count)
            buses[stage.dst] = step(design, stage, target, [buses[src] for src in stage.srcs])
        for name, parts in results.items():
            parts.append(evaluate.read(design.buses[name], buses[name]))
        done += size
    return {name: np.concatenate(parts) for name, parts in results.items()}


def step(design: Design, stage: Stage, target: Target, sources: Sequence[Floats]) -> Floats:
    """Return the values of a stage's bus, (samples, width), with the target's cells and wires."""
    if not isinstance(stage, Array):
        return evaluate.step(stage, design.buses, sources)
    law = iv_laws.law(target.device) if stage.programmable else iv_laws.LinearLaw()
    dst = design.buses[stage.dst]
    volts = _Lines(stage, law, WireResistance.of(target.wire), sources[0]).volts()
    return volts if dst.limit is None else np.clip(volts, -dst.limit, dst.limit)


class _Lines:
    """The bit lines of an array: the currents into the plus and minus nodes of its lanes."""

    def __init__(self, stage: Array, law: Law, wires: WireResistance, source: Floats) -> None:
        self.stage, self.law, self.wires = stage, law, wires
        self.width = len(stage.r_f)
        # A last column of 0 V, which the index -1 of a negative net reads.
        self.source = np.pad(source, ((0, 0), (0, 1)))

    def volts(self) -> Floats:
        """Return the volts behind the op-amps, (samples, width)."""
        stage = self.stage
        offset = np.zeros((2, self.width)) if stage.offset is None else stage.offset
        shape = len(self.source), self.width
        ends = {1: np.broadcast_to(offset[0], shape), -1: np.broadcast_to(offset[1], shape)}
        loads = amplifier.loads(stage.crossbars, self.width)
        currents = self._opened(ends, loads)
        if np.isfinite(stage.gain):
            ends = self._ends(currents, loads, offset)
            currents = self._opened(ends, loads)
        return self._out(currents, loads)

    def _opened(self, ends: dict[int, Floats], loads: dict[int, Floats]) -> dict[int, Floats]:
        """Return currents into nodes at `ends` volts, plus those of a linear load at these volts.

        The amplifiers' formulas expect currents into nodes at 0 V, and this converts them.
        """
        currents = self._currents(ends)
        return {
            polarity: currents[polarity] + loads[polarity] * ends[polarity] for polarity in currents
        }

    def _out(self, currents: dict[int, Floats], loads: dict[int, Floats]) -> Floats:
        stage = self.stage
        if stage.single_ended:
            return amplifier.single(currents[-1], loads[-1], stage.r_f, stage.gain, stage.offset)
        ohms, amplifiers = (
            (loads[1], loads[-1], stage.r_f, stage.r_join),
            (stage.gain, stage.offset),
        )
        return amplifier.pair(currents[1], currents[-1], *ohms, *amplifiers)

    def _ends(
        self, currents: dict[int, Floats], loads: dict[int, Floats], offset: Floats
    ) -> dict[int, Floats]:
        """Return the volts that op-amps leave on their nodes: offset minus output / gain."""
        stage = self.stage
        ends = {-1: offset[1] - self._out(currents, loads) / stage.gain}
        if stage.single_ended:
            return {1: np.zeros_like(ends[-1]), **ends}
        swapped = offset[::-1]  # `single` uses the second row, which has to be op-amp 1 here
        first = amplifier.single(currents[1], loads[1], stage.r_join, stage.gain, swapped)
        return {1: offset[0] - first / stage.gain, **ends}

    def _currents(self, ends: dict[int, Floats]) -> dict[int, Floats]:
        """Return amperes into the nodes, (samples, width), with these at `ends` volts."""
        totals = {p: np.zeros((len(self.source), self.width + 1)) for p in ends}
        held = {p: np.pad(volts, ((0, 0), (0, 1))) for p, volts in ends.items()}
        for crossbar, group, samples in self._parts():
            block = slice(group, group + 1)
            lanes = crossbar.sinks.nets(block)[0][:, crossbar.column]
            lanes = np.where(lanes < 0, self.width, lanes)
            plus = crossbar.polarity > 0
            at = np.where(plus, held[1][samples][:, lanes], held[-1][samples][:, lanes])
            taps = self.source[samples][:, crossbar.taps.nets(block)[0]]
            words = evaluate.word_line_volts(crossbar, taps, self.stage.v_bias, self.stage.gain)
            amperes = newton.currents(
                crossbar.conductance(block),
                self.law,
                self.wires,
                words.reshape(1, -1, crossbar.word_lines),
                self.stage.drive,
                at.reshape(1, -1, crossbar.bit_lines),
            ).reshape(at.shape)
            for polarity, out in totals.items():
                bits = crossbar.polarity == polarity
                for sample, current in zip(out[samples], amperes[..., bits], strict=True):
                    np.add.at(sample, lanes[:, bits].reshape(-1), current.reshape(-1))
        return {polarity: out[:, :-1] for polarity, out in totals.items()}

    def _parts(self) -> Iterator[tuple[Crossbar, int, slice]]:
        """Yield blocks of the crossbars with as many samples as fit in memory."""
        for crossbar in self.stage.crossbars:
            lines = crossbar.places * (crossbar.word_lines + 2 * crossbar.bit_lines)
            step = max(1, _CHUNK // lines)
            for group in range(crossbar.groups):
                for first in range(0, len(self.source), step):
                    yield crossbar, group, slice(first, first + step)
