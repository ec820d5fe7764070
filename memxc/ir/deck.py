"""Deck: the circuit as drawn. Cell definitions and their instances over numbered nets.

A deck knows no SPICE dialect. Nets are numbers into one table of names, so that a deck of a million
connections stays small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.ir.windows import Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grids:
    """Crossbar definitions that share one wiring: `names[i]` has conductances g[i] at `cell`.

    g: (definitions, devices) siemens. cell: (word lines, bit lines), index into a row of g, -1
    where there is no device. Ports of a definition: the word lines, then the bit lines.
    device: the periphery cell that each device is an instance of, or "" for a resistor.
    """

    names: tuple[str, ...]
    g: Floats
    cell: Ints
    device: str = ""


@dataclass(frozen=True)
class CellDefinition:
    """A periphery cell: the name of its definition, its template, and the template's values."""

    name: str
    template: str
    values: tuple[tuple[str, str | float | int], ...] = ()


@dataclass(frozen=True, eq=False)
class Instances:
    """Instances of one kind of cell.

    nets: (instances, ports), numbers into `Deck.nets`. params: parameters by name, each
    (instances,).
    """

    names: tuple[str, ...]
    nets: Ints
    cells: tuple[str, ...]
    params: tuple[tuple[str, Floats], ...] = ()


@dataclass(frozen=True, eq=False)
class Terminal:
    """An input or an output of the network, or of an island in it.

    nets: (width,), one net a lane, in the order of the tensor. scale: volts per unit.
    limit: the voltage at which an input has to be clipped, or None. before: the digital stage that
    computes the output from these nets, or "" if there is none.
    """

    nets: Ints
    scale: float
    limit: float | None = None
    before: str = ""


@dataclass(frozen=True, eq=False)
class StageCells:
    """The definitions and instances of one stage."""

    name: str
    grids: tuple[Grids, ...] = ()
    instances: tuple[Instances, ...] = ()


@dataclass(frozen=True, eq=False)
class Deck:
    """A circuit. Its environment drives the inputs and supplies (volts), and reads the outputs.

    inputs: the port of each input; None for an input that only islands read. outputs: the ports of
    each output. An output that stays digital has the ports that its digital stage reads.
    borders: the ports of the islands by their titles: "output 1 to s03_island_1" is what the island
    reads, "input from s03_island_1" is what it drives.
    """

    name: str
    nets: tuple[str, ...]
    cells: tuple[CellDefinition, ...]
    parts: tuple[StageCells, ...]
    supplies: tuple[tuple[str, float], ...] = ()
    inputs: tuple[Terminal | None, ...] = ()
    outputs: tuple[tuple[Terminal, ...], ...] = ()
    borders: tuple[tuple[str, Terminal], ...] = ()

    def verify(self) -> None:
        """Raise AssertionError if a name is used twice, or if a cell or a net does not exist."""
        grids = [name for part in self.parts for grid in part.grids for name in grid.names]
        defined = [cell.name for cell in self.cells] + grids
        assert len(set(defined)) == len(defined), "a definition is written twice"
        names = [n for part in self.parts for group in part.instances for n in group.names]
        assert len(set(names)) == len(names), "an instance name is used twice"
        assert len(set(self.nets)) == len(self.nets), "a net name is used twice"
        known = set(defined)
        for part in self.parts:
            for group in part.instances:
                assert set(group.cells) <= known, f"{part.name} places an undefined cell"
                assert group.nets.min(initial=0) >= 0, f"{part.name} has an unknown net"
                assert group.nets.max(initial=0) < len(self.nets), f"{part.name} has a lost net"

    def __str__(self) -> str:
        lines = [f"deck {self.name}"]
        lines += [f"  cell {cell.name} = {cell.template}" for cell in self.cells]
        for part in self.parts:
            for grid in part.grids:
                size = "x".join(map(str, grid.cell.shape))
                lines.append(f"  {part.name}: {len(grid.names)} crossbars {size} {grid.names[0]}..")
            for group in part.instances:
                lines.append(
                    f"  {part.name}: {len(group.names)} x {group.cells[0]} "
                    f"{group.names[0]}({' '.join(self.nets[n] for n in group.nets[0])})"
                )
        return "\n".join(lines)
