"""Read a user's measured I-V curves from a CSV file (docs/targets.md lists its columns)."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from memxc.errors import Fault, MemxcError, fail
from memxc.target._states import lines, number

#: The largest number of points; more are a mistake or an attack.
_MOST = 65536
_STATE, _COLUMNS = ("state_s", "state_ohm"), ("volts", "amperes")
_SAYS = "columns are state_s or state_ohm, volts, amperes"
#: Largest relative difference between a curve and its state's conductance: a larger one means
#: that a unit is wrong.
_SLIP = 0.2
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Curve(BaseModel):
    """A measured I-V curve through (0, 0), linear between its points.

    points: (volts, amperes), ascending. A curve without a point below 0 V is taken to be odd:
    i(-v) = -i(v). state_s: the conductance that names the state.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_s: float = Field(gt=0, allow_inf_nan=False)
    points: tuple[tuple[Finite, Finite], ...]

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: object) -> object:
        """Add the point (0, 0) and, for a curve on one side only, its mirror image."""
        try:
            points = {(float(v), float(i)) for v, i in data["points"]}  # type: ignore[index]
            if not any(v == 0 for v, _ in points):
                points.add((0.0, 0.0))
            if min(points)[0] >= 0:
                points |= {(-v, -i) for v, i in points if v}
            return {**data, "points": sorted(points)}  # type: ignore[dict-item]
        except (KeyError, TypeError, ValueError):
            return data  # malformed: the fields' own checks report it

    @model_validator(mode="after")
    def _rises(self) -> Curve:
        state = f"the state of {self.state_s:g} S"
        # From the largest voltage down, so that a fault names a measured point, not its mirror
        # image.
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
        """Return i(v) / v in siemens, for `volts` within the curve.

        Raises ValueError outside it.
        """
        for (v, i), (next_v, next_i) in pairwise(self.points):
            if v <= volts <= next_v:
                return (i + (next_i - i) * (volts - v) / (next_v - v)) / volts
        raise ValueError(
            f"the state of {self.state_s:g} S is not measured at read_voltage_v = {volts:g}"
        )


def check(curves: tuple[Curve, ...], read_voltage_v: float) -> None:
    """Raise ValueError if a curve does not belong to its state, or if two curves read alike."""
    conductances = [curve.conductance(read_voltage_v) for curve in curves]
    for curve, g in zip(curves, conductances, strict=True):
        if not math.isclose(curve.state_s, g, rel_tol=_SLIP):
            at = f"read_voltage_v = {read_voltage_v:g}"
            raise ValueError(f"the state of {curve.state_s:g} S has {g:g} S at {at}")
    if len(set(conductances)) < len(conductances):
        raise ValueError("two curves have the same conductance at read_voltage_v")


def read(path: Path) -> list[dict[str, object]]:
    """Read the curves of a CSV file, each {state_s, points}, in ascending order of their states.

    The lines may have any order. Raises MemxcError (bad-target) with one fault for each wrong line.
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
    """Return the name of the column that holds the state."""
    state_columns = [name for name in names if name in _STATE]
    if len(state_columns) != 1 or sorted(names) != sorted([*state_columns, *_COLUMNS]):
        what = f"the first line reads {', '.join(names)[:100]!r}" if names else "no points"
        raise fail("bad-target", where, what, _SAYS)
    return state_columns[0]


def _point(row: dict[str, str], state: str) -> tuple[float, float, float]:
    """Return the state in siemens, the volts and the amperes of one line. Raises ValueError."""
    cells = {str(name).strip(): value for name, value in row.items()}
    if "None" in cells:
        raise ValueError("more cells than columns")
    state_value, volts, amperes = (number(cells, name) for name in (state, *_COLUMNS))
    if not state_value > 0:
        raise ValueError(f"{state} has to be above 0")
    return (1 / state_value if state == "state_ohm" else state_value), volts, amperes
