"""Nets: one number for each wire of the circuit. A Rename stage makes no new nets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memxc.ir.design import Design
from memxc.ir.stages import Rename
from memxc.ir.windows import GROUND, Ints, Windows, ints

#: At most so many nets are gathered at once, to bound the memory.
_CHUNK = 1 << 22


class Nets:
    """The nets of a design. `of[bus]` are their numbers, (width,), GROUND for a lane at 0 V."""

    def __init__(self, design: Design) -> None:
        widths = [bus.width for bus in design.buses.values()]
        self._first = np.concatenate([[0], np.cumsum(widths)])
        driven = {
            name: ints(np.arange(first, first + width))
            for name, first, width in zip(design.buses, self._first, widths, strict=False)
        }
        self.of: dict[str, Ints] = {name: driven[name] for name in design.inputs}
        for stage in design.stages:
            if isinstance(stage, Rename):
                sources = np.concatenate([*(self.of[src] for src in stage.srcs), [GROUND]])
                # An index of GROUND (-1) reads the last entry.
                self.of[stage.dst] = ints(sources[stage.index])
            else:
                self.of[stage.dst] = driven[stage.dst]

    def bus_of(self, nets: Ints) -> Ints:
        """Return the number of the bus of each net, which is in its name; -1 for no net."""
        return ints(np.searchsorted(self._first, nets, side="right") - 1)

    def name(self, net: int) -> str:
        """Return the net's name in the netlist: n<bus>_<lane>, or 0 for ground."""
        if net == GROUND:
            return "0"
        bus = int(np.searchsorted(self._first, net, side="right")) - 1
        return f"n{bus}_{net - self._first[bus]}"

    def names(self, nets: Ints) -> list[str]:
        """Return the name of each of some nets."""
        buses = np.searchsorted(self._first, nets, side="right") - 1
        lanes = nets - self._first[buses]
        return [
            "0" if net == GROUND else f"n{bus}_{lane}"
            for net, bus, lane in zip(nets.tolist(), buses.tolist(), lanes.tolist(), strict=True)
        ]


def chunks(windows: Windows) -> Iterator[tuple[slice, slice]]:
    """Yield slices of groups and of places, small enough to gather their nets at once."""
    return windows.pieces(_CHUNK)
