"""The crossbars that are programmed: each definition once, and how often it is placed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.backends.netlist import names
from memxc.ir.design import Design
from memxc.ir.stages import Array

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ToProgram:
    """A definition of a crossbar with memristors.

    name: as in the netlist and the column `subckt` of mapping.csv. g: (word lines, bit lines)
    siemens, 0 without a device. placed: how many crossbars have these conductances.
    """

    name: str
    g: Floats
    placed: int


def crossbars(design: Design) -> Iterator[ToProgram]:
    """Yield the definitions with memristors, in the order of their first row in mapping.csv."""
    placed: dict[int, int] = {}
    stacks = [
        (crossbar, stage.placed(crossbar.places))
        for stage in design.stages
        if isinstance(stage, Array) and stage.programmable
        for crossbar in stage.crossbars
    ]
    for crossbar, places in stacks:
        for number in crossbar.definition.tolist():
            placed[number] = placed.get(number, 0) + places
    for crossbar, _ in stacks:
        for group, number in enumerate(crossbar.definition.tolist()):
            if number in placed:
                g = crossbar.conductance(slice(group, group + 1))[0]
                yield ToProgram(names.definition(number), g, placed.pop(number))


def distinct(design: Design) -> Floats:
    """Return all conductances of memristors, each once, ascending, in siemens."""
    parts = [
        np.unique(crossbar.g)
        for stage in design.stages
        if isinstance(stage, Array) and stage.programmable
        for crossbar in stage.crossbars
    ]
    every = np.unique(np.concatenate([np.empty(0), *parts]))
    return every[every > 0]
