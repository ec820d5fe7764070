"""The size of stages: numbers in their tables, and the connections that a netlist draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from memxc.ir.stages import Array, Lanes, Linear, Rename, Stage
from memxc.ir.windows import Windows


@dataclass
class DesignSize:
    """The sizes added up so far.

    tables: numbers that say which net is where. connections: nets at the inputs and outputs of all
    cells and crossbars; a net counts once for each connection.
    """

    tables: int = 0
    connections: int = 0

    @property
    def largest(self) -> int:
        """The larger one of the two counts."""
        return max(self.tables, self.connections)

    def add(self, stages: Iterable[Stage]) -> None:
        """Add the sizes of some stages."""
        for stage in stages:
            if isinstance(stage, Rename):
                self.tables += len(stage.index)
            for windows in _windows(stage):
                self.tables += windows.frame.size + windows.places + windows.groups + windows.lines
                self.connections += windows.places * windows.groups * windows.lines
            if isinstance(stage, Lanes):
                self.connections += stage.taps[0].places * stage.taps[0].groups


def _windows(stage: Stage) -> Iterator[Windows]:
    if isinstance(stage, Lanes):
        yield from stage.taps
    elif isinstance(stage, Linear | Array):
        for block in stage.kernels if isinstance(stage, Linear) else stage.crossbars:
            yield from (block.taps, block.sinks)
