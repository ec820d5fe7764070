"""ONNX's backend test suite on memxc: counts on the terminal, docs/operators.md on request."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path

import onnx  # noqa: TID251

from memxc.conformance import page, suite


def main() -> int:
    """Run the suite and print the counts. Return 1 if a case failed, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m memxc.conformance", description=__doc__)
    parser.add_argument("--write", type=Path, help="write docs/operators.md here")
    chosen = parser.parse_args()
    print(f"ONNX {onnx.__version__}'s backend test suite, computed by memxc's Design:")
    cases = suite.run(_progress if sys.stderr.isatty() else lambda done, total: None)
    for row in page.counts(cases):
        print(
            f"  {row['kind']:16} {row['total']:5} cases: {row['passed']:4} passed, "
            f"{row['skipped']:4} skipped with a reason, {row['failed']} failed"
        )
    held = page.held(cases)
    print(f"{len(held)} operators, and the passed cases whose circuit holds each:")
    listed = ", ".join(f"{name} {count}" for name, count in sorted(held.items()))
    print(textwrap.fill(listed, 100, initial_indent="  ", subsequent_indent="  "))
    failed = [case for case in cases if case.outcome == "failed"]
    for case in failed:
        print(f"FAILED {case.kind} {case.name}: {case.reason}")
    if chosen.write:
        chosen.write.write_text(page.text(cases), "utf-8")
        print(f"wrote {chosen.write}")
    else:
        print("reasons and counts by operator: docs/operators.md")
    return 1 if failed else 0


def _progress(done: int, total: int) -> None:
    if done % 100 == 0:
        print(f"\r  {done} of {total}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
