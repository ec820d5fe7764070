"""How a folder is to be verified."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How to verify.

    tolerance: relative; None means 1e-6 with ideal amplifiers and 1e-5 with others. power: let the
    engine add up the watts of the devices, too, which only ngspice can. transient: compute also how
    lanes settle, which only ngspice can. jobs: number of processes for the engine; 0 runs it in
    this process, which then hears no interrupt while the engine solves.
    """

    engine: str = "auto"
    stage: str | None = None
    wire: bool = False
    power: bool = False
    transient: bool = False
    tolerance: float | None = None
    jobs: int = 0
