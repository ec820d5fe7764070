"""Which stages of two reports are the same part of a circuit.

Exporters give nodes names of their own. So what counts is what a stage is and where it stands; then
what it is alone, for branches may stand in another order; then its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Numbers that differ by less than this share differ by rounding.
_ROUNDING = 1e-6
#: Of more stages only those of one name are paired: the work grows by their square.
_MOST = 4_000


class StageFigures(NamedTuple):
    """What a stage is: its kind, and its counts and watts."""

    kind: str
    numbers: tuple[float, ...]

    def like(self, other: StageFigures) -> bool:
        """Whether it is the same, but for rounding."""
        each = zip(self.numbers, other.numbers, strict=True)
        return self.kind == other.kind and all(
            math.isclose(mine, theirs, rel_tol=_ROUNDING) for mine, theirs in each
        )


def pairs(
    a: Mapping[str, StageFigures], b: Mapping[str, StageFigures]
) -> list[tuple[str | None, str | None]]:
    """The names of all stages of A in order, each with that of its stage in B; then B's others."""
    found = _in_order(a, b) if a and b and len(a) * len(b) <= _MOST**2 else {}
    known = set(found.values())
    free = {name: None for name in b if name not in known}
    _pair(a, free, found, lambda mine, theirs: a[mine].like(b[theirs]))
    _pair(a, free, found, lambda mine, theirs: mine == theirs)
    return [*((mine, found.get(mine)) for mine in a), *((None, name) for name in free)]


def _pair(
    a: Mapping[str, StageFigures],
    free: dict[str, None],
    found: dict[str, str],
    fits: Callable[[str, str], bool],
) -> None:
    """Give stages of A that have none yet the first free one of B that fits."""
    for mine in a:
        if mine not in found:
            theirs = next((name for name in free if fits(mine, name)), None)
            if theirs is not None:
                found[mine] = theirs
                del free[theirs]


def _in_order(a: Mapping[str, StageFigures], b: Mapping[str, StageFigures]) -> dict[str, str]:
    """Stages of one kind in pairs that do not cross: those whose numbers or names agree weigh more.

    The best sum of weights, as the longest common subsequence is found.
    """
    mine, theirs = [*a], [*b]
    weights = _weights(a, b)
    best = np.zeros((len(mine) + 1, len(theirs) + 1), dtype=np.int32)
    for i, row in enumerate(weights):
        paired = np.maximum(best[i, 1:], best[i, :-1] + row)
        best[i + 1, 1:] = np.maximum.accumulate(paired)
    found, i, j = dict[str, str](), len(mine), len(theirs)
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found[mine[i]] = theirs[j]
    return found


def _weights(a: Mapping[str, StageFigures], b: Mapping[str, StageFigures]) -> NDArray[np.int32]:
    """How well each stage of A and each of B go together; 0 where they are of two kinds."""
    weights = np.zeros((len(a), len(b)), dtype=np.int32)
    names = np.array([*b], dtype=object)
    kinds = np.array([part.kind for part in b.values()], dtype=object)
    numbers = np.array([part.numbers for part in b.values()], dtype=float)
    for row, (name, part) in zip(weights, a.items(), strict=True):
        alike = np.isclose(numbers, part.numbers, rtol=_ROUNDING, atol=0.0).all(axis=1)
        row[:] = np.where(kinds == part.kind, 1 + 2 * alike + 2 * (names == name), 0)
    return weights
