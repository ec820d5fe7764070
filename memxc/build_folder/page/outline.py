"""Lines of the network's drawing: layers stand below each other, and lines join them at the left.

A line runs in a column of its own from the layer that drives it down to the last layer that reads
it. A layer takes the column of the line that ends at it, so a chain is one straight line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memxc.build_folder.page.layers import LayerCost

#: Columns that are drawn. Further lines of a very wide network share the last one.
_MOST = 12


@dataclass(frozen=True)
class Row:
    """What is drawn beside one layer.

    column: where its dot stands. passing: columns of lines that pass by. reads: columns of the
    lines that it reads. drives: whether a line begins here.
    """

    column: int
    passing: tuple[int, ...]
    reads: tuple[int, ...]
    drives: bool


def outline(layers: Sequence[LayerCost]) -> list[Row]:
    """Return a row for the inputs, and one for each layer in order."""
    last = {0: 0} | {layer.number: layer.number for layer in layers}
    for layer in layers:
        for source in layer.sources:
            last[source] = max(last[source], layer.number)
    columns: dict[int, int] = {}
    rows = []
    for number in range(len(layers) + 1):
        sources = sorted(layers[number - 1].sources) if number else []
        reads = tuple(columns[source] for source in sources if source in columns)
        ended = [source for source in sources if last[source] == number and source in columns]
        passing = [column for source, column in columns.items() if source not in ended]
        free = [columns.pop(source) for source in ended]
        column = min(free, default=_first_free(passing))
        if last[number] > number:
            columns[number] = column
        rows.append(Row(column, tuple(passing), reads, last[number] > number))
    return rows


def _first_free(taken: Sequence[int]) -> int:
    return next((c for c in range(_MOST) if c not in taken), _MOST - 1)
