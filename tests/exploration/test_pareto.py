"""The points that no other is better than, against a check of every pair from the definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memxc.exploration.pareto import costs, front

POINTS = st.lists(st.none() | st.tuples(*[st.integers(0, 3).map(float)] * 2), max_size=9)


def test_a_front_by_hand():
    """(1, 5), (2, 2) and (4, 1) are best; (3, 3) loses to (2, 2), (4, 2) to (4, 1)."""
    assert front([(1, 5), (3, 3), (2, 2), (4, 1), (4, 2), None]) == {0, 2, 3}


def test_equal_points_are_both_best():
    assert front([(1, 2), (2, 1), (1, 2)]) == {0, 1, 2}


@given(POINTS)
def test_a_point_is_out_exactly_if_another_beats_it(points):
    best = front(points)
    for number, point in enumerate(points):
        others = [other for other in points if other is not None and other != point]
        beaten = point is None or any(o[0] <= point[0] and o[1] <= point[1] for o in others)
        assert (number not in best) == beaten


def test_a_score_is_better_the_larger_it_is_and_an_error_the_smaller():
    figures = {"score": 0.25, "power": 2.0, "area": None}
    assert costs(figures, ("score", "power"), "top1") == (-0.25, 2.0)
    assert costs(figures, ("power", "score"), "error") == (2.0, 0.25)
    assert costs(figures, ("power", "area"), None) is None
