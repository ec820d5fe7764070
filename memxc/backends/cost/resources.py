"""Resources: the bill of materials of a programmed design, for each stage. Costs add up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost import turns
from memxc.backends.cost.rows import Bill, Counts, StageBill
from memxc.backends.netlist import body
from memxc.backends.netlist.nets import Nets, chunks
from memxc.cells.library.multiplier import CELL as MULTIPLIER
from memxc.documents import Count
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes, Stage

#: Returns rows and columns of the unit crossbar of a stage, by the stage's name.
Tile = Callable[[str], tuple[int, int]]


class Resources(Counts):
    """A bill of materials while it is counted: `+` adds them.

    places_available: rows x columns of the unit crossbars placed; places_used: those of them that
    hold a device.
    """

    places_available: Count
    places_used: Count

    @classmethod
    def of(cls, **counts: int) -> Self:
        """Return these counts, and 0 for all others."""
        return cls(**dict.fromkeys(cls.model_fields, 0) | counts)

    def __add__(self, other: Resources) -> Resources:
        return Resources(**{key: mine + getattr(other, key) for key, mine in self})

    def bill(self) -> Bill:
        """Return the counts for the report."""
        return Bill.model_validate(self._bill())

    def stage_bill(self, stage: str, kind: str) -> StageBill:
        """Return the counts as a row of the report."""
        return StageBill.model_validate({"stage": stage, "kind": kind, **self._bill()})

    def _bill(self) -> dict[str, float | None]:
        counts = {key: getattr(self, key) for key in Counts.model_fields}
        used, available = self.places_used, self.places_available
        return {**counts, "utilisation": used / available if available else None}


@dataclass(frozen=True)
class ResourceRow:
    """The resources of one stage."""

    stage: str
    kind: str
    resources: Resources


def total(rows: Iterable[ResourceRow]) -> Resources:
    """Return the sum over stages."""
    return sum((row.resources for row in rows), Resources.of())


def measure(design: Design, g_min: float, tile: Tile) -> tuple[ResourceRow, ...]:
    """Return a row for each stage that is hardware.

    g_min: siemens of an unused device. tile: see `Tile`.
    """
    nets, needed = Nets(design), turns.measure(design)
    defined: set[int] = set()
    rows = []
    for stage in design.stages:
        bus = design.buses[stage.dst]
        if isinstance(stage, Array):
            bill = amplifiers(stage, bus, nets)
            for crossbar in stage.crossbars:
                bill += placed_crossbars(stage, crossbar, g_min, tile, defined)
            bill += turning(stage, bus.width, needed)
            rows.append(ResourceRow(stage.name, stage.cell, bill))
        elif isinstance(stage, Lanes):
            bill = lane_resources(stage, bus) + turning(stage, bus.width, needed)
            rows.append(ResourceRow(stage.name, stage.circuit.name, bill))
    return tuple(rows)


def placed(stage: Array, crossbar: Crossbar) -> int:
    """Return how many arrays are built of a stack: one for each place, or one for all in turn."""
    return crossbar.groups * stage.placed(crossbar.places)


def periods(stage: Stage) -> int:
    """Return the calculation periods after which every lane of the stage is known."""
    if isinstance(stage, Array) and stage.sequential:
        return max(crossbar.places for crossbar in stage.crossbars)
    return stage.turns if isinstance(stage, Lanes) else 1


def amplifiers(stage: Array, bus: Bus, nets: Nets) -> Resources:
    """Return the amplifiers, inverters and limiters of a stage, and its calculation periods."""
    driven = _amplified(stage, bus.width)
    limiters = driven if bus.limit is not None else 0
    bill = Resources.of(limiters=limiters, periods=periods(stage))
    if stage.single_ended:
        inverters = _inverted(stage, nets)
        return bill + Resources.of(opamps=driven + inverters, inverters=inverters)
    # Op-amp 1 of a differential pair counts as an inverter.
    return bill + Resources.of(opamps=2 * driven, inverters=driven)


def _amplified(stage: Array, width: int) -> int:
    """Return how many lanes have an amplifier: all, or those of the first place if sequential."""
    if not stage.sequential:
        return width
    first = slice(0, 1)
    lanes = [crossbar.sinks.nets(places=first).reshape(-1) for crossbar in stage.crossbars]
    found = np.unique(np.concatenate(lanes))
    return int((found >= 0).sum())


def _inverted(stage: Array, nets: Nets) -> int:
    """Return how many inverters a stage has: one for each net that it reads inverted.

    In a sequential stage it is one for each inverted word line.
    """
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
    """Return the resources of the crossbars of a stack.

    defined: the numbers of definitions counted before. The new ones are added to it.
    """
    arrays = placed(stage, crossbar)
    times = arrays // crossbar.groups
    there = int(crossbar.present.sum())
    if not stage.programmable:
        return Resources.of(resistors=times * there)
    first = dict(zip(crossbar.definition.tolist(), crossbar.present.tolist(), strict=True))
    new = first.keys() - defined
    defined |= new
    parked = body.same_digits(crossbar.g, g_min)
    once = (crossbar.uses == 1).all()
    off = int(parked.sum() if once else np.count_nonzero(parked, axis=0) @ crossbar.uses)
    found = Resources.of(
        memristors=times * there,
        memristors_defined=sum(first[number] for number in new),
        memristors_off=times * off,
    )
    if stage.cell == "batchnorm":
        return found
    rows, columns = tile(stage.name)
    return found + Resources.of(
        crossbars=arrays,
        word_lines=arrays * crossbar.word_lines,
        bit_lines=arrays * crossbar.bit_lines,
        driven_ends=arrays * crossbar.word_lines * (2 if stage.drive == "both" else 1),
        places_available=arrays * rows * columns,
        places_used=times * there,
    )


def turning(stage: Array | Lanes, width: int, needed: Mapping[str, turns.HeldNets]) -> Resources:
    """Return what a stage needs besides, because its places take turns; nothing without turns.

    width: of its bus. needed: the result of `turns.measure`.
    """
    if stage.name not in needed:
        return Resources.of()
    one = needed[stage.name]
    drivers = one.buffers + turns.ports(stage, width)
    return Resources.of(
        opamps=drivers,
        drivers=drivers,
        holds=one.holds,
        switches=turns.switches(stage, width),
    )


def lane_resources(stage: Lanes, bus: Bus) -> Resources:
    """Return the cells of a stage of lane functions. A multiplier is made of op-amps, too."""
    circuit = stage.circuit
    one = Resources.of(
        opamps=circuit.opamps + MULTIPLIER.opamps * circuit.multipliers,
        inverters=circuit.inverters,
        diodes=circuit.diodes,
        multipliers=circuit.multipliers,
        converters=circuit.converters,
        limiters=1 if bus.limit is not None else 0,
    )
    cells = bus.width // stage.turns
    return Resources(**{key: value * cells for key, value in one} | {"periods": stage.turns})
