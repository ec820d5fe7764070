"""Which points of an exploration no other point is better than."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memxc.evaluation.metrics import Metric

#: The figure that is better the larger it is, but for the metric `error`.
SCORE = "score"


def costs(
    figures: Mapping[str, float | None], objectives: Sequence[str], metric: Metric | None
) -> tuple[float, ...] | None:
    """Return what each objective costs, the smaller the better; None if one was not measured."""
    found = []
    for name in objectives:
        value = figures.get(name)
        if value is None:
            return None
        found.append(-value if name == SCORE and metric != "error" else value)
    return tuple(found)


def front(points: Sequence[tuple[float, ...] | None]) -> set[int]:
    """Return the numbers of the points that no other point dominates.

    A point dominates another if it is at most as costly in everything and less costly in something
    (Pareto's order). Points with equal costs do not dominate each other. None is in no front.
    """
    known = [(number, point) for number, point in enumerate(points) if point is not None]
    return {
        number for number, point in known if not any(_dominates(other, point) for _, other in known)
    }


def _dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(one <= other for one, other in zip(a, b, strict=True))
