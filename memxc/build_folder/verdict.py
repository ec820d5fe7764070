"""Compare a report with a budget. It imports no library, to keep `memxc --help` quick."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

from memxc import units
from memxc.build_folder.quantities import QUANTITIES
from memxc.errors import Fault, MemxcError, like

if TYPE_CHECKING:
    from memxc.build_folder.report.document import Report

#: The quantities that a budget can limit.
_KEYS = ("crossbars", "memristors", "power", "latency", "loss", "erc")
BUDGETS = {key: QUANTITIES[key] for key in _KEYS}


def check(limits: Mapping[str, float]) -> None:
    """Raise MemxcError (usage) for unknown keys, and for limits that are no numbers."""
    unknown = [key for key in limits if key not in BUDGETS]
    if unknown:
        hint = f"the keys of a budget are {', '.join(BUDGETS)}"
        raise MemxcError(
            Fault("usage", key, "is not a key of a budget", like(key, BUDGETS) or hint)
            for key in unknown
        )
    wrong = [key for key, limit in limits.items() if not isinstance(limit, Real)]
    if wrong:
        raise MemxcError(Fault("usage", key, f"{limits[key]!r} is not a number") for key in wrong)


def over(limits: Mapping[str, float], report: Report) -> list[str]:
    """A sentence for every limit that the report exceeds, or for which it has no figure.

    Raises MemxcError (usage) as `check` does.
    """
    check(limits)
    lines = []
    for key, limit in limits.items():
        unit, value = BUDGETS[key].unit, BUDGETS[key].of(report)
        if value is None:
            lines.append(f"over budget: {key} was not measured")
        elif value > limit:
            plain = "{:.4g}" if key == "loss" else "{:,.0f}"
            shown = [units.text(v, unit) if unit else plain.format(v) for v in (value, limit)]
            lines.append(f"over budget: {key} is {shown[0]}, and the limit is {shown[1]}")
    return lines
