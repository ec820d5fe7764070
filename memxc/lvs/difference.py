"""What lvs says of one disagreement."""

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
