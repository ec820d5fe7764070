"""Compare the numbers in the abstracts of the four papers behind memxc with memxc's own.

    python benchmarks/papers [--cifar10 PATH] [--fer2013 PATH] [--nuclei PATH] [--long]
                             [--write PAGE.md]

All networks in models/ are compiled again, into build/papers. Accuracies need the data sets
(models/accuracy.py describes their formats); without them the rows say so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import accuracy
import ckf
import shufflenet
import sparse
import subimages
from table import Row, markdown

FASHION = Path("/usr/share/datasets/fashion-mnist")
BEGIN, END = "<!-- table: make papers -->", "<!-- end of table -->"


def rows(data: accuracy.Data) -> Iterator[Row]:
    """All rows, one paper after the other."""
    for paper in (ckf, sparse, subimages, shufflenet):
        yield from paper.rows(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("fashion", "cifar10", "fer2013", "nuclei"):
        parser.add_argument(f"--{name}", type=Path, help=f"the data set {name}")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    parser.add_argument("--long", action="store_true", help="half an hour more: SPICE, the curve")
    args = parser.parse_args()
    fashion = args.fashion or (FASHION if FASHION.is_dir() else None)
    if args.write and BEGIN not in args.write.read_text():
        raise SystemExit(f"{args.write} has no line {BEGIN}")
    data = accuracy.Data(fashion, args.cifar10, args.fer2013, args.nuclei, args.long)
    made = []
    for row in rows(data):
        print(f"{row.paper}  {row.quantity}: {row.theirs} [{row.tag}] | {row.ours}", flush=True)
        made.append(row)
    if args.write:
        page = args.write.read_text()
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        args.write.write_text(f"{before}{BEGIN}\n{markdown(made)}{END}{after}")
        print(f"Written to {args.write}.")


if __name__ == "__main__":
    main()
