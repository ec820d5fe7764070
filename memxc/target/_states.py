"""Read a user's measured states from a CSV file (docs/targets.md lists its columns)."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from memxc.errors import Fault, MemxcError, fail, why

#: The largest number of states; more are a mistake or an attack.
_MOST = 65536
_MEAN, _SIGMA = ("mean_s", "mean_ohm"), ("sigma_s", "sigma_ohm")
_LABELS = ("level", "target_s", "target_ohm")
_COLUMNS = (
    "comma-separated columns: mean_s or mean_ohm, sigma_s or sigma_ohm; "
    "level, target_s and target_ohm are yours"
)


def read(path: Path) -> list[dict[str, float]]:
    """Read the states of a CSV file, each {mean_s, sigma_s}, in ascending order.

    Raises MemxcError (bad-target) with one fault for each wrong line.
    """
    rows = lines(path)
    mean, sigma = _header(str(path), [name.strip() for name in rows[0] if name] if rows else [])
    if not 2 <= len(rows) <= _MOST:
        raise fail("bad-target", str(path), f"{len(rows)} states, not 2 to {_MOST}")
    states, faults = [], []
    for count, row in enumerate(rows, 1):
        try:
            states.append(_state(row, mean, sigma))
        except (ValueError, TypeError) as error:
            faults.append(Fault("bad-target", f"{path}: state {count}", str(error)))
    if faults:
        raise MemxcError(faults)
    return sorted(states, key=lambda state: state["mean_s"])


def lines(path: Path) -> list[dict[str, str]]:
    """Read the lines of a CSV file, each {column: text}. Raises MemxcError (bad-target)."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise fail("bad-target", str(path), f"cannot be read: {why(error)}") from error
    try:
        # Strict, so that a quote that is never closed is an error.
        return list(csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise fail("bad-target", str(path), f"not CSV: {error}") from error


def _header(where: str, names: list[str]) -> tuple[str, str]:
    """Return the names of the mean's and the sigma's column."""
    chosen = [[name for name in names if name in wanted] for wanted in (_MEAN, _SIGMA)]
    strange = [name for name in names if name not in (*_MEAN, *_SIGMA, *_LABELS)]
    if any(len(columns) != 1 for columns in chosen) or strange or len(set(names)) < len(names):
        what = f"the first line reads {', '.join(names)[:100]!r}" if names else "no states"
        raise fail("bad-target", where, what, _COLUMNS)
    return chosen[0][0], chosen[1][0]


def _state(row: dict[str, str], mean: str, sigma: str) -> dict[str, float]:
    """Return mean and standard deviation of one line in siemens. Raises ValueError."""
    cells = {str(name).strip(): value for name, value in row.items()}
    if "None" in cells:
        raise ValueError("more cells than columns")
    middle, spread = (number(cells, name) for name in (mean, sigma))
    if not middle > 0 or not spread >= 0:
        raise ValueError(f"{mean} has to be above 0, and {sigma} not below 0")
    siemens = 1 / middle if mean == "mean_ohm" else middle
    # To first order, g = 1/r has the standard deviation sigma_r * g**2.
    return {
        "mean_s": siemens,
        "sigma_s": spread * siemens**2 if sigma == "sigma_ohm" else spread,
    }


def number(cells: dict[str, str], name: str) -> float:
    """Return the finite number in one column of a line. Raises ValueError."""
    try:
        value = float(cells[name])
    except (ValueError, TypeError):
        raise ValueError(f"{name} is not a number: {str(cells[name])[:40]!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is not finite")
    return value
