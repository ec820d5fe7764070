"""One stage in SPICE: its units at every place and picture, or at fewer points that suffice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from memxc.ir.stages import Lanes
from memxc.verify import decks, stage_units, superposed
from memxc.verify.bench import BenchDeck, Run, benches, split_run
from memxc.verify.task import Task, answers

Floats = NDArray[np.float64]
#: A function from benches to an engine's answers, in order.
Sweep = Callable[[Sequence[BenchDeck]], Iterator[Floats]]


@dataclass(frozen=True, eq=False)
class Simulated:
    """volts: (pictures, width) on the stage's bus. decks: how many were run.

    watts: of the watched devices, for one picture on average; nan if no device was watched.
    """

    volts: Floats
    watts: float
    decks: int


def simulate(task: Task, sweep: Sweep) -> Simulated:
    """Simulate a stage. Raises MemxcError if the engine fails."""
    if isinstance(task.stage, Lanes):
        cell = stage_units.lane_cells(task.design)[task.stage.name]
        cards = partial(decks.lane_cards, cell, stage_units.ports(task.stage), task.limit)
        values = dict(zip(task.stage.srcs, task.sources, strict=True))
        return _lanes(task, sweep, stage_units.lane_inputs(task.stage, values), cards)
    if not task.wire or task.power or not task.linear:
        return _every_point(task, sweep)
    return _superposed(task, sweep)


def _every_point(task: Task, sweep: Sweep) -> Simulated:
    """Simulate each unit at every place of every picture."""
    todo: list[Run] = []
    for number, unit in enumerate(task.units):
        cards = partial(decks.array_cards, unit, task.limit)
        watched = decks.devices(unit) if task.power else ()
        lanes = unit.lanes.shape[1]
        todo += split_run(Run(number, 0, unit.devices, lanes, task.inputs(unit), cards, watched))
    by_unit, watts, count = _gathered(task, sweep, todo)
    out = np.zeros((task.pictures, task.width))
    for unit, volts in zip(task.units, by_unit, strict=True):
        task.put(out, unit, volts)
    return Simulated(out, watts if task.power else np.nan, count)


def _superposed(task: Task, sweep: Sweep) -> Simulated:
    """Simulate each unit without limiters at points that determine a linear circuit.

    The volts at all places follow by superposition, and go through the netlist's limiters.
    """
    todo: list[Run] = []
    for number, unit in enumerate(task.units):
        cards = partial(decks.array_cards, unit, None)
        lanes = unit.lanes.shape[1]
        points = superposed.points(task.inputs(unit))
        todo += split_run(Run(number, 0, unit.devices, lanes, points, cards))
    by_unit, _, count = _gathered(task, sweep, todo)
    out = np.zeros((task.pictures, task.width))
    for unit, volts in zip(task.units, by_unit, strict=True):
        task.put(out, unit, superposed.volts(task.inputs(unit), volts))
    if task.limit is None:
        return Simulated(out, np.nan, count)
    cards = partial(decks.limiter_cards, task.limit)
    limited = _lanes(task, sweep, out.reshape(-1, 1), cards)
    return Simulated(limited.volts, np.nan, count + limited.decks)


def _gathered(task: Task, sweep: Sweep, todo: Sequence[Run]) -> tuple[list[Floats], float, int]:
    """Return every unit's volts (points, lanes), the watched watts, and the number of decks."""
    decks = list(benches(todo, task.title, task.definitions))
    sizes = np.bincount([run.unit for run in todo], [len(run.inputs) for run in todo])
    by_unit = [
        np.empty((int(size), unit.lanes.shape[1]))
        for size, unit in zip(sizes, task.units, strict=True)
    ]
    watts = 0.0
    for run, volts, power in answers(decks, sweep(decks)):
        by_unit[run.unit][run.first : run.first + len(volts)] = volts
        unit = task.units[run.unit]
        # Parallel places draw power at the same time, sequential ones in turn.
        at_once = len(unit.lanes) if unit.stage.sequential else 1
        watts += float(power.sum()) / task.pictures / at_once
    return by_unit, watts, len(decks)


def _lanes(task: Task, sweep: Sweep, inputs: Floats, cards: Callable[[str], str]) -> Simulated:
    """Simulate one lane's circuit at the inputs (pictures * width, ports) of every lane."""
    todo = list(
        benches(list(split_run(Run(0, 0, 1, 1, inputs, cards))), task.title, task.periphery)
    )
    parts = [volts for _, volts, _ in answers(todo, sweep(todo))]
    return Simulated(np.concatenate(parts).reshape(task.pictures, -1), np.nan, len(todo))
