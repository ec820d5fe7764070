"""The reference meaning of a design, against sums for each lane worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.evaluation import evaluate
from memxc.ir.design import Bus
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.windows import Windows, identity_windows, ints

INF = float("inf")


def _words(lines, signs) -> Crossbar:
    """Return two outputs on a crossbar whose word lines carry `lines` with `signs`."""
    rows = len(lines)
    return Crossbar(
        g=np.full((1, rows * 2), 1e-5), cell=ints(np.arange(rows * 2).reshape(rows, 2)),
        line=ints(lines), sign=ints(signs), column=ints([0, 1]), polarity=ints([-1, -1]),
        definition=ints([0]), taps=identity_windows(3), sinks=identity_windows(2), grid=(1,),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gain", "inverted"),
    # An inverter of gain A: -1 / (1 + 2/A).
    [(INF, -1.0), (2.0, -0.5), (8.0, -0.8)],
)
def test_word_lines_are_taps_their_inverses_and_supplies(gain, inverted):
    crossbar = _words([2, 2, 0, BIAS, BIAS], [1, -1, -1, 1, -1])
    taps = np.array([[0.1, 0.7, -0.3], [0.2, 0.9, 0.4]])
    found = evaluate.word_line_volts(crossbar, taps, 0.15, gain)
    # The inverted bias is a separate supply, without an amplifier.
    wanted = [
        [-0.3, -0.3 * inverted, 0.1 * inverted, 0.15, -0.15],
        [0.4, 0.4 * inverted, 0.2 * inverted, 0.15, -0.15],
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_source_with_a_limiter_is_clipped_and_one_without_is_not():
    values = np.array([[[-5, 1, 2]], [[4, -1, 0.5]]], np.float32)
    limited = Bus("x", (1, 1, 3), 0.1, 0.3)
    np.testing.assert_allclose(
        evaluate.drive(limited, values), [[-0.3, 0.1, 0.2], [0.3, -0.1, 0.05]], rtol=1e-7
    )
    free = replace(limited, limit=None)
    np.testing.assert_allclose(evaluate.drive(free, values)[:, 0], [-0.5, 0.4], rtol=1e-7)
    units = replace(limited, scale=None, limit=None)
    np.testing.assert_array_equal(evaluate.drive(units, values)[:, 0], [-5, 4])


@pytest.mark.parametrize("most", [1, 7, 40, 41, 100, 10_000])
@pytest.mark.parametrize(("columns", "samples"), [(0, 1), (4, 1), (4, 3)])
def test_pieces_cover_every_place_of_every_group_once(most, columns, samples):
    windows = Windows(
        ints(np.arange(99).reshape(9, 11)), ints(range(5)), ints([0, 11, 22]), ints([0, 1])
    )
    seen = np.zeros((3, 5), int)
    for groups, places in windows.pieces(most, columns, samples):
        seen[groups, places] += 1
        part = seen[groups, places].size
        assert part * samples * (2 + columns) <= most or part == 1
    assert (seen == 1).all()
