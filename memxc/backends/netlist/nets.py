"""Nets: one number for each wire of the circuit. A net that is renamed is the same net."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memxc.ir.design import Design
from memxc.ir.stages import Rename
from memxc.ir.windows import GROUND, Ints, Windows, ints

#: Nets of windows gathered at once.
_CHUNK = 1 << 22


class Nets:
    """The nets of a design: `of[bus]` (width,) are numbers, GROUND where a lane is at 0 V."""

    def __init__(self, design: Design) -> None:
        widths = [bus.width for bus in design.buses.values()]
        self._first = np.concatenate([[0], np.cumsum(widths)])
        own = {
            name: ints(np.arange(first, first + width))
            for name, first, width in zip(design.buses, self._first, widths, strict=False)
        }
        self.of: dict[str, Ints] = {name: own[name] for name in design.inputs}
        for stage in design.stages:
            if isinstance(stage, Rename):
                sources = np.concatenate([*(self.of[src] for src in stage.srcs), [GROUND]])
                # GROUND is -1, the entry put at the end.
                self.of[stage.dst] = ints(sources[stage.index])
            else:
                self.of[stage.dst] = own[stage.dst]

    def name(self, net: int) -> str:
        """The net's name in the netlist: n<bus>_<lane>, or 0."""
        if net == GROUND:
            return "0"
        bus = int(np.searchsorted(self._first, net, side="right")) - 1
        return f"n{bus}_{net - self._first[bus]}"

    def names(self, nets: Ints) -> list[str]:
        """`name` of each of a vector of nets."""
        buses = np.searchsorted(self._first, nets, side="right") - 1
        lanes = nets - self._first[buses]
        return [
            "0" if net == GROUND else f"n{bus}_{lane}"
            for net, bus, lane in zip(nets.tolist(), buses.tolist(), lanes.tolist(), strict=True)
        ]


def chunks(windows: Windows) -> Iterator[tuple[slice, slice]]:
    """Slices of groups and of places that bound what is gathered at once."""
    return windows.pieces(_CHUNK)
