"""A row of the table: a number of an abstract, our number, and the command that makes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PAPERS = {
    1: "squeeze-and-excitation FCN, convolution kernel first (CKF)",
    2: "sparse compact CNN, pruned crossbars",
    3: "sub-images on unit crossbars, 2D + 1D kernels",
    4: "ShuffleNetV2, (M+1) x 2 circuits",
}
#: The text of a row without data, in place of our number.
WANTS_DATA = "not run: wants the data"


@dataclass(frozen=True)
class Row:
    """theirs: the number in the abstract, or a dash; tag: where their number comes from.

    ours: our number with its unit; how: the command, short enough for a table. data: whether our
    number needs a data set that is not part of this project.
    """

    paper: int
    quantity: str
    theirs: str
    tag: str
    ours: str
    how: str
    data: bool = False


def markdown(rows: Iterable[Row]) -> str:
    """The table as Markdown, with a section for each paper."""
    rows = list(rows)
    text = []
    for number, title in PAPERS.items():
        text += [f"### Paper {number}: {title}", ""]
        text += ["| quantity | theirs | | ours | command |", "|---|---|---|---|---|"]
        text += [
            f"| {row.quantity} | {row.theirs} | {row.tag} | {row.ours} | `{row.how}` |"
            for row in rows
            if row.paper == number
        ]
        text.append("")
    return "\n".join(text)
