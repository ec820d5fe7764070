"""One stage: its units, their stimuli, and the answers put back on the stage's bus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail
from memxc.evaluate import word_line_volts
from memxc.ir.design import Design
from memxc.ir.stages import Array, Lanes, Stage
from memxc.physics import nodal
from memxc.target import Target
from memxc.verify import decks, units
from memxc.verify.bench import Bench, Run, cut
from memxc.verify.library import Library, wired
from memxc.verify.units import Unit

Floats = NDArray[np.float64]
#: What puts the engine's answers on the stage's bus: (pictures, width) volts, and the watts of
#: the watched devices, of one picture on average (NaN where none was watched).
Scatter = Callable[[Sequence[Bench], Iterable[Floats]], tuple[Floats, float]]


@dataclass(frozen=True, eq=False)
class Task:
    """A stage to simulate, with the volts on its source buses, (pictures, width) each."""

    design: Design
    stage: Stage
    sources: Sequence[Floats]
    library: Library
    target: Target
    wire: bool = False
    power: bool = False

    @property
    def stage_title(self) -> str:
        """The title card: no name of the model's."""
        return f"stage {self.design.stages.index(self.stage)}"

    @cached_property
    def units(self) -> list[Unit]:
        """The units of an array."""
        assert isinstance(self.stage, Array)
        return list(units.array_units(self.stage))

    @property
    def devices(self) -> int:
        """Devices of the distinct circuits that are simulated."""
        return sum(u.devices for u in self.units) if isinstance(self.stage, Array) else 1

    @property
    def limit(self) -> float | None:
        """Volts of the stage's limiter."""
        return self.design.buses[self.stage.dst].limit

    def definitions(self, runs: Sequence[Run]) -> str:
        """The netlist's own text for what the runs place."""
        if isinstance(self.stage, Lanes):
            return self.library.periphery()
        names = dict.fromkeys(name for run in runs for name in self.units[run.unit].definitions())
        if not self.wire:
            return self.library.periphery() + self.library.text(names)
        shapes = {name: shape for run in runs for name, shape in self._shapes(run.unit)}
        return self.library.periphery() + "".join(
            wired(name, self.library.conductance(name, shapes[name]), wires(self.target))
            for name in names
        )

    def _shapes(self, unit: int) -> list[tuple[str, tuple[int, int]]]:
        found = self.units[unit]
        sizes = [(c.word_lines, c.bit_lines) for c in map(found.crossbar, found.placed)]
        return list(zip(found.definitions(), sizes, strict=True))


def wires(target: Target) -> nodal.Wires:
    """The target's wire resistances."""
    wire = target.wire
    return nodal.Wires(
        wire.r_source_ohm, wire.r_word_line_ohm, wire.r_bit_line_ohm, wire.r_neuron_ohm
    )


def runs(task: Task) -> tuple[list[Run], Scatter]:
    """All runs of a stage, and what puts their answers on its bus, (pictures, width)."""
    if isinstance(task.stage, Lanes):
        return _lane_runs(task, task.stage)
    found: list[Run] = []
    for number, unit in enumerate(task.units):
        inputs = _unit_inputs(task, unit)
        cards = partial(decks.array_cards, unit, task.limit)
        watched = decks.devices(unit) if task.power else ()
        found += cut(Run(number, 0, unit.devices, unit.lanes.shape[1], inputs, cards, watched))
    return found, partial(_scatter_array, task)


def wired_reference(task: Task) -> Floats:
    """What the stage gives with its wires, by a direct sparse solve of every unit."""
    assert isinstance(task.stage, Array)
    pictures = len(task.sources[0])
    out = np.zeros((pictures, task.design.buses[task.stage.dst].width))
    for unit in task.units:
        volts = _solved(task, unit)
        _put(out, unit, volts)
    return out if task.limit is None else np.clip(out, -task.limit, task.limit)


def _solved(task: Task, unit: Unit) -> Floats:
    lanes, stage = unit.lanes.shape[1], unit.stage
    inputs, grids, first = _unit_inputs(task, unit), [], 0
    for placed in unit.placed:
        crossbar = unit.crossbar(placed)
        if (placed.bits < 0).any():
            raise fail(
                "does-not-fit",
                stage.name,
                "discards bit lines at its first place",
                "verify it without --wire",
            )
        taps = inputs[:, first : first + crossbar.taps.lines]
        volts = word_line_volts(crossbar, taps, stage.v_bias, stage.gain)
        node = np.where(crossbar.polarity > 0, placed.bits, placed.bits + lanes)
        g = crossbar.conductance(slice(placed.group, placed.group + 1))[0]
        grids.append(nodal.Grid(g, node.astype(np.intp), volts))
        first += crossbar.taps.lines
    pair = stage.signed == "differential"
    plus = np.arange(lanes) if pair else np.full(lanes, -1)
    amplifiers = nodal.Amplifiers(plus, np.arange(lanes) + lanes, unit.r_f, unit.r_join, stage.gain)
    return nodal.solve(grids, amplifiers, 2 * lanes, wires(task.target))


def _unit_inputs(task: Task, unit: Unit) -> Floats:
    """Volts at the unit's inputs, (pictures * places, inputs)."""
    source = task.sources[0]
    volts = source[:, np.maximum(unit.inputs, 0)]
    volts[:, unit.inputs < 0] = 0.0
    # A unit of a bias alone has no inputs.
    return volts.reshape(len(source) * len(unit.inputs), unit.inputs.shape[1])


def _scatter_array(
    task: Task, benches: Sequence[Bench], answers: Iterable[Floats]
) -> tuple[Floats, float]:
    pictures = len(task.sources[0])
    out = np.zeros((pictures, task.design.buses[task.stage.dst].width))
    found = [np.empty((pictures * len(u.lanes), u.lanes.shape[1])) for u in task.units]
    watts = 0.0 if task.power else np.nan
    for run, volts, power in _answers(benches, answers):
        found[run.unit][run.first : run.first + len(volts)] = volts
        unit = task.units[run.unit]
        # Parallel places draw at the same time, sequential ones in turn.
        at_once = 1 if unit.stage.schedule == "parallel" else len(unit.lanes)
        watts += float(power.sum()) / pictures / at_once
    for unit, volts in zip(task.units, found, strict=True):
        _put(out, unit, volts)
    return out, watts


def _put(out: Floats, unit: Unit, volts: Floats) -> None:
    lanes = unit.lanes.reshape(-1)
    out[:, lanes[lanes >= 0]] = volts.reshape(len(out), -1)[:, lanes >= 0]


def _answers(
    benches: Sequence[Bench], answers: Iterable[Floats]
) -> Iterator[tuple[Run, Floats, Floats]]:
    """Each run with the volts of its outputs and the watts of its watched devices."""
    for bench, answer in zip(benches, answers, strict=True):
        at = 0
        for run in bench.runs:
            middle, end = at + run.outputs, at + run.outputs + len(run.watched)
            own = answer[: len(run.inputs)]
            yield run, own[:, at:middle], own[:, middle:end]
            at = end


def _lane_runs(task: Task, stage: Lanes) -> tuple[list[Run], Scatter]:
    cell = units.lane_cells(task.design)[stage.name]
    values = dict(zip(stage.srcs, task.sources, strict=True))
    inputs = units.lane_inputs(stage, values)
    cards = partial(decks.lane_cards, cell, units.ports(stage), task.limit)

    def scatter(benches: Sequence[Bench], answers: Iterable[Floats]) -> tuple[Floats, float]:
        parts = [volts for _, volts, _ in _answers(benches, answers)]
        return np.concatenate(parts).reshape(len(task.sources[0]), -1), np.nan

    return list(cut(Run(0, 0, 1, 1, inputs, cards))), scatter
