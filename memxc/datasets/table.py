"""A CSV table: a sample in each row, its label in the column label, y, class, target or emotion.

FER2013's fer2013.csv has the pixels of a row in one column, with blanks between them.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memxc.datasets import Part, Raw
from memxc.datasets._common import MOST_BYTES, spread, wrong
from memxc.errors import why

if TYPE_CHECKING:
    from _csv import Reader as _Reader

KIND = "a .csv table with a row for each sample (also fer2013.csv)"
_LABELS = ("label", "y", "class", "target", "emotion")
#: The column that says which part a row belongs to, and its words.
_USAGE, _PARTS = "Usage", {"test": "PrivateTest", "train": "Training"}


def fits(path: Path) -> bool:
    """Return whether this is a .csv file."""
    return path.is_file() and path.suffix == ".csv"


def read(path: Path, part: Part, count: int | None) -> Raw:
    """Return numbers (samples, columns), or pictures for a column of pixels."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            head = next(rows, [])
            named = any(not _number(word) for word in head)
            if not named:
                file.seek(0)
                rows = csv.reader(file)
            return _table(path, head if named else [], rows, part, count)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise wrong(path, f"is no table: {why(error)}") from error


def _table(path: Path, head: list[str], rows: _Reader, part: Part, count: int | None) -> Raw:
    names = [word.strip() for word in head]
    label = next((n for n, name in enumerate(names) if name.lower() in _LABELS), None)
    usage = names.index(_USAGE) if _USAGE in names else None
    pixels = names.index("pixels") if "pixels" in names else None
    known = [n for n in range(len(names)) if n not in (label, usage)]
    labels, values = [], []
    size = 0
    for row in rows:
        if not row or (usage is not None and row[usage : usage + 1] != [_PARTS[part]]):
            continue
        line = rows.line_num
        if names and len(row) != len(names):
            raise wrong(f"{path}:{line}", f"has {len(row)} columns, and the head {len(names)}")
        texts = row if not names else [row[n] for n in known]
        texts = row[pixels].split() if pixels is not None else texts
        try:
            values.append(np.array(texts, dtype=np.float64))
            labels.append(int(row[label]) if label is not None else 0)
        except ValueError as error:
            raise wrong(f"{path}:{line}", f"holds something that is no number: {error}") from error
        if len(values[-1]) != len(values[0]):
            raise wrong(f"{path}:{line}", f"has {len(values[-1])} numbers, others {len(values[0])}")
        size += values[-1].nbytes
        if size > MOST_BYTES:
            raise wrong(path, f"has more than {MOST_BYTES:,} bytes of numbers")
    if not values:
        what = f"has no rows of the part {_PARTS[part]}" if usage is not None else "has no rows"
        raise wrong(path, what)
    taken = spread(len(values), count)
    numbers = np.stack(values)[taken]
    classes = None if label is None else np.array(labels, dtype=np.int64)[taken]
    if pixels is None:
        return Raw(numbers, classes, pictures=False)
    side = math.isqrt(numbers.shape[1])
    if side * side != numbers.shape[1] or not _bytes(numbers):
        raise wrong(path, f"has {numbers.shape[1]} pixels a row, which are no square of bytes")
    return Raw(numbers.astype(np.uint8).reshape(-1, side, side), classes, pictures=True)


def _bytes(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    return bool(((numbers >= 0) & (numbers <= 255) & (numbers % 1 == 0)).all())


def _number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
