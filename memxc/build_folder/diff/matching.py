"""Find the stages of two reports that are the same part of a circuit.

Exporters give nodes different names. So stages are paired first by their kind, figures and order,
then by kind and figures alone (branches may be in another order), and last by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Numbers with a smaller relative difference differ only by rounding.
_ROUNDING = 1e-6
#: With more stages the order is not used, because its work grows with the square of their number.
_MOST = 4_000


class StageFigures(NamedTuple):
    """The kind of a stage, and its counts and watts."""

    kind: str
    numbers: tuple[float, ...]

    def like(self, other: StageFigures) -> bool:
        """Whether both are equal up to rounding."""
        each = zip(self.numbers, other.numbers, strict=True)
        return self.kind == other.kind and all(
            math.isclose(mine, theirs, rel_tol=_ROUNDING) for mine, theirs in each
        )


def pairs(
    a: Mapping[str, StageFigures], b: Mapping[str, StageFigures]
) -> list[tuple[str | None, str | None]]:
    """Pairs of names: all stages of A in order with their stages of B, then the others of B."""
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
    """Pair each stage of A that has no partner with the first free stage of B that fits."""
    for mine in a:
        if mine not in found:
            theirs = next((name for name in free if fits(mine, name)), None)
            if theirs is not None:
                found[mine] = theirs
                del free[theirs]


def _in_order(a: Mapping[str, StageFigures], b: Mapping[str, StageFigures]) -> dict[str, str]:
    """Pair stages of one kind without changing their order. Equal numbers or names weigh more.

    The pairs have the largest sum of weights, found as a longest common subsequence is.
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
    """The weight of each pair of stages, (stages of A, stages of B); 0 for different kinds."""
    weights = np.zeros((len(a), len(b)), dtype=np.int32)
    names = np.array([*b], dtype=object)
    kinds = np.array([part.kind for part in b.values()], dtype=object)
    numbers = np.array([part.numbers for part in b.values()], dtype=float)
    for row, (name, part) in zip(weights, a.items(), strict=True):
        alike = np.isclose(numbers, part.numbers, rtol=_ROUNDING, atol=0.0).all(axis=1)
        row[:] = np.where(kinds == part.kind, 1 + 2 * alike + 2 * (names == name), 0)
    return weights
