"""What lvs says of one disagreement, and of a cell that it does not judge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One disagreement: where it stands, what the design says and what the netlist says.

    line 0: of the file as a whole, because something is missing.
    """

    file: str
    line: int
    where: str
    expected: str
    found: str


@dataclass(frozen=True)
class UserCell:
    """A cell, or a card outside of all cells, that is not memxc's own text: what it does, only a
    simulation shows."""

    file: str
    line: int
    name: str
