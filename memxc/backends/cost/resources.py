"""Resources: what a programmed design is built of, per stage; costs add up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.netlist import body
from memxc.backends.netlist.nets import Nets, chunks
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes, Stage

#: Rows and columns of the unit crossbar of a stage, by the stage's name.
Tile = Callable[[str], tuple[int, int]]


@dataclass(frozen=True)
class Resources:
    """A bill of materials. All are counts; `+` adds them, Resources() is nothing.

    crossbars: unit crossbars placed; places_available: their rows x columns; places_used: those
    that hold a device.
    memristors: devices over all placed crossbars; memristors_defined: once a definition;
    memristors_off: those of `memristors` that the netlist writes with the digits of g_min. A kept
    BatchNormalization has memristors beside its amplifiers, on no unit crossbar.
    driven_ends: ends of word lines with a feed line from a driver; two where both are driven.
    converters: analog-to-digital and digital-to-analog (quantised networks).
    resistors: fixed parts in place of weights (average pooling).
    opamps: all of them, those that work as inverters too.
    periods: evaluations until every lane of a stage is known, one after the other.
    """

    crossbars: int = 0
    memristors: int = 0
    memristors_defined: int = 0
    memristors_off: int = 0
    word_lines: int = 0
    bit_lines: int = 0
    driven_ends: int = 0
    opamps: int = 0
    inverters: int = 0
    diodes: int = 0
    limiters: int = 0
    multipliers: int = 0
    converters: int = 0
    resistors: int = 0
    periods: int = 0
    places_available: int = 0
    places_used: int = 0

    def __add__(self, other: Resources) -> Resources:
        mine, theirs = vars(self), vars(other)
        return Resources(**{key: mine[key] + theirs[key] for key in mine})

    @property
    def utilisation(self) -> float | None:
        """Share of the places of the unit crossbars that hold a device; None without crossbars."""
        return self.places_used / self.places_available if self.places_available else None

    def as_dict(self) -> dict[str, Any]:
        """The keys of report.json."""
        counts = dataclasses.asdict(self)
        del counts["places_available"], counts["places_used"]
        return {**counts, "utilisation": self.utilisation}


@dataclass(frozen=True)
class ResourceRow:
    """One stage of the report."""

    stage: str
    kind: str
    resources: Resources


def total(rows: Iterable[ResourceRow]) -> Resources:
    """The sum over stages."""
    return sum((row.resources for row in rows), Resources())


def measure(design: Design, g_min: float, tile: Tile) -> tuple[ResourceRow, ...]:
    """One row for each stage that is hardware. g_min: siemens of a device that is off."""
    nets = Nets(design)
    defined: set[int] = set()
    rows = []
    for stage in design.stages:
        bus = design.buses[stage.dst]
        if isinstance(stage, Array):
            found = amplifiers(stage, bus, nets)
            for crossbar in stage.crossbars:
                found += placed_crossbars(stage, crossbar, g_min, tile, defined)
            rows.append(ResourceRow(stage.name, stage.cell, found))
        elif isinstance(stage, Lanes):
            rows.append(lane_resources(stage, bus))
    return tuple(rows)


def placed(stage: Array, crossbar: Crossbar) -> int:
    """How many arrays are built of a stack: one a place, or one for all places."""
    return crossbar.groups * stage.placed(crossbar.places)


def periods(stage: Stage) -> int:
    """Calculation periods until every lane of the stage is known."""
    if isinstance(stage, Array) and stage.sequential:
        return max(crossbar.places for crossbar in stage.crossbars)
    return 1


def amplifiers(stage: Array, bus: Bus, nets: Nets) -> Resources:
    """Amplifiers, inverters and limiters of a stage, and its calculation periods."""
    driven = _amplified(stage, bus.width)
    limiters = driven if bus.limit is not None else 0
    found = Resources(limiters=limiters, periods=periods(stage))
    if stage.single_ended:
        inverters = _inverted(stage, nets)
        return found + Resources(opamps=driven + inverters, inverters=inverters)
    # Op-amp 1 of a differential pair is the one inverter.
    return found + Resources(opamps=2 * driven, inverters=driven)


def _amplified(stage: Array, width: int) -> int:
    """Lanes with an amplifier of their own: all, or those of the first places that take turns."""
    if not stage.sequential:
        return width
    first = slice(0, 1)
    lanes = [crossbar.sinks.nets(places=first).reshape(-1) for crossbar in stage.crossbars]
    found = np.unique(np.concatenate(lanes))
    return int((found >= 0).sum())


def _inverted(stage: Array, nets: Nets) -> int:
    """Inverters: one a net that the stage reads, or one a port where places take turns."""
    if stage.sequential:
        return sum(c.groups * int(_inverse_lines(c).sum()) for c in stage.crossbars)
    source = nets.of[stage.src]
    wanted = np.zeros(int(source.max(initial=0)) + 1, dtype=bool)
    for crossbar in stage.crossbars:
        rows = crossbar.line[_inverse_lines(crossbar)]
        taps, _ = crossbar.taps.distinct()
        for groups, places in chunks(taps):
            read = taps.nets(groups, places)[..., rows]
            found = source[read[read >= 0]]
            wanted[found[found >= 0]] = True
    return int(wanted.sum())


def _inverse_lines(crossbar: Crossbar) -> NDArray[np.bool_]:
    return np.asarray((crossbar.sign < 0) & (crossbar.line != BIAS))


def placed_crossbars(
    stage: Array, crossbar: Crossbar, g_min: float, tile: Tile, defined: set[int]
) -> Resources:
    """What the crossbars of a stack take. `defined`: definitions counted before; it grows."""
    arrays = placed(stage, crossbar)
    times = arrays // crossbar.groups
    there = int(crossbar.present.sum())
    if not stage.programmable:
        return Resources(resistors=times * there)
    first = dict(zip(crossbar.definition.tolist(), crossbar.present.tolist(), strict=True))
    new = first.keys() - defined
    defined |= new
    parked = body.same_digits(crossbar.g, g_min)
    once = (crossbar.uses == 1).all()
    off = int(parked.sum() if once else np.count_nonzero(parked, axis=0) @ crossbar.uses)
    found = Resources(
        memristors=times * there,
        memristors_defined=sum(first[number] for number in new),
        memristors_off=times * off,
    )
    if stage.cell == "batchnorm":
        return found
    rows, columns = tile(stage.name)
    return found + Resources(
        crossbars=arrays,
        word_lines=arrays * crossbar.word_lines,
        bit_lines=arrays * crossbar.bit_lines,
        driven_ends=arrays * crossbar.word_lines * (2 if stage.drive == "both" else 1),
        places_available=arrays * rows * columns,
        places_used=times * there,
    )


def lane_resources(stage: Lanes, bus: Bus) -> ResourceRow:
    """What a stage of lane functions takes."""
    circuit = stage.circuit
    one = Resources(
        opamps=circuit.opamps,
        inverters=circuit.inverters,
        diodes=circuit.diodes,
        multipliers=circuit.multipliers,
        converters=circuit.converters,
        limiters=1 if bus.limit is not None else 0,
    )
    counts = dataclasses.asdict(one)
    all_lanes = {key: value * bus.width for key, value in counts.items()}
    return ResourceRow(stage.name, circuit.name, Resources(**all_lanes | {"periods": 1}))
