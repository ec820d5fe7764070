"""What lvs reports: a difference, and a cell that it does not judge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One difference: its place, what the design says and what the netlist says.

    line: 0 for the file as a whole, because something is missing.
    """

    file: str
    line: int
    where: str
    expected: str
    found: str


@dataclass(frozen=True)
class UserCell:
    """A cell, or a card outside of all cells, that memxc did not write.

    Only a simulation can judge it.
    """

    file: str
    line: int
    name: str
