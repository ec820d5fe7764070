"""The loads of the amplifiers of a design: what ends at each summing node and at each output.

The crossbars are given a stack at a time, so a report needs no more than one stage in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.cost.resources import Tile
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes, Rename
from memxc.ir.windows import Ints, Windows

Floats = NDArray[np.float64]
Kept = NDArray[np.floating[Any]]


class ArrayLoads:
    """What the crossbars of a stage load.

    siemens, segments: by polarity (1, -1), the devices and the segments of bit lines at the summing
    nodes of op-amp 1 and 2 of each lane, (dst width,).
    driven, driven_segments: the devices and the segments of word lines on each net of the source,
    (src width,). An inverted word line counts on the net that its inverter reads.
    inverted: whether any word line has an inverter.
    """

    def __init__(self, design: Design, stage: Array, tile: Tile) -> None:
        """Start without crossbars; those of `stage` itself are not looked at."""
        width, source = design.buses[stage.dst].width, design.buses[stage.src].width
        self._stage, self._tile = stage, tile(stage.name) if stage.tiled else None
        self.siemens: dict[int, Kept] = {p: np.zeros(width, np.float32) for p in (1, -1)}
        self.segments: dict[int, Kept] = {p: np.zeros(width, np.float32) for p in (1, -1)}
        self.driven: Kept = np.zeros(source, np.float32)
        self.driven_segments: Kept = np.zeros(source, np.float32)
        self.inverted = False

    def add(self, crossbar: Crossbar) -> None:
        """Add a stack of crossbars."""
        rows, columns = self._tile or (crossbar.word_lines, crossbar.bit_lines)
        sinks, taps = crossbar.sinks, crossbar.taps
        siemens = crossbar.loads()
        for polarity in (1, -1):
            bits = crossbar.polarity == polarity
            column = crossbar.column[bits]
            sinks.add(self.siemens[polarity], _on_lines(siemens[:, bits], column, sinks))
            length = np.full((crossbar.groups, len(column)), float(rows))
            sinks.add(self.segments[polarity], _on_lines(length, column, sinks))
        fed = crossbar.line != BIAS
        line = crossbar.line[fed]
        self._drive(self.driven, taps, _on_lines(crossbar.drains()[:, fed], line, taps))
        length = np.full((crossbar.groups, len(line)), float(columns))
        self._drive(self.driven_segments, taps, _on_lines(length, line, taps))
        self.inverted |= bool((crossbar.sign[fed] < 0).any())

    def _drive(self, nets: Kept, taps: Windows, values: Floats) -> None:
        if self._stage.sequential:
            # Places take turns, so a net drives the word lines of one place at a time.
            nets += values.max(initial=0.0)
        else:
            taps.add(nets, values)

    def nodes(self) -> tuple[Kept, Kept, Kept, Kept]:
        """Return siemens at the plus and minus node of each lane, and segments; (dst width,)."""
        return (self.siemens[1], self.siemens[-1], self.segments[1], self.segments[-1])

    @property
    def any(self) -> bool:
        """Whether any lane has a device."""
        return any(bool(siemens.any()) for siemens in self.siemens.values())


def measure(design: Design, tile: Tile) -> dict[str, ArrayLoads]:
    """Return the loads of every programmed stage, by its name. tile: see `Tile`."""
    found = {}
    for stage in design.arrays:
        found[stage.name] = loads = ArrayLoads(design, stage, tile)
        for crossbar in stage.crossbars:
            loads.add(crossbar)
    return found


def _on_lines(values: Floats, line: Ints, windows: Windows) -> Floats:
    """Return sums (groups, lines of `windows`) of the values of word or bit lines (groups, lines).

    line: the line of the windows that each word or bit line is on.
    """
    sums = np.zeros((windows.lines, len(values)))
    np.add.at(sums, line, values.T)
    return sums.T


@dataclass(frozen=True, eq=False)
class NetLoads:
    """What hangs on every net of a bus: siemens and segments of word lines, and lane functions."""

    siemens: Kept
    segments: Kept
    functions: Kept


def outputs(design: Design, loads: Mapping[str, ArrayLoads]) -> dict[str, NetLoads]:
    """Return what hangs on every net of each bus; each array is (width,).

    loads: those of all programmed stages. Renaming passes the loads of its nets on.
    """
    buses = _Loaded(design)
    for stage in reversed(design.stages):
        if isinstance(stage, Array):
            buses[stage.src].siemens[:] += loads[stage.name].driven
            buses[stage.src].segments[:] += loads[stage.name].driven_segments
        elif isinstance(stage, Lanes):
            for src, taps in zip(stage.srcs, stage.taps, strict=True):
                taps.add(buses[src].functions, np.ones((taps.groups, taps.lines)))
        elif isinstance(stage, Rename) and stage.dst in buses:
            _pass_on(stage, buses.pop(stage.dst), buses)
    return buses


class _Loaded(dict[str, NetLoads]):
    """The outputs of each bus by its name; nothing hangs on a bus that was not loaded."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self._buses = design.buses

    def __missing__(self, name: str) -> NetLoads:
        # Single precision: a wide network has tens of millions of nets.
        width = self._buses[name].width
        return self.setdefault(name, NetLoads(*(np.zeros(width, np.float32) for _ in range(3))))


def _pass_on(stage: Rename, hung: NetLoads, buses: Mapping[str, NetLoads]) -> None:
    """Add what hangs on the nets of a renaming stage to the nets of its sources."""
    ends = np.cumsum([len(buses[src].siemens) for src in stage.srcs])
    used = stage.index >= 0
    for key in ("siemens", "segments", "functions"):
        sources = np.zeros(ends[-1])
        np.add.at(sources, stage.index[used], getattr(hung, key)[used])
        for src, part in zip(stage.srcs, np.split(sources, ends[:-1]), strict=True):
            getattr(buses[src], key)[:] += part
