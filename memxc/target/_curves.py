"""A user's own measured I-V curves, from a CSV file (its columns: docs/targets.md)."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from memxc.errors import Fault, MemxcError, fail
from memxc.target._states import lines, number

#: More points than this are a mistake, or an attack.
_MOST = 65536
_STATE, _COLUMNS = ("state_s", "state_ohm"), ("volts", "amperes")
_SAYS = "columns are state_s or state_ohm, volts, amperes"
#: What the curve may differ from its state's conductance by: more is a slip of the unit.
_SLIP = 0.2
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Curve(BaseModel):
    """A measured I-V curve: points (volts, amperes) ascending, through (0, 0), straight in between.

    Without a point below 0 V it is taken to be odd, i(-v) = -i(v). state_s: the conductance that
    the state is known by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_s: float = Field(gt=0, allow_inf_nan=False)
    points: tuple[tuple[Finite, Finite], ...]

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: object) -> object:
        """The curve through 0 and to both sides of it."""
        try:
            points = {(float(v), float(i)) for v, i in data["points"]}  # type: ignore[index]
            if not any(v == 0 for v, _ in points):
                points.add((0.0, 0.0))
            if min(points)[0] >= 0:
                points |= {(-v, -i) for v, i in points if v}
            return {**data, "points": sorted(points)}  # type: ignore[dict-item]
        except (KeyError, TypeError, ValueError):
            return data  # such as the checks of the fields will refuse

    @model_validator(mode="after")
    def _rises(self) -> Curve:
        state = f"the state of {self.state_s:g} S"
        # Downwards: what was measured comes before what was mirrored.
        for (v, i), (next_v, next_i) in reversed(list(pairwise(self.points))):
            if v == next_v:
                raise ValueError(f"{state} has two currents at {v:g} V")
            if not i < next_i:
                raise ValueError(f"{state}: the current does not rise from {v:g} to {next_v:g} V")
        if len(self.points) < 3:
            raise ValueError(f"{state} has no point but 0 V")
        if (0.0, 0.0) not in self.points:
            raise ValueError(f"{state} has a current at 0 V")
        return self

    def conductance(self, volts: float) -> float:
        """Siemens i(v) / v at some volts that the curve reaches."""
        for (v, i), (next_v, next_i) in pairwise(self.points):
            if v <= volts <= next_v:
                return (i + (next_i - i) * (volts - v) / (next_v - v)) / volts
        raise ValueError(
            f"the state of {self.state_s:g} S is not measured at read_voltage_v = {volts:g}"
        )


def check(curves: tuple[Curve, ...], read_voltage_v: float) -> None:
    """Raises ValueError where a curve is not its state's, or two of them are one when read."""
    found = [curve.conductance(read_voltage_v) for curve in curves]
    for curve, g in zip(curves, found, strict=True):
        if not math.isclose(curve.state_s, g, rel_tol=_SLIP):
            at = f"read_voltage_v = {read_voltage_v:g}"
            raise ValueError(f"the state of {curve.state_s:g} S has {g:g} S at {at}")
    if len(set(found)) < len(found):
        raise ValueError("two curves have the same conductance at read_voltage_v")


def read(path: Path) -> list[dict[str, object]]:
    """The curves of a CSV file, {state_s, points} each, ascending; lines in any order.

    Raises MemxcError (bad-target) with one fault for each line that is wrong.
    """
    rows = lines(path)
    state = _header(str(path), [name.strip() for name in rows[0] if name] if rows else [])
    if len(rows) > _MOST:
        raise fail("bad-target", str(path), f"{len(rows)} points, more than {_MOST}")
    curves: dict[float, list[tuple[float, float]]] = {}
    faults = []
    for count, row in enumerate(rows, 1):
        try:
            siemens, volts, amperes = _point(row, state)
            curves.setdefault(siemens, []).append((volts, amperes))
        except ValueError as error:
            faults.append(Fault("bad-target", f"{path}: point {count}", str(error)))
    if faults:
        raise MemxcError(faults)
    return [{"state_s": siemens, "points": points} for siemens, points in sorted(curves.items())]


def _header(where: str, names: list[str]) -> str:
    """The column of the state."""
    found = [name for name in names if name in _STATE]
    if len(found) != 1 or sorted(names) != sorted([*found, *_COLUMNS]):
        what = f"the first line reads {', '.join(names)[:100]!r}" if names else "no points"
        raise fail("bad-target", where, what, _SAYS)
    return found[0]


def _point(row: dict[str, str], state: str) -> tuple[float, float, float]:
    cells = {str(name).strip(): value for name, value in row.items()}
    if "None" in cells:
        raise ValueError("more cells than columns")
    known, volts, amperes = (number(cells, name) for name in (state, *_COLUMNS))
    if not known > 0:
        raise ValueError(f"{state} is above 0")
    return (1 / known if state == "state_ohm" else known), volts, amperes
