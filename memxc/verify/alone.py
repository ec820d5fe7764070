"""Every cell around the crossbars, simulated alone over the whole range of its signals.

Samples reach only a part of the range, because calibrate keeps them away from limiters, and a cell
may be right there and wrong beyond. The range of a signal is what its limiter passes, or otherwise
the swing of the op-amps, or the volts of the samples if these are larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from memxc.errors import MemxcError
from memxc.ir import expr
from memxc.ir.stages import Array, Lanes
from memxc.physics.device import iv_laws
from memxc.physics.network import amplifier
from memxc.verify import decks, loads, stage_units
from memxc.verify.bench import Run, benches, split_run
from memxc.verify.document import CellResult, LimiterResult
from memxc.verify.simulate import Sweep
from memxc.verify.size import relative
from memxc.verify.stage_units import Unit
from memxc.verify.task import Task, answers

Floats = NDArray[np.float64]
#: Voltages at all inputs of a cell together, and the fewest points of a cell with many inputs.
_VOLTS, _FEWEST = 2_000, 40
#: Points over the range of a cell with one input.
_POINTS = 400


@dataclass(frozen=True, eq=False)
class _Probe:
    """A cell with the volts at its inputs, (points, inputs), and those it should give, (points,).

    limit: volts at which the limiter behind it clips. load: siemens that it drives.
    """

    name: str
    range_v: float
    inputs: Floats
    expected: Floats
    cards: Callable[[str], str]
    limit: float | None = None
    load: float = 0.0

    def limited(self, volts: Floats) -> Floats:
        """Return volts as the limiter passes them."""
        return volts if self.limit is None else volts.clip(-self.limit, self.limit)

    def run(self, number: int) -> Run:
        """Return the run of the cell in its bench."""
        cards = self.cards
        if self.load:
            cards = partial(decks.loaded_cards, cards, self.load)
        return Run(number, 0, 1, 1, self.inputs, cards)


def check(
    tasks: Sequence[Task], sweep: Sweep, tolerance: float
) -> tuple[tuple[CellResult, ...], tuple[LimiterResult, ...]]:
    """Check every different cell of some stages.

    Raises MemxcError if the engine is missing.
    """
    if not tasks:
        return (), ()
    probes, clips = _probes(tasks)
    results = []
    for name in dict.fromkeys(probe.name for probe in probes):
        group = [probe for probe in probes if probe.name == name]
        results.append(_result(group, _errors(tasks[0], group, sweep), tolerance))
    limiters = [clips[clip] for clip in sorted(clips)]
    limited = [
        LimiterResult(
            clip_v=clip,
            range_v=probe.range_v,
            max_abs_error_v=largest,
            max_rel_error=largest / clip,
            ok=largest / clip <= tolerance,
        )
        for clip, probe, largest in zip(
            sorted(clips), limiters, _errors(tasks[0], limiters, sweep), strict=True
        )
    ]
    return tuple(results), tuple(limited)


def _probes(tasks: Sequence[Task]) -> tuple[list[_Probe], dict[float, _Probe]]:
    """Return the probes of the cells of some stages, and the limiters' probes by their clips."""
    load = loads.heaviest(tasks[0].design)
    clips: dict[float, _Probe] = {}
    probes: dict[object, _Probe] = {}
    for task in tasks:
        drives = load[task.stage.dst]
        if task.limit is not None:
            clip = clips.get(task.limit)
            if clip is None or clip.load < drives:
                clips[task.limit] = _limiter(task, drives)
            # The limiter drives the next stage, so the cell itself has no load.
            drives = 0.0
        array = isinstance(task.stage, Array)
        probes |= dict(_array(task, drives) if array else _lanes(task, drives))
    return list(probes.values()), clips


def _result(probes: Sequence[_Probe], largest: Sequence[float], tolerance: float) -> CellResult:
    """Return the result of a cell from all its probes."""
    pairs = zip(probes, largest, strict=True)
    errors = [relative(error, probe.limited(probe.expected)) for probe, error in pairs]
    # numpy's maximum keeps a nan, and a comparison with nan is false.
    worst = float(np.max(errors))
    reach = max(probe.range_v for probe in probes)
    return CellResult(
        name=probes[0].name,
        range_v=reach,
        max_abs_error_v=float(np.max(largest)),
        max_rel_error=worst,
        ok=worst <= tolerance,
    )


def _errors(task: Task, probes: Sequence[_Probe], sweep: Sweep) -> list[float]:
    """Return the largest error of each probe in volts.

    It is nan if the engine gave no number, for example for a cell without a solution at some volts.
    """
    todo = [run for number, probe in enumerate(probes) for run in split_run(probe.run(number))]
    decks = list(benches(todo, "cells alone", task.periphery))
    worst = [0.0] * len(probes)
    try:
        for run, volts, _ in answers(decks, sweep(decks)):
            probe = probes[run.unit]
            expected = probe.limited(probe.expected[run.first : run.first + len(volts)])
            error = np.abs(probe.limited(volts[:, 0]) - expected).max(initial=0.0)
            worst[run.unit] = float(np.maximum(worst[run.unit], error))
    except MemxcError as error:
        if error.faults[0].code != "engine-failed":
            raise
        return [np.nan] * len(probes)
    return worst


def _reach(task: Task, source: int) -> float:
    """Return the largest volts of either sign on a source bus of a stage."""
    limit = task.design.buses[task.stage.srcs[source]].limit
    if limit is not None:
        return limit
    return max(task.swing, float(np.abs(task.sources[source]).max(initial=0.0)))


def _limiter(task: Task, load: float) -> _Probe:
    assert task.limit is not None
    reach = max(task.swing, 2 * task.limit)
    volts = np.concatenate([_spread(reach, _POINTS), _spread(2 * task.limit, _POINTS)])
    expected = volts.clip(-task.limit, task.limit)
    cards = partial(decks.limiter_cards, task.limit)
    return _Probe("limiter", reach, volts[:, None], expected, cards, load=load)


def _spread(reach: float, count: int, seed: int = 0) -> Floats:
    """Return volts from -reach to reach: one in each of `count` equal parts, 0 and the ends.

    They are drawn within their parts, so that none is exactly where a function jumps (0.5, say).
    """
    places = np.arange(count) + np.random.default_rng(seed).random(count)
    return np.concatenate([[-reach, 0.0, reach], (2 * places / count - 1) * reach])


def _lanes(task: Task, load: float) -> Iterator[tuple[object, _Probe]]:
    """Yield the probe of a lane function's cell.

    It has all inputs at once, drawn over their ranges, and some inputs alone from end to end.
    """
    stage, buses = task.stage, task.design.buses
    assert isinstance(stage, Lanes)
    scales, reach = [], []
    for number, (src, taps) in enumerate(zip(stage.srcs, stage.taps, strict=True)):
        scales += [buses[src].scale or 1.0] * taps.lines
        reach += [_reach(task, number)] * taps.lines
    inputs = _box(np.array(reach))
    out = buses[stage.dst].scale or 1.0
    with np.errstate(all="ignore"):
        value = expr.evaluate(stage.expr, list((inputs / scales).T)) * out
    expected = np.broadcast_to(value, len(inputs))
    # An amplifier cannot give more volts than its swing, whatever the function is.
    kept = np.abs(expected) <= max(task.swing, task.limit or 0.0)
    cell = stage_units.lane_cells(task.design)[stage.name]
    cards = partial(decks.lane_cards, cell, len(reach), None)
    if kept.any():
        limit = task.limit
        probe = _Probe(cell, max(reach), inputs[kept], expected[kept], cards, limit, load)
        yield (cell, tuple(reach), limit, load), probe


def _box(reach: Floats) -> Floats:
    """Return volts (points, inputs) for inputs with the ranges `reach`."""
    count = len(reach)
    points = min(_POINTS, max(_FEWEST, _VOLTS // count))
    rng = np.random.default_rng(count)
    drawn = rng.uniform(-1, 1, (points, count)) * rng.choice([1.0, 0.3, 0.03], (points, 1)) * reach
    parts = [drawn, np.zeros((1, count)), reach[None], -reach[None]]
    for number in np.unique(np.linspace(0, count - 1, 8).astype(int)).tolist():
        alone = np.repeat(rng.uniform(-0.1, 0.1, (1, count)) * reach, points + 3, axis=0)
        alone[:, number] = _spread(float(reach[number]), points, number)
        parts.append(alone)
    return np.concatenate(parts)


def _array(task: Task, load: float) -> Iterator[tuple[object, _Probe]]:
    """Yield probes of the cells around an array: amplifiers, inverters, nonlinear memristors."""
    stage, reach = task.stage, _reach(task, 0)
    assert isinstance(stage, Array)
    for unit, siemens in _amplifiers(stage, task.units):
        probe = replace(_amplifier(task, unit, siemens, reach), load=load)
        yield (stage.name, float(unit.r_f[0]), *siemens.tolist()), probe
    if stage.single_ended:
        volts = _spread(reach, _POINTS)
        expected = amplifier.inverter(volts, stage.gain)
        probe = _Probe("inverter", reach, volts[:, None], expected, decks.inverter_cards)
        yield ("inverter", reach), probe
    if not task.linear:
        yield from _memristors(task, reach)


def _amplifiers(stage: Array, every: Sequence[Unit]) -> Iterator[tuple[Unit, Floats]]:
    """Yield the amplifiers that reach furthest.

    These are the ones with the largest output, the largest output of op-amp 1, and the least
    feedback. Each comes as a unit of its own, with the siemens on its plus and its minus bit line.
    """
    siemens = [crossbar.loads() for crossbar in stage.crossbars]
    loads = np.concatenate([unit.loads(siemens) for unit in every], axis=1)
    r_f = np.concatenate([unit.r_f for unit in every])
    r_join = np.concatenate([unit.r_join for unit in every])
    ends = np.cumsum([len(unit.r_f) for unit in every])
    furthest = (r_f * loads.sum(axis=0)).argmax(), (r_join * loads[0]).argmax(), r_f.argmin()
    for number in sorted({int(each) for each in furthest}):
        at = int(np.searchsorted(ends, number, side="right"))
        unit, lane = every[at], [number - int(ends[at]) + len(every[at].r_f)]
        offset = None if unit.offset is None else unit.offset[:, lane]
        single = replace(unit, r_f=unit.r_f[lane], r_join=unit.r_join[lane], offset=offset)
        yield single, loads[:, number]


def _amplifier(task: Task, unit: Unit, load: Floats, reach: float) -> _Probe:
    """Return the probe of an amplifier.

    One resistor represents all devices of each of its bit lines.
    """
    stage, single = unit.stage, unit.stage.single_ended
    most = load * max(reach, abs(stage.v_bias))
    # Op-amp 1 gives r_join times the plus current.
    plus = 0.0 if single else min(most[0], task.swing / unit.r_join[0])
    out = min(task.swing, unit.r_f[0] * most.sum())
    first, second = np.meshgrid(_spread(plus, 8), _spread(out, 24, 1))
    current = np.stack([first.ravel(), first.ravel() - second.ravel() / unit.r_f[0]], axis=1)
    current = current[(np.abs(current) <= most * (1 + 1e-9)).all(axis=1)]
    volts = np.divide(current, load, out=np.zeros_like(current), where=load > 0)
    parts = current[:, :1], current[:, 1:], load[:1], load[1:]
    expected = (
        amplifier.single(parts[1], parts[3], unit.r_f, stage.gain, unit.offset)
        if single
        else amplifier.pair(*parts, unit.r_f, unit.r_join, stage.gain, unit.offset)
    )
    cell, cards = decks.amplifier_cell(unit), partial(decks.amplifier_cards, unit, load)
    most_v = float(np.abs(expected).max())
    return _Probe(cell, most_v, volts, expected[:, 0], cards, task.limit)


def _memristors(task: Task, reach: float) -> Iterator[tuple[object, _Probe]]:
    """Yield probes of the memristor's cell over its range of conductances.

    The cell's current is read as volts.
    """
    device = task.target.device
    law = iv_laws.law(device)
    volts = _spread(min(reach, *np.abs(law.reach)), _POINTS)
    for g in np.geomspace(device.g_min, device.g_max, 5).tolist():
        expected = law(np.full_like(volts, g), volts)[0] / g
        cards = partial(decks.memristor_cards, 1 / g)
        yield ("memristor", g), _Probe("memristor", reach, volts[:, None], expected, cards)
