"""Deck: what is drawn. Definitions and placed instances over numbered nets, no dialect yet.

Nets are numbers into one table of names, so a deck of a million connections stays small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memxc.ir.windows import Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grids:
    """Crossbar definitions of one wiring: `names[i]` has conductances g[i] (siemens) at `cell`.

    Ports: the word lines, then the bit lines. cell: (word lines, bit lines), -1 for no device.
    device: the periphery cell that each device is an instance of, "" for a resistor.
    """

    names: tuple[str, ...]
    g: Floats
    cell: Ints
    device: str = ""


@dataclass(frozen=True)
class Cell:
    """A periphery cell: the name of its definition, its template, and the values for it."""

    name: str
    template: str
    values: tuple[tuple[str, str | float | int], ...] = ()


@dataclass(frozen=True, eq=False)
class Instances:
    """Placed cells of one kind. nets: (instances, ports), numbers into `Deck.nets`.

    `params` are parameters by name, one value an instance.
    """

    names: tuple[str, ...]
    nets: Ints
    cells: tuple[str, ...]
    params: tuple[tuple[str, Floats], ...] = ()


@dataclass(frozen=True, eq=False)
class Port:
    """An input or an output of the network. nets: (width,), one a lane, as the tensor has them.

    scale: volts per unit; limit: what an input's volts have to be clipped at, None for nothing.
    before: the stage that computes the output from these nets and stays digital; "" for none.
    """

    nets: Ints
    scale: float
    limit: float | None = None
    before: str = ""


@dataclass(frozen=True, eq=False)
class Part:
    """What one stage brings: its definitions and its instances."""

    name: str
    grids: tuple[Grids, ...] = ()
    instances: tuple[Instances, ...] = ()


@dataclass(frozen=True, eq=False)
class Deck:
    """A circuit. The outside drives its inputs and its supplies (volts), and reads its outputs.

    outputs: of each, its nets, or where it stays digital those that it is computed from.
    """

    name: str
    nets: tuple[str, ...]
    cells: tuple[Cell, ...]
    parts: tuple[Part, ...]
    supplies: tuple[tuple[str, float], ...] = ()
    inputs: tuple[Port, ...] = ()
    outputs: tuple[tuple[Port, ...], ...] = ()

    def verify(self) -> None:
        """Raise AssertionError where a name is used twice, or a cell or net does not exist."""
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
