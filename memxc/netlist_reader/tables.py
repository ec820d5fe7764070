"""Read the tables beside a netlist, mapping.csv and schedule.csv, row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from memxc.errors import fail, why

#: The cells of a row.
Row = tuple[str, ...]


def rows(path: Path, head: Row) -> Iterator[tuple[int, Row]]:
    """Yield every row below the head, with its line in the file.

    Raises MemxcError (bad-design) if the file is not a table with that head.
    """
    if path.exists() and not path.is_file():
        raise fail("bad-design", str(path), "cannot be read: it is no file")
    try:
        with path.open(encoding="ascii", newline="") as file:
            reader = csv.reader(file, strict=True)
            if tuple(next(reader, ())) != head:
                what = f"the first line is not {','.join(head)}"
                raise fail("bad-design", f"{path.name}:1", what)
            for row in reader:
                if len(row) != len(head):
                    what = f"a row needs {len(head)} cells, and this one has {len(row)}"
                    raise fail("bad-design", f"{path.name}:{reader.line_num}", what)
                yield reader.line_num, tuple(row)
    except OSError as error:
        raise fail("bad-design", str(path), f"cannot be read: {why(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise fail("bad-design", str(path), f"cannot be read: {why(error)}") from error
